import type { z } from 'zod'
import type { Work } from './book.ts'
import { newId, unixNow, type Notes, type Order, type Payment } from './objects.ts'
import { getOrder } from './orders.ts'
import type { captureParams } from './parameters.ts'
import { invalid, noSuchId, RazorpayError } from './razorpay-error.ts'

export interface Attempt {
  /** What the customer's bank does; `silent`: it does not answer yet. */
  readonly outcome: 'authorized' | 'captured' | 'failed' | 'silent'
  /** Other than the order's: a mismatch by order. */
  readonly amount?: number
  readonly currency?: string
  readonly reason?: string
  readonly description?: string
  readonly email?: string
  readonly notes?: Notes
}

/** A customer tries to pay an order. An order that is paid takes no other attempt. */
export function attemptPayment(work: Work, order: Order, attempt: Attempt): Payment {
  if (order.status === 'paid') throw orderIsPaid()
  const payment: Payment = {
    id: newId('pay'),
    entity: 'payment',
    amount: attempt.amount ?? order.amount,
    currency: attempt.currency ?? order.currency,
    status: 'created',
    order_id: order.id,
    invoice_id: null,
    international: false,
    method: 'upi',
    amount_refunded: 0,
    refund_status: null,
    captured: false,
    description: attempt.description ?? null,
    card_id: null,
    bank: null,
    wallet: null,
    vpa: 'customer@upi',
    email: attempt.email ?? 'void@razorpay.com',
    contact: '+919999999999',
    notes: attempt.notes ?? {},
    fee: null,
    tax: null,
    error_code: null,
    error_description: null,
    error_source: null,
    error_step: null,
    error_reason: null,
    acquirer_data: { rrn: null },
    created_at: unixNow(),
  }
  work.book.payments.set(payment.id, payment)
  order.attempts += 1
  order.status = 'attempted'
  if (attempt.outcome === 'failed') fail(work, payment, attempt.reason ?? 'payment_failed')
  if (attempt.outcome === 'authorized' || attempt.outcome === 'captured') authorize(work, payment)
  if (attempt.outcome === 'captured') take(work, payment)
  return payment
}

/** The bank has said yes; after a failure this is the documented late authorisation. */
export function authorize(work: Work, payment: Payment): void {
  payment.status = 'authorized'
  payment.error_code = payment.error_description = payment.error_reason = null
  payment.error_source = payment.error_step = null
  work.emit('payment.authorized', { payment })
}

export function fail(work: Work, payment: Payment, reason: string): void {
  payment.status = 'failed'
  payment.error_code = 'BAD_REQUEST_ERROR'
  payment.error_description = 'Your payment was not completed. You may try again, or pay in another way.'
  payment.error_source = 'bank'
  payment.error_step = 'payment_authorization'
  payment.error_reason = reason
  work.emit('payment.failed', { payment })
}

/** From here on the money is the merchant's. */
export function take(work: Work, payment: Payment): void {
  const order = getOrder(work, payment.order_id)
  payment.status = 'captured'
  payment.captured = true
  payment.fee = Math.floor((payment.amount * 2) / 100)
  payment.tax = 0
  order.status = 'paid'
  order.amount_paid += payment.amount
  order.amount_due = Math.max(0, order.amount - order.amount_paid)
  work.emit('payment.captured', { payment })
  work.emit('order.paid', { payment, order })
}

export function capturePayment(work: Work, id: string, params: z.output<typeof captureParams>): Payment {
  const payment = getPayment(work, id)
  if (payment.captured) throw invalid('This payment has already been captured')
  if (payment.status !== 'authorized')
    throw invalid('Only payments which have been authorized and not yet captured can be captured')
  if (getOrder(work, payment.order_id).status === 'paid') throw orderIsPaid()
  if (params.amount !== payment.amount) throw invalid('Capture amount must be equal to the amount authorized', 'amount')
  if (params.currency !== payment.currency)
    throw invalid('Payment currency must be same as the capture currency', 'currency')
  take(work, payment)
  return payment
}

export function getPayment({ book }: Pick<Work, 'book'>, id: string): Payment {
  if (!/^pay_[A-Za-z0-9]{14}$/.test(id)) throw invalid(`${id} is not a valid id`)
  const payment = book.payments.get(id)
  if (!payment) throw noSuchId()
  return payment
}

function orderIsPaid(): RazorpayError {
  return new RazorpayError(
    400,
    'Your payment has been declined as the order is already paid. Please initiate the payment with a new order.',
    { source: 'business', step: 'payment_initiation', reason: 'order_already_paid' },
  )
}
