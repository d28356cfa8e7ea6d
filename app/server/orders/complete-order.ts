import { conflict, type SqlTransaction } from 'safepoint'
import { announce } from '../announce.ts'
import type { Enqueue } from '../jobs.ts'
import { sumDemand, type StockLine } from '../inventory/inventory.ts'
import { extendReservation, reserveStock } from '../inventory/reserve-stock.ts'
import { bookStock } from '../inventory/settle-reservation.ts'
import { mailConfirmation, mailReceipt } from './order-mails.ts'
import { releaseCharge } from '../payments/move-payment.ts'
import { getOrder, lockOrder, moveOrder, type OrderNow } from './orders.queries.ts'
import { orderTopic, outOfStock, type Order } from './orders.ts'

/**
 * Ends an order whose payment is captured: the stock leaves, the receipt is queued, and whoever was in charge of the payment
 * is no more. Throws `out_of_stock` when what was reserved has gone to somebody else: then the money has to go back.
 */
export async function completeOrder(
  tx: SqlTransaction,
  orderId: string,
  by: { readonly operationId: string; readonly actor?: string | undefined; readonly enqueue: Enqueue },
): Promise<Order> {
  const found = await lockOrder(tx, orderId)
  if (found?.order.payment?.status !== 'captured') throw conflict('The payment of this order is not captured.')
  const { order } = found
  const book = () => bookStock(tx, { orderId, operationId: by.operationId, actor: by.actor ?? 'shop' })
  const missing = missingOf(order.lines, await book())
  if (missing.length > 0) {
    // Its time was up, and somebody else ended the reservation. There may still be enough.
    const again = await reserveStock(tx, { orderId, lines: missing, milliseconds: 60_000 })
    if (!again.reserved) throw outOfStock(again.short, order.lines)
    await book()
  }
  await moveOrder(tx, orderId, 'processing', [
    { to: 'payment_verified', reason: 'captured' },
    { to: 'completed', reason: 'booked' },
  ])
  await releaseCharge(tx, by.enqueue, found.order.payment.id, by.operationId)
  await mailConfirmation(tx, order)
  await mailReceipt(tx, order)
  announce(tx, orderTopic(orderId))
  return (await getOrder(tx, orderId)).order
}

/** Holds an order's stock until `milliseconds` from now, and reserves again what was lost. Throws `out_of_stock`. */
export async function holdStock(tx: SqlTransaction, order: Order, milliseconds: number): Promise<void> {
  const missing = missingOf(order.lines, await extendReservation(tx, { orderId: order.id, milliseconds }))
  if (missing.length === 0) return
  const again = await reserveStock(tx, { orderId: order.id, lines: missing, milliseconds })
  if (!again.reserved) throw outOfStock(again.short, order.lines)
}

/** Back to the time that an unpaid order has. */
export async function restoreHold(tx: SqlTransaction, { order, now }: OrderNow): Promise<void> {
  await extendReservation(tx, { orderId: order.id, milliseconds: order.reservedUntil.getTime() - now.getTime() })
}

function missingOf(wanted: readonly StockLine[], had: readonly StockLine[]): StockLine[] {
  const held = new Set(had.map((line) => line.variantId))
  return sumDemand(wanted).filter((line) => !held.has(line.variantId))
}
