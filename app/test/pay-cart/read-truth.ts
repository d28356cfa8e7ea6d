import type pg from 'pg'
import { readBooks, type Taken } from '../shop/read-books.ts'
import type { GatewayName } from '../shop/start-shop.ts'
import type { SimulatorControl } from '../shop/simulator-control.ts'

export interface OrderFacts {
  readonly id: string
  readonly status: string
  readonly reason: string
  readonly total: number
  /** Of all its lines. */
  readonly quantity: number
  /** A run that gives money back holds it. */
  readonly closing: boolean
  /** The latest. */
  readonly paymentId: string | undefined
  readonly payments: readonly string[]
  /** Payments that a run is in charge of. */
  readonly handled: number
  readonly reservations: readonly string[]
  readonly receipts: number
  /** What the gateway's book says of it. */
  readonly taken: Taken
}

/** What is so of one customer's purchase: the rows, and the gateway's book. */
export interface Truth {
  /** How the run that made order and page ended. */
  readonly made: { readonly state: string; readonly body: string | null } | undefined
  /** Operations of anybody that have not ended. */
  readonly running: readonly string[]
  readonly orders: readonly OrderFacts[]
  /** Of the active cart. */
  readonly inCart: number
  /** Events of the gateway that are not applied yet. */
  readonly waitingEvents: number
  /** Orders of anybody of which the gateway has kept another amount than they come to, but for those that a human looks at. */
  readonly unaccounted: readonly string[]
}

export interface Subject {
  readonly accountId: string
  readonly scope: string
  readonly key: string
}

/** Operations that have not ended, or whose leftovers are not swept. */
export const listRunning = async (sql: pg.Pool): Promise<string[]> =>
  (
    await sql.query<{ id: string }>(
      `select id::text from safepoint.operation where state in ('running', 'undoing') or cleanup = 'pending'`,
    )
  ).rows.map(({ id }) => id)

/** Operations that nobody but a human can end. */
export const listStuck = async (sql: pg.Pool): Promise<string[]> =>
  (
    await sql.query<{ id: string }>(
      `select id::text from safepoint.operation where state = 'needs_attention' or cleanup = 'needs_attention'`,
    )
  ).rows.map(({ id }) => id)

const nothing: Taken = { charges: 0, captured: 0, refunded: 0 }

export async function readTruth(
  sql: pg.Pool,
  gateway: { readonly name: GatewayName; readonly control: SimulatorControl },
  { accountId, scope, key }: Subject,
): Promise<Truth> {
  const { byOrder } = await readBooks({ gateways: { [gateway.name]: gateway.control } })
  const { rows } = await sql.query(
    `select
        (select json_build_object('state', state, 'body', convert_from(body, 'utf8'))
          from safepoint.operation where scope = $2::text and key = $3::text) as made,
        array(select name || ' ' || state from safepoint.operation
          where state in ('running', 'undoing') or cleanup = 'pending') as running,
        (select coalesce(sum(i.quantity), 0)::int from pantry.cart c join pantry.cart_item i on i.cart_id = c.id
          where c.account_id = $1::uuid and c.state = 'active') as in_cart,
        (select count(*)::int from pantry.webhook_event where state = 'waiting') as waiting_events`,
    [accountId, scope, key],
  )
  const { rows: orders } = await sql.query(
    `select o.id::text, o.status, o.reason, o.total::int, o.closing_by is not null as closing,
        (select sum(quantity)::int from pantry.order_line l where l.order_id = o.id) as quantity,
        (select p.id::text from pantry.payment p where p.order_id = o.id order by p.id desc limit 1) as "paymentId",
        array(select p.status from pantry.payment p where p.order_id = o.id order by p.id) as payments,
        (select count(*)::int from pantry.payment p where p.order_id = o.id and p.handled_by is not null) as handled,
        array(select v.state from pantry.reservation v where v.order_id = o.id order by v.created_at) as reservations,
        (select count(*)::int from pantry.mail m where m.data->>'orderId' = o.id::text and m.template = 'receipt') as receipts
      from pantry.orders o where o.account_id = $1::uuid order by o.id`,
    [accountId],
  )
  const { rows: all } = await sql.query<{ id: string; due: number }>(
    `select o.id::text, case when o.status = 'completed' then o.total else 0 end::int as due from pantry.orders o
      where o.closing_by is null
        and not exists (select from pantry.payment p where p.order_id = o.id and p.handled_by is not null)`,
  )
  const unaccounted = all.filter(({ id, due }) => {
    const { captured, refunded } = byOrder.get(id) ?? nothing
    return captured - refunded !== due
  })
  const [row] = rows
  return {
    made: row.made ?? undefined,
    running: row.running,
    orders: orders.map((order) => ({ ...order, taken: byOrder.get(order.id) ?? nothing })),
    inCart: row.in_cart,
    waitingEvents: row.waiting_events,
    unaccounted: unaccounted.map(({ id }) => id),
  }
}
