import { afterAll, expect, test } from 'vitest'
import { testDatabase } from '../../../safepoint/test/support/database.ts'
import { openStockRace } from './stock-race.ts'

const { url } = await testDatabase({ template: 'app' })
const site = await openStockRace({ databaseUrl: url })
afterAll(() => site.close())

test.each(['card', 'page'] as const)(
  'of 30 buyers of the last piece at once at two servers (%s) one is charged, and 29 are told that it is gone',
  async (way) => {
    const { wrong, ...race } = await site.race({ buyers: 30, way })
    expect(wrong, site.output()).toEqual([])
    expect(race).toMatchObject({ orders: 1, refusals: 29, charges: 1 })
  },
)

test.each(['card', 'page'] as const)(
  'a button that is pressed four times at once under four keys (%s) is one order and one charge',
  async (way) => {
    const { wrong, ...click } = await site.doubleClick({ clicks: 4, way })
    expect(wrong, site.output()).toEqual([])
    expect(click).toMatchObject({ orders: 1, charges: 1 })
  },
)
