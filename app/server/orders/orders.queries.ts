import { conflict, type SqlTransaction } from 'safepoint'
import type { Reader } from '../database.ts'
import { paymentOf, runOf, type PaymentRow } from '../payments/payments.ts'
import type { AddressSnapshot, Order, OrderChange, OrderReason, OrderStatus } from './orders.ts'

export interface OrderRow {
  id: string
  account_id: string
  cart_id: string
  status: OrderStatus
  reason: OrderReason
  note: string | null
  fulfilment: 'none' | 'shipped'
  version: number
  total: string
  currency: string
  shipping_address: AddressSnapshot
  billing_address: AddressSnapshot
  reserved_until: Date
  closing_by: string | null
  closing_scope: string | null
  closing_key: string | null
  created_at: Date
  updated_at: Date
  now: Date
  lines: { id: string; product_id: string; variant_id: string; name: string; quantity: number; unit_price: number }[]
  payment: PaymentRow | null
}

/** An order as {@link orderOf} reads it; `o` is its row. */
export const orderSelect = `
  select o.*, clock_timestamp() as now,
    (select json_agg(json_build_object('id', l.id, 'product_id', l.product_id, 'variant_id', l.variant_id, 'name', l.name,
        'quantity', l.quantity, 'unit_price', l.unit_price) order by l.position)
      from pantry.order_line l where l.order_id = o.id) as lines,
    (select to_json(p) from pantry.payment p where p.order_id = o.id
      order by p.unwanted, (p.status in ('created', 'requires_action', 'processing', 'captured', 'refunding')) desc, p.id desc limit 1) as payment
  from pantry.orders o`

/** An order as it stands, and the database's clock with it. */
export interface OrderNow {
  readonly order: Order
  readonly now: Date
}

export function orderOf(row: OrderRow): OrderNow {
  const { currency } = row
  const order: Order = {
    id: row.id,
    accountId: row.account_id,
    cartId: row.cart_id,
    status: row.status,
    reason: row.reason,
    note: row.note ?? undefined,
    fulfilment: row.fulfilment,
    version: row.version,
    total: { amount: Number(row.total), currency },
    lines: (row.lines ?? []).map((line) => ({
      id: line.id,
      productId: line.product_id,
      variantId: line.variant_id,
      name: line.name,
      quantity: line.quantity,
      unitPrice: { amount: line.unit_price, currency },
      totalPrice: { amount: line.unit_price * line.quantity, currency },
    })),
    shippingAddress: row.shipping_address,
    billingAddress: row.billing_address,
    reservedUntil: row.reserved_until,
    closingBy: row.closing_by ?? undefined,
    closingRun: runOf(row.closing_by, row.closing_scope, row.closing_key),
    payment: row.payment ? paymentOf(row.payment) : undefined,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
  return { order, now: row.now }
}

/** Of one account only, where one is given: another's order is as good as none. */
export async function findOrder(reader: Reader, id: string, accountId?: string): Promise<OrderNow | undefined> {
  const { rows } = await reader.query<OrderRow>({
    name: 'orders_find',
    text: `${orderSelect} where o.id = $1::uuid and ($2::uuid is null or o.account_id = $2::uuid)`,
    values: [id, accountId ?? null],
  })
  return rows[0] && orderOf(rows[0])
}

/** Within the transaction that has just written it. */
export async function getOrder(tx: SqlTransaction, id: string): Promise<OrderNow> {
  const found = await findOrder(tx, id)
  if (!found) throw new Error(`There is no order ${id}.`)
  return found
}

export async function findOrderOfCart(
  reader: Reader,
  cartId: string,
  accountId: string,
): Promise<OrderNow | undefined> {
  const { rows } = await reader.query<OrderRow>({
    name: 'orders_find_of_cart',
    text: `${orderSelect} where o.cart_id = $1::uuid and o.account_id = $2::uuid`,
    values: [cartId, accountId],
  })
  return rows[0] && orderOf(rows[0])
}

/**
 * The order, locked, with its payment. Two statements in one flight: what a locking statement reads of other tables is as
 * old as the statement, so the payment is read by the next one.
 */
export async function lockOrder(tx: SqlTransaction, id: string, accountId?: string): Promise<OrderNow | undefined> {
  const locked = tx.query({
    name: 'orders_lock',
    text: 'select id from pantry.orders where id = $1::uuid for update',
    values: [id],
  })
  const [, found] = await Promise.all([locked, findOrder(tx, id, accountId)])
  return found
}

export interface OrderPage {
  readonly accountId: string
  readonly limit: number
  /** The id after which the page begins; ids fall with age. */
  readonly after: string | undefined
}

export async function listOrders(reader: Reader, page: OrderPage): Promise<Order[]> {
  const { rows } = await reader.query<OrderRow>({
    name: 'orders_list',
    text: `${orderSelect} where o.account_id = $1::uuid and ($2::uuid is null or o.id < $2::uuid) order by o.id desc limit $3::int`,
    values: [page.accountId, page.after ?? null, page.limit],
  })
  return rows.map((row) => orderOf(row).order)
}

export async function listOrderHistory(reader: Reader, id: string): Promise<OrderChange[]> {
  const { rows } = await reader.query<{
    from_status: OrderStatus | null
    to_status: OrderStatus
    reason: OrderReason
    note: string | null
    actor: string | null
    at: Date
  }>({
    name: 'orders_history',
    text: 'select from_status, to_status, reason, note, actor, at from pantry.order_history where order_id = $1::uuid order by seq',
    values: [id],
  })
  return rows.map((row) => ({
    from: row.from_status,
    to: row.to_status,
    reason: row.reason,
    note: row.note ?? undefined,
    actor: row.actor ?? undefined,
    at: row.at,
  }))
}

/** Unpaid orders whose reservation has run out, the longest ago first. */
export async function listExpiredOrders(reader: Reader, limit: number): Promise<string[]> {
  const { rows } = await reader.query<{ id: string }>({
    name: 'orders_expired',
    text: `select id from pantry.orders
      where status in ('pending', 'awaiting_payment', 'failed') and reserved_until <= clock_timestamp()
      order by reserved_until limit $1::int`,
    values: [limit],
  })
  return rows.map(({ id }) => id)
}

export interface NewOrder {
  readonly id: string
  readonly accountId: string
  readonly cartId: string
  readonly total: number
  readonly currency: string
  readonly shippingAddress: AddressSnapshot
  readonly billingAddress: AddressSnapshot
  /** How long stock is held for it, in milliseconds. */
  readonly hold: number
  readonly lines: readonly {
    readonly id: string
    readonly productId: string
    readonly variantId: string
    readonly name: string
    readonly quantity: number
    readonly unitPrice: number
  }[]
}

export async function insertOrder(tx: SqlTransaction, order: NewOrder): Promise<{ reservedUntil: Date }> {
  const { lines } = order
  const { rows } = await tx.query<{ reserved_until: Date }>({
    name: 'orders_insert',
    text: `
      with placed as (
        insert into pantry.orders (id, account_id, cart_id, status, reason, total, currency, shipping_address, billing_address, reserved_until)
        values ($1::uuid, $2::uuid, $3::uuid, 'pending', 'placed', $4::bigint, $5::text, $6::jsonb, $7::jsonb,
          clock_timestamp() + $8::float8 * interval '1 millisecond')
        returning id, reserved_until
      ), lined as (
        insert into pantry.order_line (id, order_id, position, product_id, variant_id, name, quantity, unit_price)
        select l.id, p.id, l.position, l.product_id, l.variant_id, l.name, l.quantity, l.unit_price
        from placed p, unnest($9::uuid[], $10::uuid[], $11::uuid[], $12::text[], $13::int[], $14::bigint[])
          with ordinality as l (id, product_id, variant_id, name, quantity, unit_price, position)
      )
      select reserved_until from placed`,
    values: [
      order.id,
      order.accountId,
      order.cartId,
      order.total,
      order.currency,
      JSON.stringify(order.shippingAddress),
      JSON.stringify(order.billingAddress),
      order.hold,
      lines.map((line) => line.id),
      lines.map((line) => line.productId),
      lines.map((line) => line.variantId),
      lines.map((line) => line.name),
      lines.map((line) => line.quantity),
      lines.map((line) => line.unitPrice),
    ],
  })
  return { reservedUntil: rows[0]!.reserved_until }
}

export interface OrderMove {
  readonly to: OrderStatus
  readonly reason: OrderReason
  readonly note?: string | undefined
  readonly actor?: string | undefined
}

/**
 * Moves an order along `path`, each move a compare-and-set with its history row. Throws `conflict` when the order is not,
 * or no longer, in `from`.
 */
export async function moveOrder(
  tx: SqlTransaction,
  id: string,
  from: OrderStatus,
  path: readonly OrderMove[],
): Promise<void> {
  let at = from
  for (const { to, reason, note, actor } of path) {
    const { rowCount } = await tx.query({
      name: 'orders_move',
      text: `update pantry.orders set status = $3::text, reason = $4::text, note = $5::text, actor = $6::text
        where id = $1::uuid and status = $2::text`,
      values: [id, at, to, reason, note ?? null, actor ?? null],
    })
    if (rowCount !== 1) throw conflict(`The order is no longer ${at}.`)
    at = to
  }
}

/** Renews for how long stock is held for an unpaid order. */
export async function renewReservedUntil(tx: SqlTransaction, id: string, milliseconds: number): Promise<void> {
  await tx.query({
    name: 'orders_renew',
    text: `update pantry.orders set reserved_until = greatest(reserved_until, clock_timestamp() + $2::float8 * interval '1 millisecond')
      where id = $1::uuid`,
    values: [id, milliseconds],
  })
}
