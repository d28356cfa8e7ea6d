import { isDeepStrictEqual } from 'node:util'
import { quantity, type Told } from './purchase.ts'
import type { OrderFacts, Truth } from './read-truth.ts'

/** What a purchase has to come to. `either`: nobody could know whether it was still wanted. */
export type Expected = 'completed' | 'taken back' | 'either'

const gone = new Set(['voided', 'refunded', 'failed'])

/** How it ended, in words. */
export function endOf({ orders }: Truth): string {
  const [order] = orders
  if (!order) return 'no order, the cart as it was'
  if (order.status !== 'cancelled') return order.status
  if (order.taken.refunded > 0) return 'refunded, and cancelled'
  return 'cancelled, nothing taken'
}

/** Whether nothing more is to happen to it. */
export const isAtRest = ({ running, orders, waitingEvents }: Truth): boolean =>
  running.length === 0 &&
  waitingEvents === 0 &&
  orders.every((order) => ['completed', 'cancelled'].includes(order.status) && !order.closing)

/** What is wrong with how a purchase ended, in words: rows, stock, cart and the gateway's book must tell one story. */
export function findWrong(truth: Truth, expected: Expected): string[] {
  const { orders, running, inCart, unaccounted } = truth
  const wrong: string[] = []
  const claim = (holds: boolean, what: string) => void (holds || wrong.push(what))
  claim(running.length === 0, `not ended: ${running.join(', ')}`)
  claim(orders.length <= 1, `${orders.length} orders of one cart`)
  for (const order of orders) checkOrder(order, claim)
  const bought = orders.filter(({ status }) => status !== 'cancelled').reduce((sum, order) => sum + order.quantity, 0)
  claim(bought + inCart === quantity, `${bought} ordered and ${inCart} in the cart, of ${quantity}`)
  claim(unaccounted.length === 0, `the gateway's book disagrees about ${unaccounted.join(', ')}`)
  if (expected === 'completed') claim(orders[0]?.status === 'completed', 'paid, and not completed')
  if (expected === 'taken back') claim(orders[0]?.status !== 'completed', 'taken back, and completed')
  return wrong
}

/**
 * A refund of which nobody knows whether it has happened: it was sent once at the most, and nothing else happens until a human
 * has looked.
 */
export function findOpenToOthers({ orders: [order] }: Truth): string[] {
  if (!order) return ['a human is asked, and there is no order']
  const { closing, handled, taken, total } = order
  const wrong: string[] = []
  if (!closing && handled === 0) wrong.push('a human is asked, and meanwhile others may go on')
  if (taken.charges !== 1 || (taken.refunded !== 0 && taken.refunded !== total))
    wrong.push(`a human is asked about ${taken.charges} charges, of which ${taken.refunded} of ${total} went back`)
  return wrong
}

type Claim = (holds: boolean, what: string) => void

function checkOrder(
  { status, total, closing, payments, handled, reservations, receipts, taken }: OrderFacts,
  claim: Claim,
) {
  const captured = payments.filter((one) => one === 'captured').length
  const net = taken.captured - taken.refunded
  claim(!closing && handled === 0, 'somebody is still in charge of it')
  claim(taken.charges <= 1, `${taken.charges} charges`)
  if (status === 'completed') {
    claim(taken.charges === 1 && net === total, `completed, with ${taken.charges} charges, and ${net} of ${total} kept`)
    claim(captured === 1 && payments.every((one) => one === 'captured' || gone.has(one)), `payments ${payments.join()}`)
    claim(isDeepStrictEqual(reservations, ['booked']), `reservations ${reservations.join()}`)
    claim(receipts === 1, `${receipts} receipts`)
    return
  }
  claim(status === 'cancelled', `the order is ${status}`)
  claim(net === 0, `${net} are kept, and there is no order for them`)
  claim(
    payments.every((one) => gone.has(one)),
    `${status}, with payments ${payments.join()}`,
  )
  claim(!reservations.includes('held'), `${status}, with reservations ${reservations.join()}`)
  claim(receipts <= 1, `${receipts} receipts`)
}

/** What the customer was told and is not so. */
export function findUntrue(told: readonly Told[], { made, orders }: Truth): string[] {
  const untrue: string[] = []
  const claim = (holds: boolean, what: string) => void (holds || untrue.push(what))
  const state = made?.state
  for (const { asked, status, body, text } of told) {
    if (asked === 'create' && (status === 200 || status === 201)) {
      claim(state === 'succeeded' && text === made!.body, `told ${status}, and it is ${state}, or another response`)
      claim(orders[0]?.id === body.orderId, 'told of another order')
    }
    if (asked === 'create' && body?.code === 'cancelled') claim(state === 'cancelled', `told cancelled; it is ${state}`)
    if (asked === 'cancel' && status === 200) {
      const { outcome, state: end, result } = body
      claim(outcome !== 'cancelled' || state === 'cancelled', `a cancel was told cancelled; it is ${state}`)
      if (outcome === 'too_late') claim(state === end, `told too late, ${end}; it is ${state}`)
      if (outcome === 'too_late' && end === 'succeeded')
        claim(isDeepStrictEqual(result, JSON.parse(made?.body ?? 'null')), 'told too late, with another result')
      claim(outcome !== 'needs_attention', 'a cancel was told needs_attention')
    }
    if (asked === 'cancel' && status === 202)
      claim(state === body.target, `told undoing to ${body.target}; it is ${state}`)
    if (asked === 'undo' && status === 200) claim(orders[0]?.status === 'cancelled', 'told undone, and it is not')
  }
  return untrue
}
