import { conflict, defineOperation, refuse, transactionStep, type DurableContext, type SqlTransaction } from 'safepoint'
import { announce } from '../announce.ts'
import { accountOf } from '../accounts/accounts.ts'
import { isId } from '../http.ts'
import { releaseStock, returnStock } from '../inventory/settle-reservation.ts'
import { gatewaySteps, type GatewayPayment } from '../payments/gateway-steps.ts'
import type { OfferedGateways } from '../payments/offered-gateways.ts'
import { movePayment, mustMovePayment } from '../payments/move-payment.ts'
import type { Payment } from '../payments/payments.ts'
import { putLinesBack } from './cart-of-order.queries.ts'
import { closeOrder, findOrder, getOrder, lockOrder, moveOrder, reopenOrder, type OrderNow } from './orders.queries.ts'
import { decideCancel, isExpired, orderTopic, pathToCancelled, type Order, type OrderReason } from './orders.ts'
import { cancelOrderInput, viewOrder, type OrderView } from './orders.schema.ts'

interface CancelRequest {
  readonly orderId: string
  /** Whose order it has to be; absent where the shop itself asks. */
  readonly accountId?: string | undefined
  /** `expired` cancels nothing but an order whose time is up. */
  readonly reason: OrderReason
  readonly note?: string | undefined
}

/** What `claim` found: the money to return, or none. */
type Claim = { readonly payment: GatewayPayment & { readonly paymentId: string } } | { readonly payment: null }

export type CancelSteps = ReturnType<typeof cancelSteps>

/** The steps of everything that cancels an order: of `order.cancel`, of `order.expire`, and of the undo of an order. */
export function cancelSteps(gateways: OfferedGateways) {
  return {
    /** Where money has to come back: closes the order for everybody else until it has. */
    claim: transactionStep<CancelRequest, Claim>({
      run: async (tx, request, { operationId }) => {
        const found = await lockOrder(tx, request.orderId, request.accountId)
        const { order } = mustFind(found)
        if (request.reason === 'expired' && !isExpired(order, found!.now)) return { payment: null }
        const decision = mayCancel(order, operationId)
        if (decision.cancel !== 'return-money') return { payment: null }
        const { payment } = decision
        await closeOrder(tx, order.id, operationId)
        await movePayment(tx, payment.id, ['captured'], 'refunding')
        announce(tx, orderTopic(order.id))
        return { payment: { ...atGateway(payment), paymentId: payment.id } }
      },
      undo: async (tx, { request, response }, { operationId }) => {
        await lockOrder(tx, request.orderId)
        if (response.payment) await movePayment(tx, response.payment.paymentId, ['refunding'], 'captured')
        await reopenOrder(tx, request.orderId, operationId)
        announce(tx, orderTopic(request.orderId))
      },
    }),
    returnMoney: gatewaySteps(gateways).returnMoney,
  }
}

/** What a payment is known by where its money is. */
export function atGateway(payment: Payment): GatewayPayment {
  return {
    gateway: payment.gateway,
    orderId: payment.orderId,
    amount: payment.amount.amount,
    ...(payment.gatewayReference !== undefined && { reference: payment.gatewayReference }),
    ...(payment.status === 'requires_action' && payment.checkout?.id !== undefined && { pageId: payment.checkout.id }),
  }
}

export async function runCancel(ctx: DurableContext<SqlTransaction, CancelSteps>, request: CancelRequest) {
  // Without money to return there is no step, so that a refusal leaves the key free.
  const { payment } = (await ctx.read((tx) => moneyToReturn(tx, request, ctx.operationId)))
    ? await ctx.steps.claim(request)
    : { payment: null }
  const reversal = payment ? await ctx.steps.returnMoney(payment) : undefined
  return ctx.finish<OrderView>(async (tx) => {
    const found = mustFind(await lockOrder(tx, request.orderId, request.accountId))
    const { order } = found
    if (request.reason === 'expired' && !reversal && !isExpired(order, found.now)) return viewOrder(order)
    const decision = mayCancel(order, ctx.operationId)
    if (decision.cancel === 'done') return viewOrder(order)
    if (decision.cancel === 'return-money') {
      // It was opened, or paid, since the claim: the claim has to be made again.
      if (!payment || !reversal) throw conflict('A payment of this order has just begun.', { retryAfterMs: 1000 })
      await settleReturned(tx, decision.payment, reversal.status === 'refunded')
    }
    const sold = order.status === 'completed'
    const reason = isExpired(order, found.now) ? 'expired' : request.reason
    await reopenOrder(tx, order.id, ctx.operationId)
    await moveOrder(
      tx,
      order.id,
      order.status,
      pathToCancelled(order.status).map((to) => ({ to, reason, note: request.note })),
    )
    // Locks the cart before the stock, as placing does. What was bought and cancelled is not wanted; what is undone never was.
    if (!sold || reason === 'undone') await putLinesBack(tx, order.accountId, order.lines)
    if (sold)
      await returnStock(tx, {
        orderId: order.id,
        lines: order.lines,
        operationId: ctx.operationId,
        actor: ctx.actor ?? 'shop',
      })
    else await releaseStock(tx, { orderId: order.id })
    announce(tx, orderTopic(order.id))
    return viewOrder((await getOrder(tx, order.id)).order)
  })
}

/** Only a hint: the claim, and the last transaction, decide under the order's lock. */
async function moneyToReturn(tx: SqlTransaction, request: CancelRequest, operationId: string): Promise<boolean> {
  const { order } = mustFind(await findOrder(tx, request.orderId, request.accountId))
  return mayCancel(order, operationId).cancel === 'return-money'
}

/** A page on which nobody paid is `voided`; whatever was taken has been given back, and its payment went that way. */
async function settleReturned(tx: SqlTransaction, payment: Payment, refunded: boolean): Promise<void> {
  if (payment.status === 'requires_action' && !refunded)
    return mustMovePayment(tx, payment.id, ['requires_action'], 'voided')
  if (payment.status === 'requires_action') {
    await mustMovePayment(tx, payment.id, ['requires_action'], 'captured')
    await mustMovePayment(tx, payment.id, ['captured'], 'refunding')
  }
  await mustMovePayment(tx, payment.id, ['refunding'], 'refunded')
}

/** Throws `order_shipped`, and `conflict` while a payment is under way. */
function mayCancel(order: Order, operationId: string) {
  const decision = decideCancel(order, operationId)
  if (decision.cancel !== 'refused') return decision
  if (decision.because === 'shipped') throw refuse('order_shipped', 'The order is on its way already.')
  throw conflict('A payment of this order is under way; its outcome decides.', {
    retryAfterMs: 1000,
    details: { status: order.status },
  })
}

export function mustFind(found: OrderNow | undefined): OrderNow {
  if (!found) throw noSuchOrder()
  return found
}

export const noSuchOrder = () => refuse('order_not_found', 'There is no such order.')

/** Releases the stock, and voids or refunds what was or could be paid. */
export function cancelOrder({ gateways }: { readonly gateways: OfferedGateways }) {
  return defineOperation({
    name: 'order.cancel',
    input: cancelOrderInput,
    errors: {
      order_not_found: 'There is no such order of this account.',
      order_shipped: 'The order is on its way; it can be sent back, not cancelled.',
      payment_refused: 'The payment gateway turned the refund down; nothing was done.',
    },
    onDisconnect: 'finish',
    onCancel: 'A cancellation is not itself cancelled: money may be on its way back already.',
    uncancellable: 'A cancellation is not itself cancelled: money may be on its way back already. Order again instead.',
    keep: 'Money that was given back is not taken again, and released stock may be somebody else’s: order again instead.',
    // As long as a gateway may be away.
    deadline: 24 * 3600_000,
    steps: cancelSteps(gateways),
    run: async (ctx, input) => {
      const accountId = accountOf(ctx.scope)
      if (!isId(input.id)) throw noSuchOrder()
      return runCancel(ctx, { orderId: input.id, accountId, reason: 'customer_cancel', note: input.reason })
    },
  })
}
