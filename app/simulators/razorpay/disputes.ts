import type { Work } from './book.ts'
import { newId, unixNow, type Dispute, type Payment } from './objects.ts'
import { getPayment } from './payments.ts'
import { noSuchId } from './razorpay-error.ts'

/** Days that a merchant has for an answer. */
const days = 10

/** https://razorpay.com/docs/api/disputes/entity */
export function openDispute(
  work: Work,
  payment: Payment,
  {
    reason,
    phase,
    amount,
  }: { readonly reason: string; readonly phase: Dispute['phase']; readonly amount?: number | undefined },
): Dispute {
  const created = unixNow()
  const dispute: Dispute = {
    id: newId('disp'),
    entity: 'dispute',
    payment_id: payment.id,
    amount: amount ?? payment.amount,
    currency: payment.currency,
    amount_deducted: 0,
    reason_code: reason,
    respond_by: created + days * 24 * 3600,
    status: 'open',
    phase,
    created_at: created,
    evidence: null,
  }
  work.book.disputes.set(dispute.id, dispute)
  work.emit('payment.dispute.created', { payment, dispute })
  return dispute
}

/** What the bank decides. The payment says nothing of it: what is lost is taken from the merchant's balance. */
export function settleDispute(work: Work, dispute: Dispute, outcome: Exclude<Dispute['status'], 'open'>): void {
  dispute.status = outcome
  if (outcome === 'lost') dispute.amount_deducted = dispute.amount
  work.emit(`payment.dispute.${outcome}`, { payment: getPayment(work, dispute.payment_id), dispute })
}

export function getDispute({ book }: Pick<Work, 'book'>, id: string): Dispute {
  const dispute = book.disputes.get(id)
  if (!dispute) throw noSuchId()
  return dispute
}
