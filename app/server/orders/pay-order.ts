import { isSafepointError, refuse, type DurableContext, type SqlTransaction } from 'safepoint'
import { announce } from '../announce.ts'
import type { Enqueue } from '../jobs.ts'
import type { Checkout, CheckoutRequest } from '../payments/gateways/gateway.ts'
import { mustMovePayment, releaseCharge } from '../payments/move-payment.ts'
import type { CheckoutPage } from '../payments/payments.ts'
import { settleLater } from '../payments/settle-later.ts'
import { mustFind } from './cancel-order.ts'
import { completeOrder, restoreHold } from './complete-order.ts'
import type { Begun, ConfirmRequest, PaymentSteps, Plan } from './confirm-steps.ts'
import { mailConfirmation } from './order-mails.ts'
import { getOrder, lockOrder, moveOrder } from './orders.queries.ts'
import { orderTopic, type Order } from './orders.ts'

type PayContext = Pick<DurableContext<SqlTransaction, PaymentSteps>, 'steps' | 'finish' | 'operationId' | 'actor'>

/** How a run that pays an order goes on and ends; `view` makes its answer of the order as it is then. */
export interface Paying<View> {
  readonly request: ConfirmRequest
  readonly publicUrl: () => string
  readonly enqueue: Enqueue
  readonly view: (order: Order) => View
}

/** When a payment without a page's end is looked at by the shop itself, in milliseconds. */
const firstLook = 60_000

/** From the plan to its end, or to a payment that has begun and that nothing was asked of the gateway for. */
export async function followPlan<View>(ctx: PayContext, plan: Plan, paying: Paying<View>) {
  if (plan.plan === 'new') return { begun: plan }
  const { request, view } = paying
  const { orderId } = request
  if (plan.plan === 'paid') return { end: ctx.finish(async (tx) => view((await getOrder(tx, orderId)).order)) }
  const { paymentId, payment, close } = plan
  const waiting = await reached(ctx.steps.settleWaiting({ payment, close }))
  if (waiting.state === 'paid') {
    const { reference, captured } = waiting
    await ctx.steps.record({ orderId, paymentId, status: 'captured', reference, captured })
    return { end: complete(ctx, paying) }
  }
  if (waiting.state === 'open') return { end: ctx.finish((tx) => waitForCustomer(tx, ctx, paymentId, paying)) }
  return { begun: await ctx.steps.replace({ ...request, closed: paymentId, pageOpen: waiting.pageOpen }) }
}

/** Opens the gateway's page; the order waits for what the customer does there. */
export async function payOnPage<View>(ctx: PayContext, { paymentId, total, pageUntil }: Begun, paying: Paying<View>) {
  const { orderId, gateway } = paying.request
  const page: CheckoutRequest = {
    ...total,
    order: orderId,
    description: descriptionOf(orderId),
    successUrl: returnUrlOf(paying, paymentId),
    cancelUrl: returnUrlOf(paying, paymentId),
    webhookUrl: `${paying.publicUrl()}/api/payments/${gateway}-webhook`,
    expiresAt: pageUntil,
  }
  const opened = await reached(ctx.steps.openPage({ gateway, page }))
  return ctx.finish((tx) => waitForCustomer(tx, ctx, paymentId, paying, pageOf(opened)))
}

export const descriptionOf = (orderId: string): string => `Pantry order ${orderId}`

/** The customer's browser comes back here, whatever has happened; what has, is asked of the gateway. */
export const returnUrlOf = ({ publicUrl }: { readonly publicUrl: () => string }, paymentId: string): string =>
  `${publicUrl()}/api/payments/${paymentId}/return`

/** The money is here: the last transaction books the stock and queues the receipt. */
export const complete = <View>(ctx: PayContext, { request, view, enqueue }: Paying<View>) =>
  ctx.finish(async (tx) =>
    view(await completeOrder(tx, request.orderId, { operationId: ctx.operationId, actor: ctx.actor, enqueue })),
  )

/** The gateway does not know yet: the order stays `processing` until it says. */
export const waitForGateway = <View>(ctx: PayContext, paymentId: string, { request, view, enqueue }: Paying<View>) =>
  ctx.finish(async (tx) => {
    const { order, now } = mustFind(await lockOrder(tx, request.orderId))
    await releaseCharge(tx, enqueue, paymentId, ctx.operationId)
    await settleLater(tx, enqueue, paymentId, new Date(now.getTime() + firstLook))
    await mailConfirmation(tx, order)
    return view((await getOrder(tx, order.id)).order)
  })

/** The customer has to act: on the gateway's page, or on the bank's. */
export async function waitForCustomer<View>(
  tx: SqlTransaction,
  ctx: Pick<PayContext, 'operationId'>,
  paymentId: string,
  { request, view, enqueue }: Paying<View>,
  page?: CheckoutPage,
): Promise<View> {
  const { orderId } = request
  const found = mustFind(await lockOrder(tx, orderId))
  if (found.order.payment?.status !== 'requires_action') {
    await mustMovePayment(tx, paymentId, ['created', 'processing'], 'requires_action', { checkout: page })
  }
  await releaseCharge(tx, enqueue, paymentId, ctx.operationId)
  if (found.order.status === 'processing') {
    await moveOrder(tx, orderId, 'processing', [
      { to: 'failed', reason: 'action_required' },
      { to: 'awaiting_payment', reason: 'action_required' },
    ])
    await restoreHold(tx, found)
  }
  const end = page?.expiresAt === undefined ? found.order.reservedUntil : new Date(page.expiresAt)
  await settleLater(tx, enqueue, paymentId, new Date(end.getTime() + 1000))
  await mailConfirmation(tx, found.order)
  announce(tx, orderTopic(orderId))
  return view((await getOrder(tx, orderId)).order)
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
