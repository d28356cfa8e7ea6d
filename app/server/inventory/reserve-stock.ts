import { uuidv7, type SqlTransaction } from 'safepoint'
import { sumDemand, type Reserved, type StockLine } from './inventory.ts'

/**
 * Holds stock for an order until `milliseconds` from now, by the database's clock. Reservations of these variants whose time
 * is up are ended on the way, so that a sweep that is late costs nobody a sale. Reserves all lines, or answers which are
 * short: then the caller must roll back, because the lines that could be served are reserved in its transaction.
 *
 * One statement. The stock rows are locked in id order first, and only then changed; whoever waited for a lock sees the row
 * as it is then (READ COMMITTED). An order's own held lines of these variants are refused by `reservation_held`.
 */
export async function reserveStock(
  tx: SqlTransaction,
  asked: { readonly orderId: string; readonly lines: readonly StockLine[]; readonly milliseconds: number },
): Promise<Reserved> {
  const demand = sumDemand(asked.lines)
  const { rows } = await tx.query<{ variant_id: string; wanted: number; available: number; expires_at: Date | null }>({
    name: 'inventory_reserve',
    text: `
      with demand as (
        select * from unnest($1::uuid[], $2::int[], $3::uuid[]) as d (variant_id, quantity, reservation_id)
      ), locked as materialized (
        select s.variant_id, s.on_hand, s.reserved, d.quantity, d.reservation_id
        from pantry.stock s join demand d using (variant_id)
        order by s.variant_id
        for update of s
      ), expired as (
        update pantry.reservation r set state = 'expired', ended_at = clock_timestamp()
        from locked l
        where r.variant_id = l.variant_id and r.state = 'held' and r.expires_at <= clock_timestamp()
        returning r.variant_id, r.quantity
      ), weighed as (
        select l.*, l.reserved - coalesce((select sum(e.quantity) from expired e where e.variant_id = l.variant_id), 0)::int as live
        from locked l
      ), taken as (
        update pantry.stock s
        -- from the locked row: what the update first reads is as old as the statement, and the constraints look at that, so that
        -- goods which came in meanwhile would be an oversale
        set on_hand = w.on_hand,
          reserved = w.live + case when w.on_hand - w.live >= w.quantity then w.quantity else 0 end,
          version = s.version + 1,
          updated_at = clock_timestamp()
        from weighed w
        where s.variant_id = w.variant_id
        returning s.variant_id
      ), held as (
        insert into pantry.reservation (id, order_id, variant_id, quantity, expires_at)
        select w.reservation_id, $4::uuid, w.variant_id, w.quantity, clock_timestamp() + $5::float8 * interval '1 millisecond'
        from weighed w
        where w.on_hand - w.live >= w.quantity
        returning variant_id, expires_at
      )
      select d.variant_id, d.quantity as wanted, coalesce(w.on_hand - w.live, 0) as available, h.expires_at
      from demand d
      left join weighed w using (variant_id)
      left join held h using (variant_id)
      order by d.variant_id`,
    values: [
      demand.map((line) => line.variantId),
      demand.map((line) => line.quantity),
      demand.map(() => uuidv7()),
      asked.orderId,
      asked.milliseconds,
    ],
  })
  const short = rows.filter((row) => row.expires_at === null)
  if (short.length > 0) {
    return {
      reserved: false,
      short: short.map((row) => ({ variantId: row.variant_id, quantity: row.wanted, available: row.available })),
    }
  }
  return { reserved: true, expiresAt: new Date(Math.min(...rows.map((row) => row.expires_at!.getTime()))) }
}

/**
 * Holds an order's reservations until `milliseconds` from now instead. Answers the lines that are held: one whose time was
 * up and that somebody else was given meanwhile is not among them.
 */
export async function extendReservation(
  tx: SqlTransaction,
  asked: { readonly orderId: string; readonly milliseconds: number },
): Promise<StockLine[]> {
  const { rows } = await tx.query<{ variant_id: string; quantity: number }>({
    name: 'inventory_extend',
    text: `
      with locked as materialized (
        select s.variant_id from pantry.stock s
        where s.variant_id in (select r.variant_id from pantry.reservation r where r.order_id = $1::uuid and r.state = 'held')
        order by s.variant_id
        for update of s
      )
      update pantry.reservation r set expires_at = clock_timestamp() + $2::float8 * interval '1 millisecond'
      from locked l
      where r.order_id = $1::uuid and r.variant_id = l.variant_id and r.state = 'held'
      returning r.variant_id, r.quantity`,
    values: [asked.orderId, asked.milliseconds],
  })
  return rows.map((row) => ({ variantId: row.variant_id, quantity: row.quantity }))
}
