import { z } from 'zod'
import type { Checkout, Dispute, Payment, RefundResult } from '../gateway.ts'
import { unixSeconds } from '../gateway-request.ts'

/** What we read of Razorpay's entities; it may add to them at any time. */

/** `[]` when empty, an object otherwise: PHP's empty array. */
const notes = z
  .union([z.array(z.never()).length(0), z.record(z.string(), z.union([z.string(), z.number()]))])
  .nullish()
  .transform((value): Readonly<Record<string, string>> =>
    value == null || Array.isArray(value)
      ? {}
      : Object.fromEntries(Object.entries(value).map(([name, text]) => [name, String(text)])),
  )

export const orderSchema = z.object({
  id: z.string(),
  entity: z.literal('order'),
  amount: z.int(),
  currency: z.string(),
  status: z.enum(['created', 'attempted', 'paid']),
  notes,
  created_at: z.int(),
})
export type RazorpayOrder = z.infer<typeof orderSchema>

export const paymentSchema = z.object({
  id: z.string(),
  entity: z.literal('payment'),
  amount: z.int(),
  currency: z.string(),
  status: z.enum(['created', 'authorized', 'captured', 'refunded', 'failed']),
  order_id: z.string().nullish(),
  amount_refunded: z.int(),
  captured: z.boolean(),
  error_code: z.string().nullish(),
  error_description: z.string().nullish(),
  error_reason: z.string().nullish(),
  created_at: z.int(),
})
export type RazorpayPayment = z.infer<typeof paymentSchema>

export const refundSchema = z.object({
  id: z.string(),
  entity: z.literal('refund'),
  amount: z.int(),
  payment_id: z.string(),
  status: z.enum(['pending', 'processed', 'failed']),
  notes,
})
export type RazorpayRefund = z.infer<typeof refundSchema>

export const disputeSchema = z.object({
  id: z.string(),
  entity: z.literal('dispute'),
  payment_id: z.string(),
  amount: z.int().min(0),
  currency: z.string().regex(/^[A-Za-z]{3}$/),
  reason_code: z.string().nullish(),
  respond_by: unixSeconds.nullish(),
  status: z.string(),
  phase: z.string(),
  created_at: unixSeconds,
})

export function collectionOf<T extends z.ZodType>(item: T) {
  return z.object({ entity: z.literal('collection'), items: z.array(item) })
}

/** Whether the amount was taken. A `failed` payment may say `captured: true`, and an authorization that went back by itself is `refunded`. */
export function isTaken({ status, captured }: RazorpayPayment): boolean {
  return status === 'captured' || (status === 'refunded' && captured)
}

/**
 * `operation` and `order` are null: a payment's notes come from the form in the customer's browser, and are anybody's
 * words. Ours are kept by the order, which is the page.
 */
export function toPayment(payment: RazorpayPayment): Payment {
  const taken = isTaken(payment)
  return {
    id: payment.id,
    status: taken ? 'captured' : untaken[payment.status],
    amount: payment.amount,
    currency: payment.currency,
    captured: taken ? payment.amount : 0,
    refunded: taken ? payment.amount_refunded : 0,
    operation: null,
    order: null,
  }
}

const untaken = {
  created: 'processing',
  authorized: 'authorized',
  failed: 'declined',
  // Given back by Razorpay, because it was not captured in time.
  refunded: 'cancelled',
  captured: 'captured',
} as const satisfies Record<RazorpayPayment['status'], Payment['status']>

/** The page that a payment belongs to, as far as the payment tells. Null: it was made without one, and not by us. */
export function pageOf(payment: RazorpayPayment): Checkout | null {
  if (!payment.order_id) return null
  const page = { id: payment.order_id, amount: payment.amount, currency: payment.currency, notes: {} }
  return toCheckout(page, [payment])
}

/**
 * A page and the attempts to pay on it. Where money is held or taken, the amount is the payment's, which is what has to be
 * compared with ours.
 */
export function toCheckout(
  order: Pick<RazorpayOrder, 'id' | 'amount' | 'currency' | 'notes'>,
  payments: readonly RazorpayPayment[],
): Checkout {
  const attempts = payments.toSorted((one, other) => one.created_at - other.created_at)
  // What is taken counts most, and of that what was not given back.
  const taken = attempts.filter(isTaken)
  const paid = taken.find((one) => one.amount_refunded < one.amount) ?? taken[0]
  const held = paid ?? attempts.find(({ status }) => status === 'authorized')
  const last = attempts.at(-1)
  const failed = !held && last?.status === 'failed' && !attempts.some(({ status }) => status === 'created')
  return {
    id: order.id,
    status: paid ? 'paid' : held ? 'authorized' : 'open',
    url: null,
    expiresAt: null,
    declined: failed ? declineOf(last) : null,
    amount: held?.amount ?? order.amount,
    currency: held?.currency ?? order.currency,
    order: order.notes['order'] ?? null,
    paymentId: held?.id ?? null,
  }
}

function declineOf(payment: RazorpayPayment): { code: string; message: string } {
  return {
    code: payment.error_reason || payment.error_code || 'payment_failed',
    message: payment.error_description || 'The payment failed.',
  }
}

export function toRefundResult({ id: refundId, status, amount }: RazorpayRefund): RefundResult {
  switch (status) {
    case 'processed':
      return { status: 'refunded', refundId, amount }
    case 'pending':
      return { status: 'processing', refundId, amount }
    case 'failed':
      return { status: 'failed', refundId, code: 'refund_failed' }
  }
}

/** https://razorpay.com/docs/api/disputes/entity: in the phases `fraud` and `retrieval` the bank only asks. */
export function toDispute(dispute: z.infer<typeof disputeSchema>): Dispute {
  const { id, payment_id: paymentId, amount, currency, reason_code: reason, respond_by: due, status, phase } = dispute
  const asks = phase === 'fraud' || phase === 'retrieval'
  return {
    id,
    paymentId,
    // A word that Razorpay adds later: a human looks.
    status: status === 'won' || status === 'lost' || status === 'closed' ? status : asks ? 'inquiry' : 'open',
    amount,
    currency,
    reason: reason ?? null,
    respondBy: due ? new Date(due * 1000).toISOString() : null,
    openedAt: new Date(dispute.created_at * 1000).toISOString(),
  }
}
