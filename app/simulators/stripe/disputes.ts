import type { Work } from './book.ts'
import { newId, unixNow, type Charge, type Dispute } from './objects.ts'
import { noSuch } from './stripe-error.ts'

/** Days that a merchant has for an answer. */
const days = 14

/** The customer's bank takes the money back, or, by `inquiry`, only asks: https://docs.stripe.com/api/disputes/object. */
export function openDispute(
  work: Work,
  charge: Charge,
  {
    reason,
    inquiry,
    amount,
  }: { readonly reason: string; readonly inquiry: boolean; readonly amount?: number | undefined },
): Dispute {
  const created = unixNow()
  const dispute: Dispute = {
    id: newId('dp'),
    object: 'dispute',
    amount: amount ?? charge.amount,
    charge: charge.id,
    created,
    currency: charge.currency,
    evidence_details: { due_by: created + days * 24 * 3600, has_evidence: false, past_due: false, submission_count: 0 },
    is_charge_refundable: inquiry,
    livemode: false,
    metadata: {},
    payment_intent: charge.payment_intent,
    reason,
    status: inquiry ? 'warning_needs_response' : 'needs_response',
  }
  work.book.disputes.set(dispute.id, dispute)
  charge.disputed = true
  work.emit('charge.dispute.created', dispute)
  return dispute
}

/** What the bank decides; Stripe says `charge.dispute.closed` of all of it. `needs_response`: an inquiry becomes a chargeback. */
export function settleDispute(work: Work, dispute: Dispute, outcome: 'won' | 'lost' | 'needs_response'): void {
  const inquiry = dispute.status.startsWith('warning_')
  dispute.status = inquiry && outcome === 'won' ? 'warning_closed' : outcome
  dispute.is_charge_refundable = outcome === 'won'
  work.emit(outcome === 'needs_response' ? 'charge.dispute.updated' : 'charge.dispute.closed', dispute)
}

/** Stripe refunds nothing that a bank holds, or has taken. */
export const isHeld = ({ book }: Pick<Work, 'book'>, charge: Charge): boolean =>
  [...book.disputes.values()].some((one) => one.charge === charge.id && !one.is_charge_refundable)

export function getDispute({ book }: Pick<Work, 'book'>, id: string): Dispute {
  const dispute = book.disputes.get(id)
  if (!dispute) throw noSuch('dispute', id, 'id')
  return dispute
}
