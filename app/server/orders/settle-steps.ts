import { transactionStep, type SqlTransaction } from 'safepoint'
import { announce } from '../announce.ts'
import type { Enqueue } from '../jobs.ts'
import { findPayment } from '../payments/find-payment.ts'
import { lookSteps, returnSteps } from '../payments/gateway-steps.ts'
import { movePayment, mustMovePayment, releaseCharge, takeCharge } from '../payments/move-payment.ts'
import type { OfferedGateways } from '../payments/offered-gateways.ts'
import { atGateway, type GatewayPayment, type Payment } from '../payments/payments.ts'
import { endCancelled } from './cancel-order.ts'
import { closeOrder, reopenOrder } from './close-order.ts'
import { completeOrder } from './complete-order.ts'
import { decideSettle } from './decide-settle.ts'
import { lockOrder, moveOrder } from './orders.queries.ts'
import { orderTopic, pathToProcessing } from './orders.ts'
import { lockPayment, overtaken, stopWaiting, uncaptured, wakeNamed, type SettleRequest } from './settle-request.ts'
import { settleReturned, type Returned } from './settle-returned.ts'

export interface SettleOptions {
  readonly gateways: OfferedGateways
  readonly enqueue: Enqueue
}

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
          await mustMovePayment(tx, payment.id, uncaptured, 'captured', {
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
          await movePayment(tx, payment.id, uncaptured, 'captured', { gatewayReference: reference, captured, unwanted })
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

const leftOf = ({ captured, refunded }: Payment): number => captured - refunded

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
