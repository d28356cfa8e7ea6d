import type { Money } from '../catalog/money.ts'
import { refuse } from 'safepoint'
import type { AddressFields } from '../addresses/addresses.ts'
import type { ShortLine } from '../inventory/inventory.ts'
import { isLive, type Payment, type Run } from '../payments/payments.ts'

export const orderStatuses = [
  'pending',
  'awaiting_payment',
  'processing',
  'payment_verified',
  'completed',
  'failed',
  'error',
  'cancelled',
] as const

export type OrderStatus = (typeof orderStatuses)[number]

/**
 * The moves of an order, as data. The trigger `order_move` enforces the same; a test compares the two.
 *
 * `failed` means declined, `error` our own fault; while the outcome of a charge is unknown an order stays `processing`.
 * Whatever needs two of these moves makes both, in one transaction, with a history row each.
 */
export const orderMoves: Readonly<Record<OrderStatus, readonly OrderStatus[]>> = {
  pending: ['awaiting_payment', 'cancelled'],
  awaiting_payment: ['processing', 'failed', 'cancelled'],
  processing: ['payment_verified', 'failed', 'error'],
  payment_verified: ['completed', 'error'],
  completed: ['cancelled'],
  failed: ['awaiting_payment', 'processing'],
  error: ['processing', 'cancelled'],
  cancelled: [],
}

/** Why an order is where it is, as its history tells it. The customer's own words go into `note`. */
export type OrderReason =
  | 'placed'
  | 'confirming'
  | 'page_opened'
  | 'charge_begun'
  | 'page_paid'
  | 'action_required'
  | 'declined'
  /** A confirmation was taken back; the order can be confirmed again. */
  | 'attempt_undone'
  | 'reopened'
  | 'captured'
  | 'booked'
  /** Paid, and what was reserved had gone to somebody else: the money goes back. */
  | 'out_of_stock'
  /** Not what was asked for was paid: it goes back. */
  | 'wrong_amount'
  /** The gateway gave the payment up; nothing was taken. */
  | 'payment_ended'
  | 'shipped'
  | 'partly_refunded'
  | 'refunded'
  /** What had been counted as given back has come back to us. */
  | 'refund_failed'
  /** The customer's bank doubts the payment, and what came of it. Told to administrators only. */
  | 'dispute_opened'
  | 'dispute_won'
  | 'dispute_lost'
  | 'dispute_closed'
  /** What a human says of a refund whose outcome nobody could tell. */
  | 'refund_confirmed'
  | 'refund_not_made'
  | 'customer_cancel'
  | 'undone'
  | 'expired'

export interface OrderLine {
  readonly id: string
  readonly productId: string
  readonly variantId: string
  readonly name: string
  readonly quantity: number
  readonly unitPrice: Money
  readonly totalPrice: Money
}

/** An address as it was when the order was placed. */
export type AddressSnapshot = AddressFields

export interface Order {
  readonly id: string
  readonly accountId: string
  readonly cartId: string
  readonly status: OrderStatus
  readonly reason: OrderReason
  readonly note: string | undefined
  readonly fulfilment: 'none' | 'shipped'
  readonly version: number
  readonly total: Money
  readonly lines: readonly OrderLine[]
  readonly shippingAddress: AddressSnapshot
  readonly billingAddress: AddressSnapshot
  /** Until when stock is held for it while it is unpaid. */
  readonly reservedUntil: Date
  /** The run that is giving money back: until it has ended nobody else may pay, ship or cancel the order. */
  readonly closingBy: string | undefined
  /** That run, as the engine knows it. */
  readonly closingRun: Run | undefined
  /** The live payment, else the latest. */
  readonly payment: Payment | undefined
  readonly createdAt: Date
  readonly updatedAt: Date
}

export interface OrderChange {
  readonly from: OrderStatus | null
  readonly to: OrderStatus
  readonly reason: OrderReason
  readonly note: string | undefined
  /** The account that made it; `undefined`: the shop itself. */
  readonly actor: string | undefined
  readonly at: Date
}

/** The statuses in which nothing has been taken for an order, so that its reservation may run out. */
export const unpaidStatuses: readonly OrderStatus[] = ['pending', 'awaiting_payment', 'failed']

/** A charge may be under way or its outcome unknown. */
const undecided: readonly OrderStatus[] = ['processing', 'payment_verified']

export type CancelDecision =
  | { readonly cancel: 'done' }
  /** No money is involved: one transaction. */
  | { readonly cancel: 'at-once' }
  /** A payment page is open, or money was taken: the gateway has to give it up first. */
  | { readonly cancel: 'return-money'; readonly payment: Payment }
  | { readonly cancel: 'refused'; readonly because: 'shipped' | 'payment_under_way' | 'payment_disputed' }

/** What cancelling the order takes. `by` is the run that asks: what it has closed itself is open to it. */
export function decideCancel(order: Order, by?: string): CancelDecision {
  if (order.status === 'cancelled') return { cancel: 'done' }
  if (order.fulfilment === 'shipped') return { cancel: 'refused', because: 'shipped' }
  if (order.closingBy !== undefined && order.closingBy !== by)
    return { cancel: 'refused', because: 'payment_under_way' }
  if (undecided.includes(order.status)) return { cancel: 'refused', because: 'payment_under_way' }
  const { payment } = order
  if (payment?.handledBy !== undefined && payment.handledBy !== by)
    return { cancel: 'refused', because: 'payment_under_way' }
  if (payment === undefined || !isLive(payment)) return { cancel: 'at-once' }
  if (payment.status === 'created' || payment.status === 'processing')
    return { cancel: 'refused', because: 'payment_under_way' }
  // The customer's bank holds it, or has given it back: twice is not for us. What a run has closed it ends all the same.
  if (payment.disputed > 0 && (by === undefined || order.closingBy !== by))
    return { cancel: 'refused', because: 'payment_disputed' }
  return { cancel: 'return-money', payment }
}

/** Whether an unpaid order's reservation has run out at `now`: then it is cancelled as `expired`, whoever asks. */
export function isExpired(order: Pick<Order, 'status' | 'reservedUntil'>, now: Date): boolean {
  return unpaidStatuses.includes(order.status) && order.reservedUntil <= now
}

/** The way to `cancelled`. From `failed` it leads over the state in which another attempt could have been made. */
export function pathToCancelled(from: OrderStatus): readonly OrderStatus[] {
  return from === 'failed' ? ['awaiting_payment', 'cancelled'] : ['cancelled']
}

export type ConfirmDecision =
  /** Paid already: the same answer again. */
  | { readonly confirm: 'paid' }
  /** A page is open. It is offered again, or closed when another way to pay is wanted: both must not be paid. */
  | { readonly confirm: 'waiting'; readonly payment: Payment; readonly close: boolean }
  | { readonly confirm: 'start' }
  | { readonly confirm: 'refused'; readonly because: 'cancelled' | 'payment_under_way' }

/** What confirming the order takes. `by` is the run that asks. */
export function decideConfirm(
  order: Order,
  wish: { readonly gateway: string; readonly hosted: boolean },
  by?: string,
): ConfirmDecision {
  if (order.status === 'cancelled') return { confirm: 'refused', because: 'cancelled' }
  const { payment } = order
  if (order.status === 'completed' && payment?.status === 'captured') return { confirm: 'paid' }
  const open = order.status === 'pending' || order.status === 'awaiting_payment' || order.status === 'failed'
  if (!open || order.closingBy !== undefined) return { confirm: 'refused', because: 'payment_under_way' }
  if (payment?.handledBy !== undefined && payment.handledBy !== by)
    return { confirm: 'refused', because: 'payment_under_way' }
  if (payment === undefined || !isLive(payment)) return { confirm: 'start' }
  if (payment.status !== 'requires_action') return { confirm: 'refused', because: 'payment_under_way' }
  return { confirm: 'waiting', payment, close: !(wish.hosted && payment.gateway === wish.gateway) }
}

/** The way to `processing` for an order whose money is here; from `failed` it is a late capture. */
export function pathToProcessing(from: OrderStatus): readonly OrderStatus[] {
  if (from === 'processing') return []
  return from === 'pending' ? ['awaiting_payment', 'processing'] : ['processing']
}

/** Whose keys the shop's own operations have. */
export const shopScope = 'shop'

/** What watchers of an order listen for. */
export const orderTopic = (orderId: string): string => `order:${orderId}`

/** 409, not retryable: `items` says what is short and what of it can be had. */
export function outOfStock(
  short: readonly ShortLine[],
  lines: readonly { readonly variantId: string; readonly productId: string; readonly name: string }[],
) {
  const items = short.map(({ variantId, quantity, available }) => {
    const line = lines.find((one) => one.variantId === variantId)
    return { productId: line?.productId, variantId, name: line?.name, requested: quantity, available }
  })
  // Said at the first try, too; the engine counts further ones.
  return refuse('out_of_stock', 'There is not enough of it any more.', { attempts: 1, details: { items } })
}
