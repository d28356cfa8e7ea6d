import { conflict, refuse, transactionStep, type SqlTransaction } from 'safepoint'
import { announce } from '../announce.ts'
import type { Money } from '../catalog/money.ts'
import { assertOffered, gatewaySteps, type GatewayPayment } from '../payments/gateway-steps.ts'
import type { OfferedGateways } from '../payments/offered-gateways.ts'
import { openPayment, movePayment, mustMovePayment } from '../payments/move-payment.ts'
import type { CheckoutPage } from '../payments/payments.ts'
import { atGateway, mustFind } from './cancel-order.ts'
import { holdStock, restoreHold } from './complete-order.ts'
import { getOrder, lockOrder, moveOrder, renewReservedUntil, type OrderMove, type OrderNow } from './orders.queries.ts'
import { decideConfirm, orderTopic, type Order } from './orders.ts'

export interface ConfirmRequest {
  readonly orderId: string
  readonly accountId: string
  readonly gateway: string
  /** The customer pays on the gateway's page. */
  readonly hosted: boolean
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

/** While the outcome of a charge is not known its stock stays held; a human has looked long before this. */
const chargeHold = 30 * 24 * 3600_000
/** Stripe keeps a page open for half an hour at least. */
const shortestPage = 31 * 60_000

export function confirmSteps({ gateways, hold }: { readonly gateways: OfferedGateways; readonly hold: number }) {
  const begin = async (
    tx: SqlTransaction,
    { order }: OrderNow,
    { gateway, hosted }: ConfirmRequest,
  ): Promise<Begun> => {
    assertOffered(gateways, gateway, order.total.currency)
    await renewReservedUntil(tx, order.id, hosted ? Math.max(hold, shortestPage) : hold)
    await holdStock(tx, order, hosted ? Math.max(hold, shortestPage) : chargeHold)
    await moveOrder(tx, order.id, order.status, pathToPayment(order, hosted))
    const { amount, currency } = order.total
    const payment = await openPayment(tx, {
      orderId: order.id,
      gateway,
      status: hosted ? 'created' : 'processing',
      amount,
      currency,
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

  /** The attempt is over: its payment is void, or refunded when it was recorded as captured; the order can be confirmed again. */
  const takeBack = async (tx: SqlTransaction, orderId: string, plan: Plan): Promise<void> => {
    if (plan.plan === 'paid') return
    const found = mustFind(await lockOrder(tx, orderId))
    const refunded = await movePayment(tx, plan.paymentId, ['refunding'], 'refunded')
    if (!refunded && plan.plan === 'waiting') await movePayment(tx, plan.paymentId, ['processing'], 'requires_action')
    if (!refunded && plan.plan === 'new')
      await movePayment(tx, plan.paymentId, ['created', 'processing', 'requires_action'], 'voided')
    if (found.order.status === 'processing') {
      await moveOrder(tx, orderId, 'processing', [
        { to: 'failed', reason: 'attempt_undone' },
        { to: 'awaiting_payment', reason: 'reopened' },
      ])
    }
    await restoreHold(tx, found)
    announce(tx, orderTopic(orderId))
  }

  const { charge, openPage, settleWaiting } = gatewaySteps(gateways)
  return {
    /** Claims the order for this attempt, by compare-and-set, and writes its payment. */
    prepare: transactionStep<ConfirmRequest, Plan>({
      run: async (tx, request) => {
        const found = mustFind(await lockOrder(tx, request.orderId, request.accountId))
        const decision = decideConfirm(found.order, request)
        switch (decision.confirm) {
          case 'refused':
            if (decision.because === 'cancelled') throw refuse('order_cancelled', 'The order is cancelled.')
            throw conflict('A payment of this order is under way.', {
              retryAfterMs: 1000,
              details: { status: found.order.status },
            })
          case 'paid':
            return { plan: 'paid' }
          case 'waiting': {
            const { payment, close } = decision
            await mustMovePayment(tx, payment.id, ['requires_action'], 'processing')
            return { plan: 'waiting', paymentId: payment.id, payment: atGateway(payment), close }
          }
          case 'start':
            return begin(tx, found, request)
        }
      },
      undo: (tx, { request, response }) => takeBack(tx, request.orderId, response),
    }),

    settleWaiting,

    /** The page that was open is closed: its payment is void, and the one that is wanted begins. */
    replace: transactionStep<ConfirmRequest & { readonly closed: string }, Begun>({
      run: async (tx, request) => {
        const found = mustFind(await lockOrder(tx, request.orderId))
        await mustMovePayment(tx, request.closed, ['processing'], 'voided')
        return begin(tx, found, request)
      },
      undo: (tx, { request, response }) => takeBack(tx, request.orderId, response),
    }),

    charge,
    openPage,

    /** Writes down what the gateway answered, before anything is built on it. */
    record: transactionStep<
      {
        readonly orderId: string
        readonly paymentId: string
        readonly status: 'captured' | 'requires_action' | 'processing'
        readonly reference: string
        readonly checkout?: CheckoutPage
      },
      null
    >({
      run: async (tx, { orderId, paymentId, status, reference, checkout }) => {
        const { order } = mustFind(await lockOrder(tx, orderId))
        await mustMovePayment(tx, paymentId, ['processing'], status, { gatewayReference: reference, checkout })
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
      run: async (tx, { orderId, paymentId, code, reference }) => {
        const found = mustFind(await lockOrder(tx, orderId))
        await mustMovePayment(tx, paymentId, ['processing'], 'failed', {
          declineCode: code,
          ...(reference !== null && { gatewayReference: reference }),
        })
        await moveOrder(tx, orderId, 'processing', [{ to: 'failed', reason: 'declined' }])
        await restoreHold(tx, found)
        announce(tx, orderTopic(orderId))
        return null
      },
      keep: 'An attempt that was declined stays in the history of its order; nothing was taken.',
    }),
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
