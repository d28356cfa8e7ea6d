import type { Problem, Verdict } from 'safepoint/client'
import type { PlacedOrder, Told } from './checkout-state.ts'
import type { Confirmation, CreatedPayment, Order, PaymentPage } from './model.ts'

/** What a verdict means for the person who waits for it; pure, so that what is told can be read in one place. */
type Reading<Made> = { readonly made: Made } | { readonly told: Told }

/** Of setting the goods aside, or of that and the gateway's page in one: nothing is charged either way. */
export function readPlaced<Made extends Order | CreatedPayment>(verdict: Verdict<Made>): Reading<Made> {
  if (verdict.outcome === 'succeeded' || (verdict.outcome === 'too_late' && verdict.state === 'succeeded')) {
    return { made: verdict.result }
  }
  if ('problem' in verdict) return { told: { kind: 'refused', problem: verdict.problem } }
  if (verdict.outcome === 'cancelled') return { told: { kind: 'cancelled', charge: 'never_begun', basket: 'returned' } }
  return { told: { kind: 'needs_attention' } }
}

export interface Confirmed {
  readonly told: Told
  /** What is known of the order now; absent where there is none any more. */
  readonly order?: PlacedOrder
  /** Where the customer goes on: nothing is charged before they do. */
  readonly page?: PaymentPage
  /** The order needs no further thought on this device. */
  readonly settled?: true
}

export function readConfirmed(
  verdict: Verdict<Confirmation>,
  { order, cancelAsked }: { readonly order: PlacedOrder; readonly cancelAsked: boolean },
): Confirmed {
  if (verdict.outcome === 'succeeded' || (verdict.outcome === 'too_late' && verdict.state === 'succeeded')) {
    // Absent where retention has stripped it: that it succeeded is certain all the same.
    const result = verdict.result as Confirmation | undefined
    const placed = result?.order ?? order
    if (result !== undefined && result.payment.status !== 'captured') {
      const page = result.payment.checkout
      return { told: { kind: 'waiting' }, order: placed, ...(page?.url && { page }) }
    }
    return { told: { kind: 'ordered', late: cancelAsked }, order: placed, settled: true }
  }
  if ('problem' in verdict) return readRefusal(verdict.problem, order)
  // The weaker sentence, until it is known that there was no charge.
  if (verdict.outcome === 'cancelled')
    return { told: { kind: 'cancelled', charge: 'taken_back', basket: 'returning' }, order }
  return { told: { kind: 'needs_attention' }, order }
}

function readRefusal(problem: Problem, order: PlacedOrder): Confirmed {
  switch (problem.code) {
    case 'payment_declined':
      return { told: { kind: 'declined', problem }, order }
    // Refused because of another payment of the same order, which may yet charge.
    case 'conflict':
      return { told: { kind: 'busy' }, order }
    case 'order_cancelled':
      return { told: { kind: 'refused', problem }, settled: true }
    default:
      return { told: { kind: 'refused', problem }, order }
  }
}

/** Of letting an unpaid order go. */
export function readReleased(verdict: Verdict): Told {
  if (verdict.outcome === 'succeeded' || verdict.outcome === 'too_late')
    return { kind: 'cancelled', charge: 'never_begun', basket: 'returned' }
  if (verdict.outcome === 'failed') return { kind: 'release_refused', problem: verdict.problem }
  // Not known, but the order is unpaid and so it expires by itself: only the basket has to wait.
  return { kind: 'cancelled', charge: 'never_begun', basket: 'set-aside' }
}

export function readUndone(verdict: Verdict): Told {
  if (verdict.outcome === 'succeeded') return { kind: 'refunded' }
  if ('problem' in verdict) return { kind: 'ordered', late: false, undoRefused: verdict.problem }
  return { kind: 'needs_attention' }
}
