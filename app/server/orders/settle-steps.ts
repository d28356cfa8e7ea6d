import { conflict, refuse, transactionStep, type SqlTransaction } from 'safepoint'
import { announce } from '../announce.ts'
import type { Enqueue } from '../jobs.ts'
import { releaseStock, returnStock } from '../inventory/settle-reservation.ts'
import { lookSteps, returnSteps } from '../payments/gateway-steps.ts'
import {
  inCharge,
  movePayment,
  mustMovePayment,
  notePayment,
  releaseCharge,
  takeCharge,
} from '../payments/move-payment.ts'
import type { OfferedGateways } from '../payments/offered-gateways.ts'
import { findPayment } from '../payments/find-payment.ts'
import { arrivedOf, atGateway, type GatewayPayment, type Payment } from '../payments/payments.ts'
import type { Standing } from '../payments/standing.ts'
import { applyWaitingEvents } from '../payments/webhooks/apply-waiting-events.ts'
import { rememberEvent } from './admin-orders.queries.ts'
import { endCancelled } from './cancel-order.ts'
import { closeOrder, reopenOrder } from './close-order.ts'
import { completeOrder, restoreHold } from './complete-order.ts'
import { decideSettle } from './decide-settle.ts'
import { mailPaymentFailed, mailRefund } from './order-mails.ts'
import { lockOrder, moveOrder, findOrder, type OrderNow } from './orders.queries.ts'
import { orderTopic, pathToProcessing, type Order, type OrderReason } from './orders.ts'
import { settleReturned, type Returned } from './settle-returned.ts'

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

export interface SettleOptions {
  readonly gateways: OfferedGateways
  readonly enqueue: Enqueue
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

const open = ['requires_action', 'processing', 'failed', 'voided'] as const

export function settleSteps({ gateways, enqueue }: SettleOptions) {
  return {
    ...lookSteps(gateways),

    /**
     * The money is here: in one transaction the payment is captured, the order goes all the way, its stock is booked and its
     * receipt queued. Throws `out_of_stock`, and then nothing of it has happened.
     */
    book: transactionStep<SettleRequest, null>({
      run: async (tx, request, { operationId }) => {
        const { order, payment } = await lockPayment(tx, request, operationId)
        const { standing } = request
        if (decideSettle(order, payment, standing).settle !== 'complete' || standing.state !== 'captured')
          throw overtaken()
        if (payment.status !== 'captured')
          await mustMovePayment(tx, payment.id, open, 'captured', {
            gatewayReference: standing.reference,
            captured: standing.captured,
          })
        await moveOrder(
          tx,
          order.id,
          order.status,
          pathToProcessing(order.status).map((to) => ({ to, reason: 'page_paid' })),
        )
        await completeOrder(tx, order.id, { operationId, enqueue })
        await wakeNamed(tx, enqueue, payment, standing)
        return null
      },
      keep: 'It was paid for; it can be cancelled and refunded.',
    }),

    /**
     * The money is to go back: from here on nobody else decides about it. `shortOf`: of an order that waits for it, and whose
     * goods have gone to somebody else.
     */
    setAside: transactionStep<
      SettleRequest & { readonly shortOf: boolean },
      { readonly payment: GatewayPayment } | null
    >({
      run: async (tx, request, { operationId, scope }) => {
        const by = { id: operationId, scope, key: request.key }
        const found = await lockPayment(tx, request, operationId)
        const { order, payment } = found
        const { standing, shortOf } = request
        if (decideSettle(order, payment, standing, request).settle !== (shortOf ? 'complete' : 'return')) return null
        await takeCharge(tx, payment.id, by)
        const reference = 'reference' in standing ? standing.reference : payment.gatewayReference
        if (standing.state === 'captured') {
          const { captured } = standing
          // Of an order that is to be cancelled it stays the payment; else the order may be paid by another.
          const unwanted = shortOf ? undefined : true
          await movePayment(tx, payment.id, open, 'captured', { gatewayReference: reference, captured, unwanted })
          await movePayment(tx, payment.id, ['captured'], 'refunding', { captured, unwanted })
        }
        if (shortOf) {
          await closeOrder(tx, order.id, by)
          const path = [...pathToProcessing(order.status), 'error'] as const
          await moveOrder(
            tx,
            order.id,
            order.status,
            path.map((to) => ({ to, reason: to === 'error' ? 'out_of_stock' : 'page_paid' })),
          )
        } else await stopWaiting(tx, found, 'wrong_amount')
        announce(tx, orderTopic(order.id))
        const { gateway, orderId, amount, currency } = atGateway(payment)
        return { payment: { gateway, orderId, amount, currency, ...(reference !== undefined && { reference }) } }
      },
      // The gateway has turned the refund down: the money is still here. The sweep has it tried again, and a human is told.
      undo: async (tx, { request, response }, { operationId }) => {
        if (!response) return
        await lockOrder(tx, request.orderId)
        const payment = await findPayment(tx, request.paymentId)
        if (payment) await movePayment(tx, payment.id, ['refunding'], 'captured', { owed: leftOf(payment) })
        await releaseCharge(tx, enqueue, request.paymentId, operationId)
        await reopenOrder(tx, enqueue, request.orderId, operationId)
        announce(tx, orderTopic(request.orderId))
      },
    }),

    ...returnSteps(gateways),
  }
}

/** An order that is `processing` because of this payment alone may be paid by another. */
async function stopWaiting(tx: SqlTransaction, { order, payment, now }: Settled, reason: OrderReason): Promise<void> {
  if (order.status !== 'processing' || order.payment?.id !== payment.id) return
  await moveOrder(tx, order.id, 'processing', [{ to: 'failed', reason }])
  await restoreHold(tx, { order, now })
}

const leftOf = ({ captured, refunded }: Payment): number => captured - refunded

/** News that named it by a reference which nobody knew may have come before. */
async function wakeNamed(tx: SqlTransaction, enqueue: Enqueue, payment: Payment, standing: Standing): Promise<void> {
  if (payment.gatewayReference === undefined && 'reference' in standing)
    await applyWaitingEvents(tx, enqueue, payment.orderId)
}

/** The end of a settlement that gave money back, or that found it on its way back already. */
export async function endReturn(
  tx: SqlTransaction,
  enqueue: Enqueue,
  request: SettleRequest,
  reversal: Returned,
  by: string,
): Promise<void> {
  const { order, payment } = await lockPayment(tx, request, by)
  await settleReturned(tx, order, payment, reversal, { unwanted: order.closingBy === undefined })
  await releaseCharge(tx, enqueue, payment.id, by)
  if (order.closingBy === by) {
    await reopenOrder(tx, enqueue, order.id, by)
    await endCancelled(tx, order, { reason: 'out_of_stock', operationId: by })
  }
  announce(tx, orderTopic(order.id))
}

/** What takes nothing but a transaction. Throws `conflict` where it would take more than that. */
export async function applyDecision(
  tx: SqlTransaction,
  enqueue: Enqueue,
  request: SettleRequest,
  by: string,
): Promise<void> {
  const found = await lockPayment(tx, request, by)
  const { order, payment } = found
  const { standing } = request
  const decision = decideSettle(order, payment, standing, request)
  const pageOpen = standing.state === 'gone' ? standing.pageOpen : undefined
  switch (decision.settle) {
    case 'nothing':
      await notePayment(tx, payment.id, { pageOpen })
      return
    case 'note-refund':
      if (payment.version !== request.version) throw overtaken()
      await notePayment(tx, payment.id, { refunded: decision.refunded, pending: decision.pending })
      await mailBack(tx, found, arrivedOf(decision))
      break
    case 'refund-failed':
      // A refund that was made since the gateway was asked is missing in its answer.
      if (payment.version !== request.version) throw overtaken()
      await takeBackRefund(tx, found, decision)
      await mailBack(tx, found, arrivedOf(decision))
      break
    case 'void':
      await mustMovePayment(tx, payment.id, [payment.status], 'voided', { pageOpen: decision.pageOpen })
      await stopWaiting(tx, found, 'payment_ended')
      break
    case 'decline':
      await mustMovePayment(tx, payment.id, [payment.status], 'failed', {
        declineCode: decision.code,
        gatewayReference: standing.state === 'declined' ? standing.reference : undefined,
        pageOpen: standing.state === 'open',
      })
      if (order.payment?.id === payment.id && (order.status === 'awaiting_payment' || order.status === 'processing')) {
        await moveOrder(tx, order.id, order.status, [{ to: 'failed', reason: 'declined' }])
        await restoreHold(tx, found)
        await mailPaymentFailed(tx, order, payment)
      }
      break
    case 'refunded':
      await endRefunded(tx, found, standing, decision.captured, by)
      break
    default:
      throw overtaken()
  }
  await wakeNamed(tx, enqueue, payment, standing)
  announce(tx, orderTopic(order.id))
}

/**
 * What we had counted as given back, or on its way, has come back to us. Where it was all, the sweep has it tried again; of a part
 * that is for whoever had asked for it. A human is told of both.
 */
async function takeBackRefund(
  tx: SqlTransaction,
  { order, payment }: Settled,
  { refunded, pending }: { readonly refunded: number; readonly pending: number },
): Promise<void> {
  if (payment.status === 'refunded' || payment.status === 'refunding')
    await mustMovePayment(tx, payment.id, [payment.status], 'captured', {
      refunded,
      pending,
      unwanted: true,
      owed: payment.captured - refunded,
    })
  else await notePayment(tx, payment.id, { refunded, pending, owed: payment.owed + payment.refunded - refunded })
  await rememberEvent(tx, order.id, { reason: 'refund_failed', actor: undefined })
}

/** All of it was given back past us: of an order that has not left, the goods come back too. */
async function endRefunded(
  tx: SqlTransaction,
  found: Settled,
  standing: Standing,
  captured: number,
  by: string,
): Promise<void> {
  const { order, payment } = found
  const own = order.payment?.id === payment.id
  const gatewayReference = 'reference' in standing ? standing.reference : undefined
  const details = { captured, gatewayReference, unwanted: own ? undefined : (true as const) }
  await movePayment(tx, payment.id, open, 'captured', details)
  await movePayment(tx, payment.id, ['captured'], 'refunding', { captured })
  await mustMovePayment(tx, payment.id, ['refunding'], 'refunded', { captured, refunded: captured })
  await mailBack(tx, found, captured)
  if (!own) return
  if (order.status === 'error' || (order.status === 'completed' && order.fulfilment === 'none'))
    await cancelRefunded(tx, order, { reason: 'refunded', operationId: by })
  else await stopWaiting(tx, found, 'refunded')
}

/** Cancels an order whose money is back: what was booked comes back into stock. */
export async function cancelRefunded(
  tx: SqlTransaction,
  order: Order,
  by: { readonly reason: OrderReason; readonly operationId: string; readonly actor?: string; readonly note?: string },
): Promise<void> {
  const { reason, note, actor, operationId } = by
  await moveOrder(tx, order.id, order.status, [{ to: 'cancelled', reason, note, actor }])
  const { id: orderId, lines } = order
  if (order.status === 'completed') await returnStock(tx, { orderId, lines, operationId, actor: actor ?? 'shop' })
  else await releaseStock(tx, { orderId })
}

/** The customer is told of what is back, and not of what is on its way. */
async function mailBack(tx: SqlTransaction, { order, payment }: Settled, arrived: number): Promise<void> {
  const amount = arrived - arrivedOf(payment)
  if (amount <= 0) return
  const { currency } = payment.amount
  await mailRefund(tx, order, {
    paymentId: payment.id,
    amount: { amount, currency },
    once: `${payment.id}:${arrived}`,
  })
}

/** Somebody else was faster, or the gateway has gone on: look again. */
export const overtaken = () => conflict('The payment has gone on meanwhile.', { retryAfterMs: 1000 })
