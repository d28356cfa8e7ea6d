import { uuidv7, type SqlTransaction } from 'safepoint'
import { sumDemand, type StockLine } from './inventory.ts'

type Row = { readonly variant_id: string; readonly quantity: number }
const lineOf = (row: Row): StockLine => ({ variantId: row.variant_id, quantity: row.quantity })

/** Gives an order's held stock back. Twice is once: answers the lines that this call released. */
export async function releaseStock(tx: SqlTransaction, asked: { readonly orderId: string }): Promise<StockLine[]> {
  const { rows } = await tx.query<Row>({
    name: 'inventory_release',
    text: `
      with locked as materialized (
        select s.variant_id from pantry.stock s
        where s.variant_id in (select r.variant_id from pantry.reservation r where r.order_id = $1::uuid and r.state = 'held')
        order by s.variant_id
        for update of s
      ), released as (
        update pantry.reservation r set state = 'released', ended_at = clock_timestamp()
        from locked l
        where r.order_id = $1::uuid and r.variant_id = l.variant_id and r.state = 'held'
        returning r.variant_id, r.quantity
      )
      update pantry.stock s
      set reserved = s.reserved - r.quantity, version = s.version + 1, updated_at = clock_timestamp()
      from released r
      where s.variant_id = r.variant_id
      returning s.variant_id, r.quantity`,
    values: [asked.orderId],
  })
  return rows.map(lineOf)
}

/**
 * Turns an order's reservations into a sale: the stock leaves, with one movement a line. A reservation whose time is up counts
 * as long as nobody else was given its stock. Answers the lines that were booked; twice is once. The caller compares them
 * with the order's.
 */
export async function bookStock(
  tx: SqlTransaction,
  asked: { readonly orderId: string; readonly operationId?: string; readonly actor?: string },
): Promise<StockLine[]> {
  const { rows } = await tx.query<Row>({
    name: 'inventory_book',
    text: `
      with locked as materialized (
        select s.variant_id from pantry.stock s
        where s.variant_id in (select r.variant_id from pantry.reservation r where r.order_id = $1::uuid and r.state = 'held')
        order by s.variant_id
        for update of s
      ), booked as (
        update pantry.reservation r set state = 'booked', ended_at = clock_timestamp()
        from locked l
        where r.order_id = $1::uuid and r.variant_id = l.variant_id and r.state = 'held'
        returning r.id, r.variant_id, r.quantity
      ), left_stock as (
        update pantry.stock s
        set on_hand = s.on_hand - b.quantity, reserved = s.reserved - b.quantity, version = s.version + 1, updated_at = clock_timestamp()
        from booked b
        where s.variant_id = b.variant_id
        returning s.variant_id
      )
      insert into pantry.stock_movement (id, variant_id, delta, reason, order_id, operation_id, actor)
      -- a reservation is booked once, so its id serves its movement too
      select b.id, b.variant_id, -b.quantity, 'sale', $1::uuid, $2::uuid, $3::text
      from booked b join left_stock using (variant_id)
      returning variant_id, -delta as quantity`,
    values: [asked.orderId, asked.operationId ?? null, asked.actor ?? null],
  })
  return rows.map(lineOf)
}

export interface StockReturn {
  readonly orderId: string
  readonly lines: readonly StockLine[]
  readonly operationId?: string
  readonly actor?: string
}

/** Takes sold goods back in, with one movement a line. Not repeatable: the caller guards it by the order's own state. */
export async function returnStock(tx: SqlTransaction, asked: StockReturn): Promise<void> {
  const lines = sumDemand(asked.lines)
  await tx.query({
    name: 'inventory_return',
    text: `
      with back as (
        select * from unnest($1::uuid[], $2::int[], $3::uuid[]) as b (variant_id, quantity, movement_id)
      ), locked as materialized (
        select s.variant_id from pantry.stock s join back b using (variant_id) order by s.variant_id for update of s
      ), returned as (
        update pantry.stock s
        set on_hand = s.on_hand + b.quantity, version = s.version + 1, updated_at = clock_timestamp()
        from locked l join back b using (variant_id)
        where s.variant_id = l.variant_id
        returning s.variant_id
      )
      insert into pantry.stock_movement (id, variant_id, delta, reason, order_id, operation_id, actor)
      select b.movement_id, b.variant_id, b.quantity, 'return', $4::uuid, $5::uuid, $6::text
      from back b join returned using (variant_id)`,
    values: [
      lines.map((line) => line.variantId),
      lines.map((line) => line.quantity),
      lines.map(() => uuidv7()),
      asked.orderId,
      asked.operationId ?? null,
      asked.actor ?? null,
    ],
  })
}
