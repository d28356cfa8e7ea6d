import type pg from 'pg'
import type { Facts } from './check-answers.ts'
import { orderOf, type StripeControl } from './stripe-control.ts'

/** One confirmation: whose key, of which order. */
export interface Subject {
  readonly scope: string
  readonly key: string
  readonly orderId: string
}

/** What became of many confirmations, with one look at the gateway. */
export async function readFacts(
  sql: pg.Pool,
  stripe: StripeControl,
  subjects: readonly Subject[],
): Promise<Map<string, Facts>> {
  const [book, calls] = await Promise.all([stripe.readBook(), stripe.readCalls()])
  const callsOf = Map.groupBy(calls, (call) => orderOf(call) ?? '')
  const { rows } = await sql.query(
    `select a.order_id::text,
        o.state, o.id::text, o.name, convert_from(o.body, 'utf8') as body,
        (select count(*)::int from safepoint.cancel_event e where e.scope = a.scope and e.key = a.key) as events,
        r.status, r.total::int, r.closing_by is not null as closing,
        array(select p.status from pantry.payment p where p.order_id = a.order_id order by p.id) as payments,
        array(select v.state from pantry.reservation v where v.order_id = a.order_id order by v.created_at) as reservations,
        (select count(*)::int from pantry.mail m where m.data->>'orderId' = a.order_id::text and m.template = 'receipt') as receipts
      from unnest($1::text[], $2::text[], $3::uuid[]) as a (scope, key, order_id)
      join pantry.orders r on r.id = a.order_id
      left join safepoint.operation o on o.scope = a.scope and o.key = a.key`,
    [subjects.map(({ scope }) => scope), subjects.map(({ key }) => key), subjects.map(({ orderId }) => orderId)],
  )
  return new Map(
    rows.map((row) => [
      row.order_id as string,
      {
        row: row.state === null ? undefined : { state: row.state, id: row.id, name: row.name, body: row.body },
        events: row.events,
        order: { status: row.status, total: row.total, closing: row.closing },
        payments: row.payments,
        reservations: row.reservations,
        receipts: row.receipts,
        net: book[row.order_id],
        calls: (callsOf.get(row.order_id) ?? []).toSorted((a, b) => a.arrivedAt.monotonic - b.arrivedAt.monotonic),
      },
    ]),
  )
}

/** Where the stock does not add up, in words: on hand is what was moved, reserved is what is held. */
export async function findUnbalanced(sql: pg.Pool): Promise<string[]> {
  const { rows } = await sql.query<{ line: string }>(
    `with ledger as (
        select s.variant_id, s.on_hand, s.reserved,
          coalesce((select sum(delta) from pantry.stock_movement m where m.variant_id = s.variant_id), 0) as moved,
          coalesce((select sum(quantity) from pantry.reservation r where r.variant_id = s.variant_id and r.state = 'held'), 0) as held
        from pantry.stock s
      )
      select format('variant %s: %s on hand, %s moved; %s reserved, %s held', variant_id, on_hand, moved, reserved, held) as line
      from ledger where on_hand <> moved or reserved <> held`,
  )
  return rows.map(({ line }) => line)
}
