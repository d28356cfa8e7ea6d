import { expect, test } from 'vitest'
import { testDatabase } from '../../../safepoint/test/support/database.ts'
import { runRandomShop } from './random-run.ts'

const { url } = await testDatabase({ template: 'app' })

test(
  'after 300 random operations on two servers, with gateways that fail and connections that break, rows, stock and the gateways’ books agree',
  { timeout: 120_000 },
  async () => {
    const seed = Date.now() % 1_000_000
    const report = await runRandomShop({
      databaseUrl: url,
      operations: 300,
      seed,
      people: 12,
      concurrency: 12,
      settleMs: 60_000,
      quick: true,
    })
    expect(report.wrong, `seed ${seed}`).toEqual([])
    expect(report.untrue, `seed ${seed}`).toEqual([])
    expect(report.faults, `seed ${seed}`).toEqual([])
    // A run in which nobody bought anything has proved nothing.
    expect(report.performed).toHaveLength(300)
    expect(report.orders['completed'], `seed ${seed}`).toBeGreaterThan(0)
    expect(report.orders['cancelled'], `seed ${seed}`).toBeGreaterThan(0)
  },
)
