import { conflict, defineOperation, refuse, transactionStep, type DurableContext, type SqlTransaction } from 'safepoint'
import { announce } from '../announce.ts'
import { accountOf } from '../accounts/accounts.ts'
import { isId } from '../http.ts'
import type { Enqueue } from '../jobs.ts'
import { releaseStock, returnStock } from '../inventory/settle-reservation.ts'
import { lookSteps, returnSteps, stepOf } from '../payments/gateway-steps.ts'
import type { GatewayName } from '../payments/gateways/gateway.ts'
import type { OfferedGateways } from '../payments/offered-gateways.ts'
import { movePayment } from '../payments/move-payment.ts'
import { atGateway, type GatewayPayment } from '../payments/payments.ts'
import { settleLater } from '../payments/settle-later.ts'
import { putLinesBack } from './cart-of-order.queries.ts'
import { closeOrder, reopenOrder } from './close-order.ts'
import { findOrder, getOrder, lockOrder, moveOrder, type OrderNow } from './orders.queries.ts'
import { decideCancel, isExpired, orderTopic, pathToCancelled, type Order, type OrderReason } from './orders.ts'
import { cancelOrderInput, viewOrder, type OrderView } from './orders.schema.ts'
import { settleReturned, type Returned } from './settle-returned.ts'

interface CancelRequest {
  readonly orderId: string
  /** Whose order it has to be; absent where the shop itself asks. */
  readonly accountId?: string | undefined
  /** `expired` cancels nothing but an order whose time is up. */
  readonly reason: OrderReason
  readonly note?: string | undefined
}

/** As the claim is recorded: with the key of its run. */
type CancelClaim = CancelRequest & { readonly key: string }

export interface CancelOptions {
  readonly gateways: OfferedGateways
  readonly enqueue: Enqueue
}

/** What `claim` found: the money to return, or none. */
type Claim = { readonly payment: GatewayPayment & { readonly paymentId: string } } | { readonly payment: null }

export type CancelSteps = ReturnType<typeof cancelSteps>

/** The steps of everything that cancels an order: of `order.cancel`, of `order.expire`, and of the undo of an order. */
export function cancelSteps({ gateways, enqueue }: CancelOptions) {
  return {
    /** Where money has to come back: closes the order for everybody else until it has. */
    claim: transactionStep<CancelClaim, Claim>({
      run: async (tx, request, { operationId, scope }) => {
        const found = await lockOrder(tx, request.orderId, request.accountId)
        const { order } = mustFind(found)
        if (request.reason === 'expired' && !isExpired(order, found!.now)) return { payment: null }
        const decision = mayCancel(order, operationId)
        if (decision.cancel !== 'return-money') return { payment: null }
        const { payment } = decision
        await closeOrder(tx, order.id, { id: operationId, scope, key: request.key })
        await movePayment(tx, payment.id, ['captured'], 'refunding')
        announce(tx, orderTopic(order.id))
        return { payment: { ...atGateway(payment), paymentId: payment.id } }
      },
      undo: async (tx, { request, response }, { operationId }) => {
        await lockOrder(tx, request.orderId)
        await reopenOrder(tx, enqueue, request.orderId, operationId)
        if (response.payment) {
          const { paymentId } = response.payment
          await movePayment(tx, paymentId, ['refunding'], 'captured')
          // A refund that we gave up on may arrive all the same.
          await settleLater(tx, enqueue, paymentId)
        }
        announce(tx, orderTopic(request.orderId))
      },
    }),
    closePage: lookSteps(gateways).closePage,
    ...returnSteps(gateways),
  }
}

/**
 * A page is closed first, which may be done again at any time: on one that nobody has paid there is nothing to give back, and
 * so nothing that a process could die over and leave in doubt.
 */
async function returnMoney(
  ctx: DurableContext<SqlTransaction, CancelSteps>,
  payment: GatewayPayment,
): Promise<Returned> {
  if (payment.pageId !== undefined) {
    const page = await ctx.steps.closePage(payment)
    if (page.state === 'gone') return { status: 'nothing_taken', pageOpen: page.pageOpen }
  }
  return ctx.steps[stepOf('returnMoney', payment.gateway as GatewayName)](payment)
}

export async function runCancel(
  ctx: DurableContext<SqlTransaction, CancelSteps>,
  enqueue: Enqueue,
  request: CancelRequest,
) {
  // Without money to return there is no step, so that a refusal leaves the key free.
  const { payment } = (await ctx.read((tx) => moneyToReturn(tx, request, ctx.operationId)))
    ? await ctx.steps.claim({ ...request, key: ctx.key })
    : { payment: null }
  const reversal = payment && (await returnMoney(ctx, payment))
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
    await reopenOrder(tx, enqueue, order.id, ctx.operationId)
    await endCancelled(tx, order, {
      reason: isExpired(order, found.now) ? 'expired' : request.reason,
      note: request.note,
      actor: ctx.actor,
      operationId: ctx.operationId,
    })
    announce(tx, orderTopic(order.id))
    return viewOrder((await getOrder(tx, order.id)).order)
  })
}

export interface Cancelling {
  readonly reason: OrderReason
  readonly note?: string | undefined
  readonly actor?: string | undefined
  readonly operationId: string
}

/** Cancels an order that has no money of anybody's any more: its stock is free, or comes back, and so do the lines of its cart. */
export async function endCancelled(tx: SqlTransaction, order: Order, by: Cancelling): Promise<void> {
  const { reason, note, actor, operationId } = by
  const sold = order.status === 'completed'
  const path = pathToCancelled(order.status)
  await moveOrder(
    tx,
    order.id,
    order.status,
    path.map((to) => ({ to, reason, note, actor })),
  )
  // Locks the cart before the stock, as placing does. What was bought and cancelled is not wanted; what is undone never was.
  if (!sold || reason === 'undone') await putLinesBack(tx, order.accountId, order.lines)
  const { id: orderId, lines } = order
  if (sold) await returnStock(tx, { orderId, lines, operationId, actor: actor ?? 'shop' })
  else await releaseStock(tx, { orderId })
}

/** Only a hint: the claim, and the last transaction, decide under the order's lock. */
async function moneyToReturn(tx: SqlTransaction, request: CancelRequest, operationId: string): Promise<boolean> {
  const { order } = mustFind(await findOrder(tx, request.orderId, request.accountId))
  return mayCancel(order, operationId).cancel === 'return-money'
}

/** Throws `order_shipped`, `payment_disputed`, and `conflict` while a payment is under way. */
function mayCancel(order: Order, operationId: string) {
  const decision = decideCancel(order, operationId)
  if (decision.cancel !== 'refused') return decision
  if (decision.because === 'shipped') throw refuse('order_shipped', 'The order is on its way already.')
  if (decision.because === 'payment_disputed') throw disputed()
  throw conflict('A payment of this order is under way; its outcome decides.', {
    retryAfterMs: 1000,
    details: { status: order.status },
  })
}

export function mustFind(found: OrderNow | undefined): OrderNow {
  if (!found) throw noSuchOrder()
  return found
}

/** What a bank holds, or has taken, is not given back as well. */
export const disputed = (details?: Readonly<Record<string, unknown>>) =>
  refuse('payment_disputed', 'The customer’s bank has this money under dispute.', { ...(details && { details }) })

export const noSuchOrder = () => refuse('order_not_found', 'There is no such order.')

/** Releases the stock, and voids or refunds what was or could be paid. */
export function cancelOrder(options: CancelOptions) {
  const { enqueue } = options
  return defineOperation({
    name: 'order.cancel',
    input: cancelOrderInput,
    errors: {
      order_not_found: 'There is no such order of this account.',
      order_shipped: 'The order is on its way; it can be sent back, not cancelled.',
      payment_disputed: 'The customer’s bank has the money under dispute: what comes of it is decided there.',
      payment_refused: 'The payment gateway turned the refund down; nothing was done.',
    },
    onDisconnect: 'finish',
    onCancel: 'A cancellation is not itself cancelled: money may be on its way back already.',
    uncancellable: 'A cancellation is not itself cancelled: money may be on its way back already. Order again instead.',
    keep: 'Money that was given back is not taken again, and released stock may be somebody else’s: order again instead.',
    // As long as a gateway may be away.
    deadline: 24 * 3600_000,
    undoOrder: 'ordered',
    steps: cancelSteps(options),
    run: async (ctx, input) => {
      const accountId = accountOf(ctx.scope)
      if (!isId(input.id)) throw noSuchOrder()
      return runCancel(ctx, enqueue, { orderId: input.id, accountId, reason: 'customer_cancel', note: input.reason })
    },
  })
}
