import { conflict, defineOperation, refuse, transactionStep, type SqlTransaction } from 'safepoint'
import { announce } from '../announce.ts'
import { isId } from '../http.ts'
import type { Enqueue } from '../jobs.ts'
import { refundSteps, returnSteps, stepOf } from '../payments/gateway-steps.ts'
import type { GatewayName } from '../payments/gateways/gateway.ts'
import { movePayment, mustMovePayment, notePayment, releaseCharge, takeCharge } from '../payments/move-payment.ts'
import type { OfferedGateways } from '../payments/offered-gateways.ts'
import { arrivedOf, atGateway, type GatewayPayment } from '../payments/payments.ts'
import { settleLater } from '../payments/settle-later.ts'
import { rememberEvent } from './admin-orders.queries.ts'
import { disputed, mustFind, noSuchOrder } from './cancel-order.ts'
import { cancelRefunded } from './cancel-refunded.ts'
import { closeOrder, reopenOrder } from './close-order.ts'
import { mailRefund } from './order-mails.ts'
import { getOrder, lockOrder, type OrderNow } from './orders.queries.ts'
import { orderTopic, type Order } from './orders.ts'
import { refundOrderInput, viewOrder, type OrderView } from './orders.schema.ts'
import { settleReturned } from './settle-returned.ts'

export interface RefundOrderOptions {
  readonly gateways: OfferedGateways
  readonly enqueue: Enqueue
}

interface RefundRequest {
  readonly orderId: string
  /** Minor units; without it all that is left. */
  readonly amount?: number | undefined
  /** Of the amount, where it says one. */
  readonly currency?: string | undefined
  /** Of the run that asks. */
  readonly key: string
}

interface Claimed {
  readonly paymentId: string
  readonly payment: GatewayPayment & { readonly gateway: string }
  readonly reference: string
  /** A part; null: all that is left. */
  readonly part: number | null
}

/**
 * An administrator gives money back. All of an order that has not left cancels it, and its goods are back in stock; of one
 * that has left, or of a part, only the money moves.
 */
export function refundOrder({ gateways, enqueue }: RefundOrderOptions) {
  return defineOperation({
    name: 'order.refund',
    input: refundOrderInput,
    errors: {
      order_not_found: 'There is no such order.',
      nothing_to_refund: 'Nothing of this order is taken.',
      currency_mismatch: 'It was paid in another currency.',
      payment_disputed:
        'The customer’s bank holds it, or has given it back, in a dispute; `left` says what of it is not disputed.',
      refund_too_large: 'More than is left of what was paid; `left` says how much is.',
      payment_refused: 'The payment gateway turned the refund down; nothing was done.',
      gateway_unavailable: 'The payment gateway could not be reached; nothing was given back.',
    },
    onDisconnect: 'finish',
    onCancel: 'A refund is not itself cancelled: money may be on its way back already.',
    uncancellable: 'A refund is not itself cancelled: money may be on its way back already.',
    keep: 'Money that was given back is not taken again.',
    deadline: 24 * 3600_000,
    undoOrder: 'ordered',
    steps: {
      /** Puts this run in charge, so that nobody else gives back, ships or cancels meanwhile. */
      claim: transactionStep<RefundRequest, Claimed>({
        run: async (tx, { orderId, amount, currency: given, key }, { operationId, scope }) => {
          const by = { id: operationId, scope, key }
          const { order } = mustFind(await lockOrder(tx, orderId))
          const { payment, reference, left } = refundable(order, operationId)
          const currency = payment.amount.currency
          if (given !== undefined && given !== currency)
            throw refuse('currency_mismatch', `It was paid in ${currency}.`, { details: { currency: given } })
          if (payment.disputed > 0 && (left === 0 || (amount ?? 0) > left))
            throw disputed({ left: { amount: left, currency } })
          if (amount !== undefined && amount > left)
            throw refuse('refund_too_large', 'That is more than is left.', {
              details: { left: { amount: left, currency } },
            })
          // Beside a dispute never all that the gateway has: that would count what the bank holds as well.
          const all = payment.disputed === 0 && (amount === undefined || amount === left)
          const part = all ? null : (amount ?? left)
          await takeCharge(tx, payment.id, by, part ?? undefined)
          if (part === null) {
            await mustMovePayment(tx, payment.id, ['captured'], 'refunding')
            if (order.fulfilment === 'none' && order.status !== 'cancelled' && !(await closeOrder(tx, orderId, by)))
              throw underWay()
          }
          announce(tx, orderTopic(orderId))
          return { paymentId: payment.id, payment: atGateway(payment), reference, part }
        },
        undo: async (tx, { request, response }, { operationId }) => {
          await lockOrder(tx, request.orderId)
          await movePayment(tx, response.paymentId, ['refunding'], 'captured')
          await releaseCharge(tx, enqueue, response.paymentId, operationId)
          await reopenOrder(tx, enqueue, request.orderId, operationId)
          // A refund that we gave up on may arrive all the same.
          await settleLater(tx, enqueue, response.paymentId)
          announce(tx, orderTopic(request.orderId))
        },
      }),
      ...returnSteps(gateways),
      ...refundSteps(gateways),
    },
    async run(ctx, { id: orderId, amount, reason }) {
      if (!isId(orderId)) throw noSuchOrder()
      const by = { operationId: ctx.operationId, actor: ctx.actor, note: reason }
      const sum = typeof amount === 'number' ? { amount } : amount
      const { paymentId, payment, reference, part } = await ctx.steps.claim({ orderId, ...sum, key: ctx.key })
      const gateway = payment.gateway as GatewayName
      if (part === null) {
        const reversal = await ctx.steps[stepOf('returnMoney', gateway)](payment)
        return ctx.finish(async (tx): Promise<OrderView> => {
          const { order } = mustFind(await lockOrder(tx, orderId))
          await settleReturned(tx, order, order.payment!, reversal)
          return end(tx, enqueue, order, paymentId, by)
        })
      }
      const result = await ctx.steps[stepOf('refund', gateway)]({ paymentId: reference, amount: part, order: orderId })
      if (result.status === 'failed')
        throw refuse('payment_refused', 'The gateway could not give it back.', {
          details: { gatewayCode: result.code },
        })
      return ctx.finish(async (tx): Promise<OrderView> => {
        const { order } = mustFind(await lockOrder(tx, orderId))
        await releaseCharge(tx, enqueue, paymentId, ctx.operationId)
        announce(tx, orderTopic(orderId))
        if (result.status === 'already_refunded') {
          // Past us, all of it: what that means for the order is settled by asking the gateway.
          await settleLater(tx, enqueue, paymentId)
          return viewOrder(order)
        }
        const before = order.payment!
        // What the gateway has only taken on may fail: `payment.settle` tells when it has arrived.
        const underWay = result.status === 'processing'
        await notePayment(tx, paymentId, {
          refunded: before.refunded + part,
          pending: before.pending + (underWay ? part : 0),
        })
        await rememberEvent(tx, orderId, { reason: 'partly_refunded', note: reason, actor: ctx.actor })
        if (!underWay)
          await mailRefund(tx, order, {
            paymentId,
            amount: { amount: part, currency: payment.currency },
            once: `${paymentId}:${arrivedOf(before) + part}`,
          })
        return viewOrder((await getOrder(tx, orderId)).order)
      })
    },
  })
}

const underWay = () => conflict('A payment of this order is under way; its outcome decides.', { retryAfterMs: 1000 })

/** What of an order can be given back. */
function refundable(order: Order, operationId: string) {
  const { payment } = order
  if ((order.closingBy ?? operationId) !== operationId || (payment?.handledBy ?? operationId) !== operationId)
    throw underWay()
  const reference = payment?.gatewayReference
  const taken = payment?.status === 'captured' ? payment.captured - payment.refunded : 0
  if (!payment || reference === undefined || taken <= 0)
    throw refuse('nothing_to_refund', 'Nothing of this order is taken.', {
      details: { status: order.status, ...(payment && { payment: payment.status }) },
    })
  return { payment, reference, left: Math.max(0, taken - payment.disputed) }
}

/** All of it is back. */
async function end(
  tx: SqlTransaction,
  enqueue: Enqueue,
  order: OrderNow['order'],
  paymentId: string,
  by: { readonly operationId: string; readonly actor: string | undefined; readonly note: string },
): Promise<OrderView> {
  await releaseCharge(tx, enqueue, paymentId, by.operationId)
  if (order.closingBy === by.operationId) {
    await reopenOrder(tx, enqueue, order.id, by.operationId)
    await cancelRefunded(tx, order, { reason: 'refunded', ...by })
  } else await rememberEvent(tx, order.id, { reason: 'refunded', note: by.note, actor: by.actor })
  announce(tx, orderTopic(order.id))
  return viewOrder((await getOrder(tx, order.id)).order)
}
