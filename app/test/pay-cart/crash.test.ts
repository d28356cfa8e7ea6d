import { afterAll, beforeAll, expect, test } from 'vitest'
import { startDatabases } from '../checkout/own-database.ts'
import { gatewayNames, type GatewayName } from '../shop/start-shop.ts'
import { crashAt, type Plan } from './crash-at.ts'
import { nameOf } from './crash-points.ts'
import { openCrashSite, type CrashSite } from './crash.ts'

// `npm run crash:create-from-cart` kills at every point; here at those where most can go wrong.
const page: Plan = {
  point: { way: 'create', call: 'page', at: 'executed', when: 'during' },
  variant: 'comes back',
}
const news: Plan = {
  point: { way: 'webhook', statement: 'inventory_book', nth: 1, when: 'after' },
  variant: 'never comes back',
}
const look: Plan = {
  point: { way: 'late', statement: 'sp_record_answer', nth: 1, when: 'before' },
  variant: 'never comes back',
}
/** The money is set aside, and nobody has been asked to give it back yet: what stands in the rows decides nothing again. */
const aside: Plan = {
  point: { way: 'late', statement: 'sp_begin_step', nth: 3, when: 'before' },
  variant: 'comes back',
}
const refund: Plan = { point: { way: 'late', call: 'refund', at: 'executed', when: 'during' }, variant: 'comes back' }
/** CardCom repeats no refund, and here there is none to repeat: nobody has paid. */
const givenUp: Plan = {
  point: { way: 'undo', statement: 'sp_record_answer', nth: 1, when: 'before' },
  variant: 'never comes back',
}

const plans: Readonly<Record<GatewayName, readonly (readonly [Plan, endedAs: string])[]>> = {
  stripe: [
    [page, 'completed'],
    [news, 'completed'],
    [refund, 'refunded, and cancelled'],
  ],
  razorpay: [
    [page, 'completed'],
    [news, 'completed'],
    // What the bank only held is never taken.
    [look, 'cancelled, nothing taken'],
  ],
  cardcom: [
    [page, 'completed'],
    [givenUp, 'cancelled, nothing taken'],
    [look, 'refunded, and cancelled'],
    [aside, 'refunded, and cancelled'],
  ],
}

let databases: Awaited<ReturnType<typeof startDatabases>>
let sites: CrashSite[] = []

beforeAll(async () => {
  databases = await startDatabases({ count: gatewayNames.length, fsync: false })
  sites = await Promise.all(
    gatewayNames.map((gateway, n) => openCrashSite({ databaseUrl: databases.urls[n]!, gateway })),
  )
})

afterAll(async () => {
  await Promise.all(sites.map((site) => site.close()))
  await databases.stop()
})

test(
  'a server killed at the gateway, in the middle of a settlement or of a late payment: one charge of one order, or the money is back',
  { timeout: 120_000 },
  async () => {
    await Promise.all(
      sites.map(async (site) => {
        const wanted = plans[site.gateway]
        const crashes = await crashAt(
          [site],
          wanted.map(([plan]) => plan),
        )
        for (const { point, wrong } of crashes) expect(wrong, `${site.gateway}, ${nameOf(point)}`).toEqual([])
        expect(crashes.map(({ endedAs }) => endedAs)).toEqual(wanted.map(([, endedAs]) => endedAs))
      }),
    )
  },
)
