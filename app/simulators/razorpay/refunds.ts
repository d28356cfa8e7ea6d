import type { z } from 'zod'
import type { Work } from './book.ts'
import { newId, unixNow, type Payment, type Refund } from './objects.ts'
import { collection } from './orders.ts'
import type { listParams, refundParams } from './parameters.ts'
import { getPayment } from './payments.ts'
import { invalid } from './razorpay-error.ts'

/** Without an amount all that is left. */
export function createRefund(work: Work, paymentId: string, params: z.output<typeof refundParams>): Refund {
  const payment = getPayment(work, paymentId)
  if (payment.captured && payment.amount_refunded === payment.amount)
    throw invalid('The payment has been fully refunded already')
  if (!payment.captured) throw invalid('The payment status should be captured for action to be taken')
  const left = payment.amount - payment.amount_refunded
  const amount = params.amount ?? left
  if (amount > left) throw invalid('The refund amount provided is greater than amount captured', 'amount')
  const refund = giveBack(work, payment, amount, params)
  if (work.ordered?.decline) settleRefund(work, refund, 'failed')
  else if (!work.ordered?.silent) settleRefund(work, refund, 'processed')
  return refund
}

function giveBack(
  work: Work,
  payment: Payment,
  amount: number,
  { notes = {}, receipt }: Partial<z.output<typeof refundParams>>,
): Refund {
  const refund: Refund = {
    id: newId('rfnd'),
    entity: 'refund',
    amount,
    currency: payment.currency,
    payment_id: payment.id,
    notes,
    receipt: receipt ?? null,
    acquirer_data: { arn: null },
    created_at: unixNow(),
    batch_id: null,
    status: 'pending',
    speed_processed: 'normal',
    speed_requested: 'normal',
  }
  work.book.refunds.set(refund.id, refund)
  // A refund under way counts as given back.
  countRefunded(payment, payment.amount_refunded + amount)
  work.emit('refund.created', { refund, payment })
  return refund
}

/** Ends a refund; what failed is the merchant's again. */
export function settleRefund(work: Work, refund: Refund, outcome: 'processed' | 'failed'): void {
  const payment = getPayment(work, refund.payment_id)
  refund.status = outcome
  if (outcome === 'failed') countRefunded(payment, payment.amount_refunded - refund.amount)
  work.emit(`refund.${outcome}`, { refund, payment })
}

/** What Razorpay does by itself with an authorization that nobody captured in time. */
export function expireAuthorization(work: Work, payment: Payment): Refund {
  const refund = giveBack(work, payment, payment.amount, {})
  payment.status = 'refunded'
  settleRefund(work, refund, 'processed')
  return refund
}

function countRefunded(payment: Payment, refunded: number): void {
  payment.amount_refunded = refunded
  payment.refund_status = refunded === 0 ? null : refunded < payment.amount ? 'partial' : 'full'
  if (payment.captured) payment.status = refunded === payment.amount ? 'refunded' : 'captured'
}

export function listRefunds(work: Work, paymentId: string, params: z.output<typeof listParams>): object {
  const payment = getPayment(work, paymentId)
  const refunds = [...work.book.refunds.values()].toReversed().filter((one) => one.payment_id === payment.id)
  return collection(refunds, params)
}
