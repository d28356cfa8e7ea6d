import { conflict, refuse, type SqlTransaction } from 'safepoint'
import type { Enqueue } from '../jobs.ts'
import { findPayment } from '../payments/find-payment.ts'
import { inCharge } from '../payments/move-payment.ts'
import type { Payment } from '../payments/payments.ts'
import type { Standing } from '../payments/standing.ts'
import { applyWaitingEvents } from '../payments/webhooks/apply-waiting-events.ts'
import { restoreHold } from './complete-order.ts'
import { findOrder, lockOrder, moveOrder, type OrderNow } from './orders.queries.ts'
import type { OrderReason } from './orders.ts'

export interface SettleRequest {
  readonly orderId: string
  readonly paymentId: string
  readonly standing: Standing
  /** Of the payment as it was when the gateway was asked. */
  readonly version: number
  /** Of the run that asks. */
  readonly key: string
  /** A refund that has failed may be sent again. */
  readonly retry?: boolean | undefined
}

/** A payment with its order, as they stand now. */
export interface Settled extends OrderNow {
  readonly payment: Payment
}

/** Throws `payment_not_found`, and `conflict` while another run is in charge of the payment or the order. */
export function mustBeFree(found: OrderNow | undefined, payment: Payment | undefined, by: string): Settled {
  if (!found || !payment) throw refuse('payment_not_found', 'There is no such payment.')
  const { closingBy } = found.order
  if ((payment.handledBy ?? by) !== by || (closingBy ?? by) !== by) throw inCharge()
  return { ...found, payment }
}

export async function lockPayment(tx: SqlTransaction, request: { orderId: string; paymentId: string }, by: string) {
  const found = await lockOrder(tx, request.orderId)
  return mustBeFree(found, await findPayment(tx, request.paymentId), by)
}

/** As a reader sees it: a hint, which the order's lock confirms. */
export async function readPayment(tx: SqlTransaction, paymentId: string, by: string): Promise<Settled> {
  const payment = await findPayment(tx, paymentId)
  return mustBeFree(payment && (await findOrder(tx, payment.orderId)), payment, by)
}

/** A payment that is in one of these may still turn out to be captured. */
export const uncaptured = ['requires_action', 'processing', 'failed', 'voided'] as const

/** An order that is `processing` because of this payment alone may be paid by another. */
export async function stopWaiting(
  tx: SqlTransaction,
  { order, payment, now }: Settled,
  reason: OrderReason,
): Promise<void> {
  if (order.status !== 'processing' || order.payment?.id !== payment.id) return
  await moveOrder(tx, order.id, 'processing', [{ to: 'failed', reason }])
  await restoreHold(tx, { order, now })
}

/** News that named it by a reference which nobody knew may have come before. */
export async function wakeNamed(
  tx: SqlTransaction,
  enqueue: Enqueue,
  payment: Payment,
  standing: Standing,
): Promise<void> {
  if (payment.gatewayReference === undefined && 'reference' in standing)
    await applyWaitingEvents(tx, enqueue, payment.orderId)
}

/** Somebody else was faster, or the gateway has gone on: look again. */
export const overtaken = () => conflict('The payment has gone on meanwhile.', { retryAfterMs: 1000 })
