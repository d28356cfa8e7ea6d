import type pg from 'pg'
import { until } from '../../../safepoint/test/support/until.ts'
import { createJobs } from '../../server/jobs.ts'
import { answerRefunds } from './human.ts'
import type { Customer, Person } from './people.ts'
import type { Shop } from './start-shop.ts'

const jobNames = ['orders.expire', 'payments.apply-event', 'payments.sweep']

/** What is not over yet, by what it is. Nothing is counted twice. */
const openSql = `select
  (select count(*)::int from safepoint.operation where state in ('running', 'undoing', 'needs_attention')) as operations,
  (select count(*)::int from safepoint.operation where cleanup = 'pending') as leftovers,
  (select count(*)::int from pantry.webhook_event where state = 'waiting') as events,
  (select count(*)::int from pantry.payment where status in ('created', 'processing', 'refunding') or handled_by is not null
    or (unwanted and status = 'captured' and refunded_amount < captured_amount)) as payments,
  (select count(*)::int from pantry.orders where status in ('processing', 'payment_verified', 'error') or closing_by is not null
    or (status in ('pending', 'awaiting_payment', 'failed') and reserved_until <= clock_timestamp())) as orders,
  (select count(*)::int from pantry.mail where state = 'queued') as mails`

/** Milliseconds after which the deadlines of what still runs are brought forward too. */
const patience = 20_000

/** Milliseconds that a call can be under way at a gateway: the longest delay of `random-plan.ts`, and more. */
const onItsWay = 4000

export type Open = Readonly<Record<'operations' | 'leftovers' | 'events' | 'payments' | 'orders' | 'mails', number>>

export interface SettleOptions {
  readonly shop: Shop
  readonly sql: pg.Pool
  readonly databaseUrl: string
  readonly customers: readonly Customer[]
  readonly admin: Person
  readonly timeoutMs: number
}

/**
 * Nothing fails any more, and time passes: what the shop's own clocks would do within a day (sweeps, retries of webhooks) is
 * done now, by the same jobs, until nothing is left to be done. Answers what is still open, should it never end.
 */
export async function settleShop(
  options: SettleOptions,
): Promise<{ readonly open: Open; readonly answered: number; readonly seconds: number }> {
  const { shop, sql, databaseUrl, customers, admin, timeoutMs } = options
  const began = performance.now()
  for (const control of Object.values(shop.gateways)) await control('DELETE', '/faults')
  const jobs = createJobs({ url: databaseUrl, names: jobNames, log: { warn: () => {}, error: () => {} } })
  await jobs.start()
  const byAccount = new Map(customers.map((customer) => [customer.accountId, customer]))
  let open: Open | undefined
  let answered = 0
  try {
    // Whoever was on a page looks at his order once more.
    await verifyAll(`p.status in ('created', 'requires_action', 'processing') or p.page_open or p.page_id is not null`)
    await until(
      async () => {
        // A charge that the gateway answers with one and the same failure is asked for again until its deadline.
        if (performance.now() - began > patience)
          await sql.query(
            `update safepoint.operation set deadline_at = clock_timestamp() where state = 'running' and deadline_at > clock_timestamp()`,
          )
        await sql.query(`update pantry.webhook_event set due_at = clock_timestamp() where state = 'waiting'`)
        for (const name of ['orders.expire', 'payments.apply-event', 'payments.sweep'])
          await jobs.enqueue(sql as never, name, {})
        await verifyAll(`p.status in ('created', 'processing', 'refunding') or (p.unwanted and p.status = 'captured')`)
        // A refund whose answer nobody waited for may still be on its way: who looked now would see it not made.
        if (performance.now() - began > onItsWay) answered += await answerRefunds(shop, sql, admin)
        open = (await sql.query<Open>(openSql)).rows[0]!
        return Object.values(open).every((count) => count === 0)
      },
      { timeoutMs, intervalMs: 250, message: 'the shop to settle' },
    ).catch((error: unknown) => {
      // What is open is told below.
      if (!open) throw error
    })
  } finally {
    await jobs.stop(0)
  }
  return { open: open!, answered, seconds: (performance.now() - began) / 1000 }

  async function verifyAll(which: string): Promise<void> {
    const { rows } = await sql.query<{ id: string; account_id: string }>(
      `select p.id, o.account_id from pantry.payment p join pantry.orders o on o.id = p.order_id where ${which}`,
    )
    const queue = rows.values()
    await Promise.all(
      Array.from({ length: 4 }, async (_, n) => {
        const at = shop.urls[n % shop.urls.length]!
        for (const { id, account_id } of queue)
          await byAccount.get(account_id)!.send(at, 'POST', `/api/payments/${id}/verify`, {})
      }),
    )
  }
}
