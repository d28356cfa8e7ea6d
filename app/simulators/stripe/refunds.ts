import type { Work } from './book.ts'
import { isHeld } from './disputes.ts'
import { newId, unixNow, type Charge, type Refund } from './objects.ts'
import { integer, metadata, text, texts, type Fields, type Parameters } from './parameters.ts'
import { getIntent } from './payment-intents.ts'
import { StripeError, invalidParameter, noSuch, unexpectedState } from './stripe-error.ts'

/** https://docs.stripe.com/api/refunds/create */
export const refundFields = {
  amount: integer,
  charge: text,
  expand: texts,
  metadata,
  payment_intent: text,
  reason: { is: 'one-of', values: ['duplicate', 'fraudulent', 'requested_by_customer'] },
} as const satisfies Fields

export function checkRefund(params: Parameters<typeof refundFields>): void {
  if ((params.payment_intent === undefined) === (params.charge === undefined)) {
    throw invalidParameter(
      'parameter_missing',
      'payment_intent',
      'You must provide exactly one of: charge, payment_intent.',
    )
  }
  if (params.amount !== undefined && params.amount < 1) {
    throw invalidParameter('parameter_invalid_integer', 'amount', 'This value must be greater than or equal to 1.')
  }
}

/** Gives money back; without an amount all that is left. */
export function createRefund(work: Work, params: Parameters<typeof refundFields>): Refund {
  const intent = getIntent(
    work,
    params.payment_intent ?? work.book.charges.get(params.charge ?? '')?.payment_intent ?? params.charge ?? '',
  )
  const charge = intent.latest_charge ? work.book.charges.get(intent.latest_charge) : undefined
  if (!charge?.captured) {
    throw unexpectedState(`This PaymentIntent (${intent.id}) does not have a successful charge to refund.`, intent)
  }
  if (charge.refunded) {
    throw new StripeError(
      400,
      `Charge ${charge.id} has already been refunded.`,
      { type: 'invalid_request_error', code: 'charge_already_refunded', charge: charge.id },
      true,
    )
  }
  if (work.ordered?.decline) {
    throw new StripeError(
      400,
      'Insufficient funds in your Stripe balance to refund this amount.',
      { type: 'invalid_request_error', code: 'balance_insufficient' },
      true,
    )
  }
  if (isHeld(work, charge)) {
    throw new StripeError(
      400,
      `Charge ${charge.id} has been charged back; cannot issue a refund.`,
      { type: 'invalid_request_error', code: 'charge_disputed', charge: charge.id },
      true,
    )
  }
  const left = charge.amount_captured - charge.amount_refunded
  const amount = params.amount ?? left
  if (amount > left) {
    throw new StripeError(
      400,
      `Refund amount (${amount}) is greater than unrefunded amount on charge (${left})`,
      { type: 'invalid_request_error', param: 'amount', charge: charge.id },
      true,
    )
  }
  const refund: Refund = {
    id: newId('re'),
    object: 'refund',
    amount,
    charge: charge.id,
    created: unixNow(),
    currency: charge.currency,
    metadata: params.metadata ?? {},
    payment_intent: intent.id,
    reason: params.reason ?? null,
    status: work.ordered?.processing ? 'pending' : 'succeeded',
  }
  work.book.refunds.set(refund.id, refund)
  // A refund under way counts as given back.
  countRefunded(charge, charge.amount_refunded + amount)
  work.book.changedAt.set(intent.id, Date.now())
  work.emit('refund.created', refund)
  work.emit('charge.refunded', charge)
  return refund
}

function countRefunded(charge: Charge, refunded: number): void {
  charge.amount_refunded = refunded
  charge.refunded = refunded === charge.amount_captured
}

/** Ends a refund, or takes one back that had succeeded; what failed is the merchant's again. */
export function settleRefund(
  work: Work,
  refund: Refund,
  outcome: 'succeeded' | 'failed' | 'canceled',
  { reason, counted }: { readonly reason: string; readonly counted: boolean },
): void {
  const charge = work.book.charges.get(refund.charge)!
  refund.status = outcome
  if (outcome === 'failed') refund.failure_reason = reason
  if (outcome !== 'succeeded' && !counted) countRefunded(charge, charge.amount_refunded - refund.amount)
  if (outcome === 'failed') work.emit('refund.failed', refund)
  work.emit('refund.updated', refund)
  work.emit('charge.refund.updated', refund)
}

export function getRefund(work: Pick<Work, 'book'>, id: string): Refund {
  const refund = work.book.refunds.get(id)
  if (!refund) throw noSuch('refund', id, 'id')
  return refund
}
