import type { SqlTransaction } from 'safepoint'
import { announce } from '../announce.ts'
import type { Enqueue } from '../jobs.ts'
import { movePayment, mustMovePayment, notePayment } from '../payments/move-payment.ts'
import { arrivedOf } from '../payments/payments.ts'
import type { Standing } from '../payments/standing.ts'
import { rememberEvent } from './admin-orders.queries.ts'
import { cancelRefunded } from './cancel-refunded.ts'
import { restoreHold } from './complete-order.ts'
import { decideSettle } from './decide-settle.ts'
import { mailPaymentFailed, mailRefund } from './order-mails.ts'
import { moveOrder } from './orders.queries.ts'
import { orderTopic } from './orders.ts'
import {
  lockPayment,
  overtaken,
  stopWaiting,
  uncaptured,
  wakeNamed,
  type Settled,
  type SettleRequest,
} from './settle-request.ts'

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
  await movePayment(tx, payment.id, uncaptured, 'captured', details)
  await movePayment(tx, payment.id, ['captured'], 'refunding', { captured })
  await mustMovePayment(tx, payment.id, ['refunding'], 'refunded', { captured, refunded: captured })
  await mailBack(tx, found, captured)
  if (!own) return
  if (order.status === 'error' || (order.status === 'completed' && order.fulfilment === 'none'))
    await cancelRefunded(tx, order, { reason: 'refunded', operationId: by })
  else await stopWaiting(tx, found, 'refunded')
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
