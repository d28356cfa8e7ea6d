import { conflict, defineOperation, refuse, transactionStep, type DurableContext, type SqlTransaction } from 'safepoint'
import { announce } from '../announce.ts'
import { accountOf } from '../accounts/accounts.ts'
import { isId } from '../http.ts'
import { releaseStock, returnStock } from '../inventory/settle-reservation.ts'
import { returnSteps, stepOf } from '../payments/gateway-steps.ts'
import type { GatewayName, Reversal } from '../payments/gateways/gateway.ts'
import type { OfferedGateways } from '../payments/offered-gateways.ts'
import { movePayment, mustMovePayment } from '../payments/move-payment.ts'
import { atGateway, type GatewayPayment, type Payment } from '../payments/payments.ts'
import { putLinesBack } from './cart-of-order.queries.ts'
import { mailRefund } from './order-mails.ts'
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
    ...returnSteps(gateways),
  }
}

export async function runCancel(ctx: DurableContext<SqlTransaction, CancelSteps>, request: CancelRequest) {
  // Without money to return there is no step, so that a refusal leaves the key free.
  const { payment } = (await ctx.read((tx) => moneyToReturn(tx, request, ctx.operationId)))
    ? await ctx.steps.claim(request)
    : { payment: null }
  const reversal = payment && (await ctx.steps[stepOf('returnMoney', payment.gateway as GatewayName)](payment))
  return ctx.finish<OrderView>(async (tx) => {
    const found = mustFind(await lockOrder(tx, request.orderId, request.accountId))
    const { order } = found
    if (request.reason === 'expired' && !reversal && !isExpired(order, found.now)) return viewOrder(order)
    const decision = mayCancel(order, ctx.operationId)
    if (decision.cancel === 'done') return viewOrder(order)
    if (decision.cancel === 'return-money') {
      // It was opened, or paid, since the claim: the claim has to be made again.
      if (!payment || !reversal) throw conflict('A payment of this order has just begun.', { retryAfterMs: 1000 })
      await settleReturned(tx, order, decision.payment, reversal)
    }
    const sold = order.status === 'completed'
    const reason = isExpired(order, found.now) ? 'expired' : request.reason
    await reopenOrder(tx, order.id, ctx.operationId)
    await moveOrder(
      tx,
      order.id,
      order.status,
      pathToCancelled(order.status).map((to) => ({ to, reason, note: request.note, actor: ctx.actor })),
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

/** What `returnMoney` answers. */
export type Returned = Reversal & { readonly pageOpen?: boolean }

/** A page on which nobody paid is `voided`; whatever was taken has been given back, and its payment went that way. */
export async function settleReturned(
  tx: SqlTransaction,
  order: Pick<Order, 'id' | 'accountId'>,
  payment: Payment,
  reversal: Returned,
  { unwanted = false }: { readonly unwanted?: boolean } = {},
): Promise<void> {
  const { id, status, amount } = payment
  const taken = status === 'captured' || status === 'refunding'
  if (!taken && reversal.status !== 'refunded') {
    const pageOpen = reversal.status === 'nothing_taken' && reversal.pageOpen === true
    if (status !== 'voided' && status !== 'failed') await mustMovePayment(tx, id, [status], 'voided', { pageOpen })
    return
  }
  const captured = reversal.status === 'refunded' ? reversal.payment.captured : payment.captured
  const details = {
    captured,
    ...(unwanted && { unwanted }),
    ...(reversal.status === 'refunded' && { gatewayReference: reversal.payment.id }),
  }
  if (!taken) await mustMovePayment(tx, id, [status], 'captured', details)
  if (status !== 'refunding') await mustMovePayment(tx, id, ['captured'], 'refunding')
  await mustMovePayment(tx, id, ['refunding'], 'refunded', { captured, refunded: captured })
  await mailRefund(tx, order, {
    paymentId: id,
    amount: { amount: captured - payment.refunded, currency: amount.currency },
  })
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
    undoOrder: 'ordered',
    steps: cancelSteps(gateways),
    run: async (ctx, input) => {
      const accountId = accountOf(ctx.scope)
      if (!isId(input.id)) throw noSuchOrder()
      return runCancel(ctx, { orderId: input.id, accountId, reason: 'customer_cancel', note: input.reason })
    },
  })
}
