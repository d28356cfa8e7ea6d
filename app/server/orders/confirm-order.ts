import { defineOperation, refuse, type DurableContext, type SqlTransaction } from 'safepoint'
import { accountOf } from '../accounts/accounts.ts'
import { isId } from '../http.ts'
import type { Enqueue } from '../jobs.ts'
import { assertOffered } from '../payments/gateway-calls.ts'
import { assertCharges, stepOf } from '../payments/gateway-steps.ts'
import type { OfferedGateways } from '../payments/offered-gateways.ts'
import { viewPayment } from '../payments/payments.schema.ts'
import { cancelSteps, noSuchOrder, runCancel, type CancelSteps } from './cancel-order.ts'
import { confirmSteps } from './confirm-steps.ts'
import type { Order } from './orders.ts'
import { confirmOrderInput, viewOrder, type OrderAndPayment } from './orders.schema.ts'
import {
  complete,
  descriptionOf,
  followPlan,
  payOnPage,
  returnUrlOf,
  waitForCustomer,
  waitForGateway,
  type Paying,
} from './pay-order.ts'

export interface ConfirmOrderOptions {
  readonly gateways: OfferedGateways
  /** How long stock is held for an unpaid order, in milliseconds; an attempt to pay renews it. */
  readonly hold: number
  readonly enqueue: Enqueue
  /** Where customers reach this shop; a gateway's page sends them back there. */
  readonly publicUrl: () => string
}

/** The second phase of a checkout: only now is anything charged. */
export function confirmOrder({ gateways, hold, enqueue, publicUrl }: ConfirmOrderOptions) {
  return defineOperation({
    name: 'order.confirm',
    input: confirmOrderInput,
    errors: {
      order_not_found: 'There is no such order of this account.',
      order_cancelled: 'The order is cancelled; order again.',
      out_of_stock: 'The reservation had run out, and somebody else was faster.',
      payment_declined: 'The payment was declined; the order can be confirmed again under a new key.',
      payment_refused: 'The payment gateway turned the request down; nothing was taken.',
      payment_method_unsupported: 'The payment gateway charges no saved payment method; it is paid on its own page.',
      gateway_unavailable: 'The payment gateway could not be reached; nothing was taken.',
      currency_mismatch: 'The payment gateway takes no payment in this currency.',
      not_configured: 'This payment gateway is not offered here.',
    },
    onDisconnect: 'cancel-until-first-step',
    onCancel: 'Nothing is charged, or what was charged is refunded; the order waits for another payment.',
    undo: {
      record: ({ result }: { readonly result: OrderAndPayment }) => ({ orderId: result.order.id }),
      steps: cancelSteps({ gateways, enqueue }),
      // A doubt about a refund stops the undo: the order stays closed, and a human looks.
      undoOrder: 'ordered',
      run: (ctx: DurableContext<SqlTransaction, CancelSteps>, recorded: { readonly orderId: string }) =>
        runCancel(ctx, enqueue, { orderId: recorded.orderId, reason: 'undone' }),
    },
    // Where a refund cannot be repeated, a doubt about one stops the undo: the order stays closed until a human has looked.
    undoOrder: 'ordered',
    steps: confirmSteps({ gateways, hold, enqueue }),
    async run(ctx, input) {
      const { id: orderId, gateway, paymentMethod } = input
      if (!isId(orderId)) throw noSuchOrder()
      assertOffered(gateways, gateway, { paymentMethod })
      const request = {
        orderId,
        accountId: accountOf(ctx.scope),
        gateway,
        hosted: paymentMethod === undefined,
        key: ctx.key,
      }
      const paying: Paying<OrderAndPayment> = { request, publicUrl, enqueue, view }

      const next = await followPlan(ctx, await ctx.steps.prepare(request), paying)
      if (next.end) return next.end
      const { begun } = next
      if (paymentMethod === undefined) return payOnPage(ctx, begun, paying)

      const { paymentId, total } = begun
      assertCharges(gateway)
      const result = await ctx.steps[stepOf('charge', gateway)]({
        ...total,
        paymentMethod,
        order: orderId,
        description: descriptionOf(orderId),
        returnUrl: returnUrlOf(paying, paymentId),
        requestedAt: begun.begunAt,
      })
      const reference = result.payment?.id ?? null
      if (result.status === 'declined') {
        await ctx.steps.recordDecline({ orderId, paymentId, code: result.code, reference })
        return ctx.fail('payment_declined', result.message, { declineCode: result.code, orderId, paymentId })
      }
      const { id: charged, captured, currency } = result.payment
      // What was taken goes back by the undo of the charge.
      if (result.status === 'captured' && (captured !== total.amount || currency !== total.currency))
        throw refuse('payment_refused', 'The payment gateway took another sum than it was asked for.', {
          details: { gateway, gatewayCode: 'wrong_amount' },
        })
      const record = { orderId, paymentId, reference: charged }
      if (result.status === 'requires_action') {
        const { redirectUrl: url, clientSecret } = result
        const checkout = { url, ...(clientSecret !== null && { clientSecret }) }
        await ctx.steps.record({ ...record, status: 'requires_action', checkout })
        return ctx.finish((tx) => waitForCustomer(tx, ctx, paymentId, paying))
      }
      if (result.status === 'processing') {
        await ctx.steps.record({ ...record, status: 'processing' })
        return waitForGateway(ctx, paymentId, paying)
      }
      await ctx.steps.record({ ...record, status: 'captured', captured })
      return complete(ctx, paying)
    },
  })
}

function view(order: Order): OrderAndPayment {
  const { payment } = order
  if (!payment) throw new Error(`Order ${order.id} was confirmed and has no payment.`)
  return { order: viewOrder(order), payment: viewPayment(payment) }
}
