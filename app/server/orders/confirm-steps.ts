import { conflict, refuse, transactionStep, type SqlTransaction } from 'safepoint'
import { announce } from '../announce.ts'
import type { Money } from '../catalog/money.ts'
import type { Enqueue } from '../jobs.ts'
import { assertOffered } from '../payments/gateway-calls.ts'
import { chargeSteps, pageSteps } from '../payments/gateway-steps.ts'
import { movePayment, mustMovePayment, openPayment, releaseCharge, takeCharge } from '../payments/move-payment.ts'
import type { OfferedGateways } from '../payments/offered-gateways.ts'
import { atGateway, type CheckoutPage, type GatewayPayment, type Run } from '../payments/payments.ts'
import { settleLater } from '../payments/settle-later.ts'
import { mustFind } from './cancel-order.ts'
import { holdStock, restoreHold } from './complete-order.ts'
import { mailPaymentFailed } from './order-mails.ts'
import { getOrder, lockOrder, moveOrder, renewReservedUntil, type OrderMove, type OrderNow } from './orders.queries.ts'
import { decideConfirm, orderTopic, type Order } from './orders.ts'

export interface ConfirmRequest {
  readonly orderId: string
  readonly accountId: string
  readonly gateway: string
  /** The customer pays on the gateway's page. */
  readonly hosted: boolean
  /** Of the run that asks. */
  readonly key: string
}

/** A payment that has begun: nothing is asked of the gateway yet. */
export interface Begun {
  readonly plan: 'new'
  readonly paymentId: string
  readonly total: Money
  readonly begunAt: string
  /** Until when the gateway's page is to be open. */
  readonly pageUntil: string
}

export type Plan =
  | Begun
  | { readonly plan: 'paid' }
  /** A page is open; it is looked at, or closed, before anything else. */
  | { readonly plan: 'waiting'; readonly paymentId: string; readonly payment: GatewayPayment; readonly close: boolean }

/** Of a plan, what taking it back needs to know. */
export type TakenBack = Pick<Begun, 'plan' | 'paymentId'>

/** While the outcome of a charge is not known its stock stays held; a human has looked long before this. */
const chargeHold = 30 * 24 * 3600_000
/** Stripe keeps a page open for half an hour at least. */
const shortestPage = 31 * 60_000

export interface ConfirmStepsOptions {
  readonly gateways: OfferedGateways
  /** How long stock is held for an unpaid order, in milliseconds. */
  readonly hold: number
  readonly enqueue: Enqueue
}

/** Begins an attempt to pay a locked order: its stock is held, its payment opened, and the run `by` is in charge of that. */
export async function beginPayment(
  tx: SqlTransaction,
  { order }: OrderNow,
  { gateway, hosted }: ConfirmRequest,
  { gateways, hold, by }: Omit<ConfirmStepsOptions, 'enqueue'> & { readonly by: Run },
): Promise<Begun> {
  assertOffered(gateways, gateway, { currency: order.total.currency })
  await renewReservedUntil(tx, order.id, hosted ? Math.max(hold, shortestPage) : hold)
  await holdStock(tx, order, hosted ? Math.max(hold, shortestPage) : chargeHold)
  await moveOrder(tx, order.id, order.status, pathToPayment(order, hosted))
  const payment = await openPayment(tx, {
    orderId: order.id,
    gateway,
    status: hosted ? 'created' : 'processing',
    ...order.total,
    handledBy: by,
  })
  announce(tx, orderTopic(order.id))
  const renewed = await getOrder(tx, order.id)
  const pageUntil = Math.max(renewed.order.reservedUntil.getTime(), payment.createdAt.getTime() + shortestPage)
  return {
    plan: 'new',
    paymentId: payment.id,
    total: order.total,
    begunAt: payment.createdAt.toISOString(),
    pageUntil: new Date(pageUntil).toISOString(),
  }
}

/** Claims an order for an attempt to pay it, by compare-and-set, and answers what that takes. */
export async function planPayment(
  tx: SqlTransaction,
  found: OrderNow,
  request: ConfirmRequest,
  options: ConfirmStepsOptions & { readonly by: Run },
): Promise<Plan> {
  const { order } = found
  const decision = decideConfirm(order, request, options.by.id)
  switch (decision.confirm) {
    case 'refused':
      if (decision.because === 'cancelled') throw refuse('order_cancelled', 'The order is cancelled.')
      throw conflict('A payment of this order is under way.', {
        retryAfterMs: 1000,
        details: { status: order.status },
      })
    case 'paid':
      return { plan: 'paid' }
    case 'waiting': {
      const { payment, close } = decision
      await takeCharge(tx, payment.id, options.by)
      await mustMovePayment(tx, payment.id, ['requires_action'], 'processing')
      return { plan: 'waiting', paymentId: payment.id, payment: atGateway(payment), close }
    }
    case 'start': {
      // The page of an attempt that was declined may still be open: it is closed, or what was paid there goes back.
      if (order.payment && order.payment.pageId !== undefined) await settleLater(tx, options.enqueue, order.payment.id)
      return beginPayment(tx, found, request, options)
    }
  }
}

/**
 * Takes an attempt back: its payment is void, or refunded when it was recorded as captured, and what still comes of it goes
 * back; the order can be confirmed again.
 */
export async function takePlanBack(
  tx: SqlTransaction,
  enqueue: Enqueue,
  { orderId, plan, by }: { readonly orderId: string; readonly plan: Plan | TakenBack; readonly by: string },
): Promise<void> {
  if (plan.plan === 'paid') return
  const found = mustFind(await lockOrder(tx, orderId))
  const { paymentId } = plan
  const refunded = await movePayment(tx, paymentId, ['refunding'], 'refunded', {
    refunded: found.order.payment?.captured,
  })
  if (!refunded && plan.plan === 'waiting') await movePayment(tx, paymentId, ['processing'], 'requires_action')
  if (!refunded && plan.plan === 'new')
    await movePayment(tx, paymentId, ['created', 'processing', 'requires_action'], 'voided', { unwanted: true })
  if (found.order.status === 'processing') {
    await moveOrder(tx, orderId, 'processing', [
      { to: 'failed', reason: 'attempt_undone' },
      { to: 'awaiting_payment', reason: 'reopened' },
    ])
  }
  await releaseCharge(tx, enqueue, paymentId, by)
  await restoreHold(tx, found)
  announce(tx, orderTopic(orderId))
}

/** What comes after the plan, wherever it was made: of `order.confirm` and of `payment.create-from-cart`. */
export function paymentSteps(options: ConfirmStepsOptions) {
  const { gateways, enqueue } = options
  return {
    ...pageSteps(gateways),

    /** The page that was open is closed: its payment is void, and the one that is wanted begins. */
    replace: transactionStep<ConfirmRequest & { readonly closed: string; readonly pageOpen: boolean }, Begun>({
      run: async (tx, request, { operationId: id, scope }) => {
        const by = { id, scope, key: request.key }
        const found = mustFind(await lockOrder(tx, request.orderId))
        await mustMovePayment(tx, request.closed, ['processing'], 'voided', { pageOpen: request.pageOpen })
        await releaseCharge(tx, enqueue, request.closed, id)
        // Should money have come there all the same, this finds it.
        await settleLater(tx, enqueue, request.closed)
        return beginPayment(tx, found, request, { ...options, by })
      },
      undo: (tx, { request: { orderId }, response: plan }, { operationId: by }) =>
        takePlanBack(tx, enqueue, { orderId, plan, by }),
    }),

    /** Writes down what the gateway answered, before anything is built on it. */
    record: transactionStep<
      {
        readonly orderId: string
        readonly paymentId: string
        readonly status: 'captured' | 'requires_action' | 'processing'
        readonly reference: string
        readonly captured?: number
        readonly checkout?: CheckoutPage
      },
      null
    >({
      run: async (tx, { orderId, paymentId, status, reference, captured, checkout }) => {
        const { order } = mustFind(await lockOrder(tx, orderId))
        await mustMovePayment(tx, paymentId, ['processing'], status, {
          gatewayReference: reference,
          captured,
          checkout,
        })
        if (order.status === 'awaiting_payment')
          await moveOrder(tx, orderId, order.status, [{ to: 'processing', reason: 'page_paid' }])
        announce(tx, orderTopic(orderId))
        return null
      },
      undo: async (tx, { request }) => {
        await lockOrder(tx, request.orderId)
        await movePayment(tx, request.paymentId, ['captured'], 'refunding')
      },
    }),

    recordDecline: transactionStep<
      {
        readonly orderId: string
        readonly paymentId: string
        readonly code: string
        readonly reference: string | null
      },
      null
    >({
      run: async (tx, { orderId, paymentId, code, reference }, { operationId }) => {
        const found = mustFind(await lockOrder(tx, orderId))
        await mustMovePayment(tx, paymentId, ['processing'], 'failed', {
          declineCode: code,
          ...(reference !== null && { gatewayReference: reference }),
        })
        await releaseCharge(tx, enqueue, paymentId, operationId)
        await moveOrder(tx, orderId, 'processing', [{ to: 'failed', reason: 'declined' }])
        await restoreHold(tx, found)
        await mailPaymentFailed(tx, found.order, { id: paymentId })
        announce(tx, orderTopic(orderId))
        return null
      },
      keep: 'An attempt that was declined stays in the history of its order; nothing was taken.',
    }),
  }
}

export type PaymentSteps = ReturnType<typeof paymentSteps>

export function confirmSteps(options: ConfirmStepsOptions) {
  return {
    /** Claims the order for this attempt, and writes its payment. */
    prepare: transactionStep<ConfirmRequest, Plan>({
      run: async (tx, request, { operationId: id, scope }) =>
        planPayment(tx, mustFind(await lockOrder(tx, request.orderId, request.accountId)), request, {
          ...options,
          by: { id, scope, key: request.key },
        }),
      undo: (tx, { request: { orderId }, response: plan }, { operationId: by }) =>
        takePlanBack(tx, options.enqueue, { orderId, plan, by }),
    }),
    ...paymentSteps(options),
    ...chargeSteps(options.gateways),
  }
}

/** To `processing` for a charge, to `awaiting_payment` for a page. */
function pathToPayment(order: Order, hosted: boolean): OrderMove[] {
  const path: OrderMove[] = []
  if (order.status !== 'awaiting_payment')
    path.push({ to: 'awaiting_payment', reason: hosted ? 'page_opened' : 'confirming' })
  if (!hosted) path.push({ to: 'processing', reason: 'charge_begun' })
  return path
}
