import type { SqlTransaction } from 'safepoint'
import type { OrderStatus } from './orders.ts'

/**
 * Locks an account's orders and carts in the order in which placing and cancelling do: orders, carts. An order that was placed
 * while this waited for its cart is locked by the third statement.
 */
export async function lockOrdersOf(tx: SqlTransaction, accountId: string): Promise<void> {
  const lockOrders = () =>
    tx.query({
      name: 'orders_lock_all_of',
      text: 'select from pantry.orders where account_id = $1::uuid order by id for update',
      values: [accountId],
    })
  await lockOrders()
  await tx.query({
    name: 'orders_lock_carts_of',
    text: 'select from pantry.cart where account_id = $1::uuid order by id for update',
    values: [accountId],
  })
  await lockOrders()
}

/** Orders of an account that nobody has begun to pay, or that were declined. */
export async function listUnpaidOrders(tx: SqlTransaction, accountId: string): Promise<string[]> {
  const { rows } = await tx.query<{ id: string }>({
    name: 'orders_unpaid_of',
    text: `select id from pantry.orders where account_id = $1::uuid and status in ('pending', 'failed') order by id`,
    values: [accountId],
  })
  return rows.map(({ id }) => id)
}

export interface UnsettledOrder {
  readonly id: string
  readonly status: OrderStatus
}

/**
 * Orders whose money may still come or go: undecided, being given back, with a payment that somebody is in charge of, or disputed: whoever
 * asks his bank for his money does not have erased, meanwhile, to whom the goods went.
 */
export async function listUnsettledOrders(tx: SqlTransaction, accountId: string): Promise<UnsettledOrder[]> {
  const { rows } = await tx.query<UnsettledOrder>({
    name: 'orders_unsettled_of',
    text: `
      select o.id, o.status from pantry.orders o
      where o.account_id = $1::uuid and (
        o.status not in ('completed', 'cancelled') or o.closing_by is not null
        or exists (
          select from pantry.payment p where p.order_id = o.id and (
            p.status in ('created', 'requires_action', 'processing', 'refunding') or p.handled_by is not null or p.owed_amount > 0
            or p.pending_amount > 0
            or p.unwanted and p.captured_amount > p.refunded_amount + p.disputed_amount
            or exists (select from pantry.dispute d where d.payment_id = p.id and d.status in ('inquiry', 'open'))
          )
        )
      )
      order by o.id`,
    values: [accountId],
  })
  return rows
}

/**
 * Takes out of an account's orders what the books do not need: the customer's own words, the billing address of what was never
 * paid, and where it was sent, except of what has still to be sent (`order_redact` does that when it has been).
 */
export async function redactOrders(tx: SqlTransaction, accountId: string): Promise<void> {
  const orders = tx.query({
    name: 'orders_redact',
    text: `
      update pantry.orders o set note = null,
        shipping_address = case when o.status = 'completed' and o.fulfilment = 'none' then o.shipping_address
          else pantry.redacted_address(o.shipping_address) end,
        billing_address = case when exists (select from pantry.payment p where p.order_id = o.id and p.captured_amount > 0)
          then o.billing_address else pantry.redacted_address(o.billing_address) end
      where o.account_id = $1::uuid`,
    values: [accountId],
  })
  const history = tx.query({
    name: 'orders_redact_history',
    text: `update pantry.order_history h set note = null from pantry.orders o
      where o.id = h.order_id and o.account_id = $1::uuid and h.actor = $1::text and h.note is not null`,
    values: [accountId],
  })
  await Promise.all([orders, history])
}
