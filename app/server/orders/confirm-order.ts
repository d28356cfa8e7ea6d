import { defineOperation, isSafepointError, refuse, type DurableContext, type SqlTransaction } from 'safepoint'
import { announce } from '../announce.ts'
import { accountOf } from '../accounts/accounts.ts'
import { isId } from '../http.ts'
import { assertOffered } from '../payments/gateway-steps.ts'
import type { OfferedGateways } from '../payments/offered-gateways.ts'
import { mustMovePayment } from '../payments/move-payment.ts'
import { viewPayment } from '../payments/payments.schema.ts'
import type { Checkout } from '../payments/gateways/gateway.ts'
import type { CheckoutPage } from '../payments/payments.ts'
import { cancelSteps, mustFind, noSuchOrder, runCancel, type CancelSteps } from './cancel-order.ts'
import { completeOrder, restoreHold } from './complete-order.ts'
import { confirmSteps, type Begun } from './confirm-steps.ts'
import { getOrder, lockOrder, moveOrder } from './orders.queries.ts'
import { orderTopic, type Order } from './orders.ts'
import { confirmOrderInput, viewOrder, type OrderAndPayment } from './orders.schema.ts'

export interface ConfirmOrderOptions {
  readonly gateways: OfferedGateways
  /** How long stock is held for an unpaid order, in milliseconds; an attempt to pay renews it. */
  readonly hold: number
  /** Where customers reach this shop; a gateway's page sends them back there. */
  readonly publicUrl: () => string
}

/** The second phase of a checkout: only now is anything charged. */
export function confirmOrder({ gateways, hold, publicUrl }: ConfirmOrderOptions) {
  return defineOperation({
    name: 'order.confirm',
    input: confirmOrderInput,
    errors: {
      order_not_found: 'There is no such order of this account.',
      order_cancelled: 'The order is cancelled; order again.',
      out_of_stock: 'The reservation had run out, and somebody else was faster.',
      payment_declined: 'The payment was declined; the order can be confirmed again under a new key.',
      payment_refused: 'The payment gateway turned the request down; nothing was taken.',
      gateway_unavailable: 'The payment gateway could not be reached; nothing was taken.',
      currency_mismatch: 'The payment gateway takes no payment in this currency.',
      not_configured: 'This payment gateway is not offered here.',
    },
    onDisconnect: 'cancel-until-first-step',
    onCancel: 'Nothing is charged, or what was charged is refunded; the order waits for another payment.',
    undo: {
      record: ({ result }: { readonly result: OrderAndPayment }) => ({ orderId: result.order.id }),
      steps: cancelSteps(gateways),
      run: (ctx: DurableContext<SqlTransaction, CancelSteps>, recorded: { readonly orderId: string }) =>
        runCancel(ctx, { orderId: recorded.orderId, reason: 'undone' }),
    },
    steps: confirmSteps({ gateways, hold }),
    async run(ctx, input) {
      const { id: orderId, gateway, paymentMethod } = input
      const hosted = paymentMethod === undefined
      if (!isId(orderId)) throw noSuchOrder()
      assertOffered(gateways, gateway)
      const request = { orderId, accountId: accountOf(ctx.scope), gateway, hosted }
      const by = { operationId: ctx.operationId, actor: ctx.actor }
      const complete = () => ctx.finish(async (tx) => view(await completeOrder(tx, orderId, by)))

      const plan = await ctx.steps.prepare(request)
      if (plan.plan === 'paid') return ctx.finish(async (tx) => view((await getOrder(tx, orderId)).order))
      let begun: Begun
      if (plan.plan === 'new') begun = plan
      else {
        const { paymentId, payment, close } = plan
        const waiting = await reached(ctx.steps.settleWaiting({ payment, close }))
        if (waiting.state === 'paid') {
          await ctx.steps.record({ orderId, paymentId, status: 'captured', reference: waiting.reference })
          return complete()
        }
        if (waiting.state === 'open') return ctx.finish((tx) => waitForCustomer(tx, orderId, paymentId))
        begun = await ctx.steps.replace({ ...request, closed: paymentId })
      }

      const { paymentId, total } = begun
      const description = `Pantry order ${orderId}`
      const returnUrl = `${publicUrl()}/?order=${orderId}`
      if (hosted) {
        const page = {
          ...total,
          order: orderId,
          description,
          successUrl: returnUrl,
          cancelUrl: returnUrl,
          expiresAt: begun.pageUntil,
        }
        const opened = await reached(ctx.steps.openPage({ gateway, page }))
        return ctx.finish((tx) => waitForCustomer(tx, orderId, paymentId, pageOf(opened)))
      }

      const result = await ctx.steps.charge({
        gateway,
        charge: { ...total, paymentMethod, order: orderId, description, returnUrl, requestedAt: begun.begunAt },
      })
      const reference = result.payment?.id ?? null
      if (result.status === 'declined') {
        await ctx.steps.recordDecline({ orderId, paymentId, code: result.code, reference })
        return ctx.fail('payment_declined', result.message, { declineCode: result.code, orderId, paymentId })
      }
      if (result.status === 'requires_action') {
        const { redirectUrl: url, clientSecret } = result
        const checkout = { url, ...(clientSecret !== null && { clientSecret }) }
        await ctx.steps.record({
          orderId,
          paymentId,
          status: 'requires_action',
          reference: result.payment.id,
          checkout,
        })
        return ctx.finish((tx) => waitForCustomer(tx, orderId, paymentId))
      }
      if (result.status === 'processing') {
        // The gateway will say by webhook; until then the order stays `processing`.
        await ctx.steps.record({ orderId, paymentId, status: 'processing', reference: result.payment.id })
        return ctx.finish(async (tx) => view((await getOrder(tx, orderId)).order))
      }
      await ctx.steps.record({ orderId, paymentId, status: 'captured', reference: result.payment.id })
      return complete()
    },
  })
}

/** What the customer's browser needs of the gateway's page. */
function pageOf({ id, url, fields, expiresAt }: Checkout): CheckoutPage {
  return { id, url, ...(fields && { fields }), ...(expiresAt !== null && { expiresAt }) }
}

/** Where no money can have moved, an answer that does not come is the gateway's trouble and nobody's doubt. */
async function reached<T>(call: Promise<T>): Promise<T> {
  try {
    return await call
  } catch (cause) {
    if (!isSafepointError(cause) || cause.code !== 'indeterminate') throw cause
    throw refuse('gateway_unavailable', 'The payment gateway cannot be reached.', { cause })
  }
}

/** The customer has to act: on the gateway's page, or on the bank's. */
async function waitForCustomer(
  tx: SqlTransaction,
  orderId: string,
  paymentId: string,
  page?: CheckoutPage,
): Promise<OrderAndPayment> {
  const found = mustFind(await lockOrder(tx, orderId))
  if (found.order.payment?.status !== 'requires_action') {
    await mustMovePayment(tx, paymentId, ['created', 'processing'], 'requires_action', { checkout: page })
  }
  if (found.order.status === 'processing') {
    await moveOrder(tx, orderId, 'processing', [
      { to: 'failed', reason: 'action_required' },
      { to: 'awaiting_payment', reason: 'action_required' },
    ])
    await restoreHold(tx, found)
  }
  announce(tx, orderTopic(orderId))
  return view((await getOrder(tx, orderId)).order)
}

function view(order: Order): OrderAndPayment {
  const { payment } = order
  if (!payment) throw new Error(`Order ${order.id} was confirmed and has no payment.`)
  return { order: viewOrder(order), payment: viewPayment(payment) }
}
