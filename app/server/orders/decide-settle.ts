import { isLive, isWaiting, type Payment } from '../payments/payments.ts'
import { isExact, type Standing } from '../payments/standing.ts'
import type { Order } from './orders.ts'

export type SettleDecision =
  /** As things stand, there is nothing to do. */
  | { readonly settle: 'nothing' }
  /** The bank holds what the order waits for: take it. */
  | { readonly settle: 'capture' }
  /** The money that the order waits for is here: book it. */
  | { readonly settle: 'complete' }
  /** Money is here, or held, that nobody waits for: it goes back. */
  | { readonly settle: 'return' }
  /** All of it went back without us. */
  | { readonly settle: 'refunded'; readonly captured: number }
  /** Less has gone back than we had counted: a refund has failed since. `pending`: of `refunded`, what is still on its way. */
  | { readonly settle: 'refund-failed'; readonly refunded: number; readonly pending: number }
  /** A part of it went back, or has arrived, without us. */
  | { readonly settle: 'note-refund'; readonly refunded: number; readonly pending: number }
  | { readonly settle: 'decline'; readonly code: string }
  /** Nobody has paid, and nobody can any more. */
  | { readonly settle: 'void'; readonly pageOpen: boolean }
  /** Somebody could still pay on a page that nobody wants. */
  | { readonly settle: 'close' }

const nothing = { settle: 'nothing' } as const

/**
 * Whether the order waits for this very payment. One that was declined may still be captured, and is welcome; one that was
 * taken back is not, and neither is a second one.
 */
export function isWanted(order: Pick<Order, 'status' | 'payment'>, payment: Payment): boolean {
  if (payment.unwanted || order.status === 'cancelled' || order.status === 'completed') return false
  const { payment: current } = order
  return current === undefined || current.id === payment.id || !isLive(current)
}

/**
 * What becomes of a payment and its order when the gateway says that it stands so: whoever asked, however often, and in
 * whatever order news of it came. Pure: made again under the order's lock before anything is done. `retry`: a refund that has
 * failed may be sent again. That is for the sweep, which takes its time: a gateway tells of each failure at once.
 */
export function decideSettle(
  order: Pick<Order, 'status' | 'payment' | 'total'>,
  payment: Payment,
  standing: Standing,
  { retry = false }: { readonly retry?: boolean | undefined } = {},
): SettleDecision {
  const decision = decideStanding(order, payment, standing)
  // What the customer's bank holds, or has given back, is not given back as well: a human decides.
  if (decision.settle === 'return' && payment.disputed > 0) return nothing
  return decision.settle === 'return' && payment.owed > 0 && !retry ? nothing : decision
}

function decideStanding(
  order: Pick<Order, 'status' | 'payment' | 'total'>,
  payment: Payment,
  standing: Standing,
): SettleDecision {
  const wanted = isWanted(order, payment)
  switch (standing.state) {
    case 'processing':
      return nothing
    case 'open':
      if (!wanted) return payment.pageId === undefined || isTaken(payment) ? nothing : { settle: 'close' }
      return standing.declined && isWaiting(payment) ? { settle: 'decline', code: standing.declined.code } : nothing
    case 'declined':
      return isWaiting(payment) ? { settle: 'decline', code: payment.declineCode ?? 'declined' } : nothing
    case 'gone':
      if (isTaken(payment)) return nothing
      return isWaiting(payment) ? { settle: 'void', pageOpen: standing.pageOpen } : nothing
    case 'authorized':
      // We looked before it was captured.
      if (isTaken(payment)) return nothing
      return { settle: wanted && isExact(standing, order.total) ? 'capture' : 'return' }
    case 'captured':
      return decideCaptured(order, payment, standing, wanted)
  }
}

function decideCaptured(
  order: Pick<Order, 'status' | 'payment' | 'total'>,
  payment: Payment,
  standing: Standing & { readonly state: 'captured' },
  wanted: boolean,
): SettleDecision {
  const { captured, refundPending: pending = 0 } = standing
  const refunded = Math.min(captured, standing.refunded + payment.aside)
  const failed = { settle: 'refund-failed', refunded, pending } as const
  if (refunded < payment.refunded) return failed
  if (payment.status === 'refunded') return nothing
  if (refunded - pending >= captured) return { settle: 'refunded', captured }
  if (payment.status === 'refunding') return refunded >= captured ? nothing : failed
  if (payment.status === 'captured' && !payment.unwanted && order.status === 'completed')
    return refunded === payment.refunded && pending === payment.pending
      ? nothing
      : { settle: 'note-refund', refunded, pending }
  return { settle: wanted && isExact(standing, order.total) ? 'complete' : 'return' }
}

const isTaken = ({ status }: Payment) => status === 'captured' || status === 'refunding' || status === 'refunded'
