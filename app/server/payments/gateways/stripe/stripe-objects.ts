import { z } from 'zod'
import { GatewayError } from '../gateway-error.ts'
import type { ChargeResult, Checkout, Dispute, Payment, RefundResult } from '../gateway.ts'
import { unixSeconds } from '../gateway-request.ts'

/** What we read of Stripe's objects; it may add to them at any time. */

const charge = z.object({ id: z.string(), amount_refunded: z.int() })

export const intentSchema = z.object({
  id: z.string(),
  object: z.literal('payment_intent'),
  amount: z.int(),
  amount_received: z.int(),
  client_secret: z.string().nullable(),
  currency: z.string(),
  last_payment_error: z
    .object({ code: z.string().optional(), decline_code: z.string().optional(), message: z.string().optional() })
    .nullable(),
  /** An id, or the charge where it was asked to be expanded. */
  latest_charge: z.union([z.string(), charge]).nullable(),
  metadata: z.record(z.string(), z.string()),
  next_action: z.object({ redirect_to_url: z.object({ url: z.string().nullable() }).nullish() }).nullable(),
  status: z.enum([
    'requires_payment_method',
    'requires_confirmation',
    'requires_action',
    'processing',
    'requires_capture',
    'succeeded',
    'canceled',
  ]),
})
export type StripeIntent = z.infer<typeof intentSchema>

export const sessionSchema = z.object({
  id: z.string(),
  object: z.literal('checkout.session'),
  amount_total: z.int(),
  client_reference_id: z.string().nullable(),
  currency: z.string(),
  expires_at: z.int(),
  /** An id, or the intent where it was asked to be expanded. */
  payment_intent: z.union([z.string(), intentSchema]).nullable(),
  payment_status: z.enum(['paid', 'unpaid', 'no_payment_required']),
  status: z.enum(['open', 'complete', 'expired']),
  url: z.string().nullable(),
})

export const refundSchema = z.object({
  id: z.string(),
  object: z.literal('refund'),
  amount: z.int(),
  failure_reason: z.string().nullish(),
  metadata: z.record(z.string(), z.string()).nullish(),
  status: z.enum(['pending', 'requires_action', 'succeeded', 'failed', 'canceled']),
})
export type StripeRefund = z.infer<typeof refundSchema>

const ourMetadata = z.record(z.string(), z.string()).nullish()

export const refundedChargeSchema = z.object({
  object: z.literal('charge'),
  amount_refunded: z.int(),
  currency: z.string(),
  payment_intent: z.string().nullable(),
  // Stripe copies the payment's to its charge.
  metadata: ourMetadata,
})

export const refundEventSchema = z.object({
  object: z.literal('refund'),
  currency: z.string(),
  payment_intent: z.string().nullable(),
  metadata: ourMetadata,
})

export const disputeSchema = z.object({
  id: z.string(),
  object: z.literal('dispute'),
  amount: z.int().min(0),
  created: unixSeconds,
  currency: z.string().regex(/^[A-Za-z]{3}$/),
  evidence_details: z.object({ due_by: unixSeconds.nullish() }).nullish(),
  payment_intent: z.string().nullable(),
  reason: z.string().nullish(),
  status: z.string(),
})

export function listOf<T extends z.ZodType>(item: T) {
  return z.object({ data: z.array(item), has_more: z.boolean() })
}

/** Reads an answer; one of another shape means that something was done which we cannot tell. */
export function readAs<T>(schema: z.ZodType<T>, body: unknown): T {
  const read = schema.safeParse(body)
  if (read.success) return read.data
  throw new GatewayError('stripe', 'unknown', 'bad_response', 'the answer has an unexpected shape', {
    cause: read.error,
  })
}

/** Without an expanded charge, as in events, `refunded` is 0: nothing had been refunded when such an event was made. */
export function toPayment(intent: StripeIntent): Payment {
  return {
    id: intent.id,
    status: paymentStatus(intent),
    amount: intent.amount,
    currency: intent.currency.toUpperCase(),
    captured: intent.amount_received,
    refunded:
      intent.latest_charge !== null && typeof intent.latest_charge === 'object'
        ? intent.latest_charge.amount_refunded
        : 0,
    operation: intent.metadata['operation'] ?? null,
    order: intent.metadata['order'] ?? null,
  }
}

function paymentStatus(intent: StripeIntent): Payment['status'] {
  switch (intent.status) {
    case 'succeeded':
      return 'captured'
    case 'canceled':
      return 'cancelled'
    case 'requires_action':
      return 'requires_action'
    // Held, not taken: we never ask for that, so somebody else has to decide.
    case 'requires_capture':
    case 'processing':
      return 'processing'
    case 'requires_payment_method':
    case 'requires_confirmation':
      return intent.last_payment_error ? 'declined' : 'requires_action'
  }
}

/** What a charge that was made with `confirm=true` has come to. */
export function toChargeResult(intent: StripeIntent): ChargeResult {
  const payment = toPayment(intent)
  switch (intent.status) {
    case 'succeeded':
      return { status: 'captured', payment }
    case 'requires_action':
      return {
        status: 'requires_action',
        payment,
        redirectUrl: intent.next_action?.redirect_to_url?.url ?? null,
        clientSecret: intent.client_secret,
      }
    case 'requires_capture':
    case 'processing':
      return { status: 'processing', payment }
    case 'canceled':
      return { status: 'declined', code: 'payment_cancelled', message: 'The payment was cancelled.', payment }
    // Nobody else confirms our charges: what is not confirmed by now takes no money any more.
    case 'requires_payment_method':
    case 'requires_confirmation':
      return {
        status: 'declined',
        code: intent.last_payment_error?.decline_code ?? intent.last_payment_error?.code ?? 'not_confirmed',
        message: intent.last_payment_error?.message ?? 'The payment was not confirmed.',
        payment,
      }
  }
}

export function toCheckout(body: unknown): Checkout {
  const session = readAs(sessionSchema, body)
  const paid = session.status === 'complete' && session.payment_status !== 'unpaid'
  const { payment_intent: intent } = session
  const expanded = typeof intent === 'object' ? intent : null
  // Once another attempt is under way, the error of the last one is of no interest.
  const error = expanded?.status === 'requires_payment_method' ? expanded.last_payment_error : null
  return {
    id: session.id,
    status: paid ? 'paid' : session.status === 'expired' ? 'expired' : 'open',
    url: session.url,
    expiresAt: new Date(session.expires_at * 1000).toISOString(),
    amount: session.amount_total,
    currency: session.currency.toUpperCase(),
    order: session.client_reference_id,
    paymentId: typeof intent === 'string' ? intent : (expanded?.id ?? null),
    declined: error && {
      code: error.decline_code ?? error.code ?? 'card_declined',
      message: error.message ?? 'The card was declined.',
    },
  }
}

export function toRefundResult(refund: StripeRefund): RefundResult {
  const refundId = refund.id
  switch (refund.status) {
    case 'succeeded':
      return { status: 'refunded', refundId, amount: refund.amount }
    case 'pending':
    case 'requires_action':
      return { status: 'processing', refundId, amount: refund.amount }
    case 'failed':
    case 'canceled':
      return { status: 'failed', refundId, code: refund.failure_reason ?? refund.status }
  }
}

/** A word that Stripe adds later is `open`: a human looks. */
const disputeStatuses: Readonly<Record<string, Dispute['status']>> = {
  warning_needs_response: 'inquiry',
  warning_under_review: 'inquiry',
  warning_closed: 'closed',
  // Ended before the bank had made one of it: by a refund, which is counted as that.
  prevented: 'closed',
  won: 'won',
  lost: 'lost',
}

export function toDispute(body: unknown): Dispute {
  const { id, payment_intent: paymentId, status, ...told } = readAs(disputeSchema, body)
  const due = told.evidence_details?.due_by
  return {
    id,
    // Of a charge without an intent, which none of ours is.
    paymentId: paymentId ?? '',
    status: disputeStatuses[status] ?? 'open',
    amount: told.amount,
    currency: told.currency.toUpperCase(),
    reason: told.reason ?? null,
    respondBy: due ? new Date(due * 1000).toISOString() : null,
    openedAt: new Date(told.created * 1000).toISOString(),
  }
}
