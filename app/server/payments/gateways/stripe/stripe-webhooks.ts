import { createHmac, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import type { WebhookEvent, WebhookReading, WebhookRequest } from '../gateway.ts'
import { unixSeconds } from '../gateway-request.ts'
import {
  disputeSchema,
  intentSchema,
  refundedChargeSchema,
  refundEventSchema,
  toCheckout,
  toPayment,
} from './stripe-objects.ts'

/** Seconds that a signature stays good; the future side is not limited, as in Stripe's own libraries. */
const toleranceSeconds = 300

/**
 * Whether one of the `v1` signatures of a `Stripe-Signature` header is over these very bytes. Several stand there while
 * a secret is being rotated. The key is the whole secret, `whsec_` included.
 */
export function verifyStripeSignature(
  rawBody: Uint8Array,
  header: string,
  secret: string,
  nowMs: number,
): 'verified' | 'signature_mismatch' | 'timestamp_expired' | 'malformed' {
  const parts = header.split(',').map((part) => part.trim().split('=', 2))
  const timestamp = parts.find(([name]) => name === 't')?.[1] ?? ''
  const signatures = parts.filter(([name]) => name === 'v1').map(([, value]) => value ?? '')
  if (!/^\d{1,12}$/.test(timestamp) || signatures.length === 0) return 'malformed'
  const expected = createHmac('sha256', secret).update(`${timestamp}.`).update(rawBody).digest()
  const given = signatures.filter((one) => /^[0-9a-f]{64}$/i.test(one)).map((one) => Buffer.from(one, 'hex'))
  // All are compared, each in constant time, so that time tells nothing about which one was near.
  if (!given.map((one) => timingSafeEqual(one, expected)).includes(true)) return 'signature_mismatch'
  // After the signature: a stranger learns nothing from the order of the answers.
  return Math.floor(nowMs / 1000) - Number(timestamp) > toleranceSeconds ? 'timestamp_expired' : 'verified'
}

const eventSchema = z.object({
  id: z.string().min(1),
  object: z.literal('event'),
  type: z.string(),
  created: unixSeconds,
  data: z.object({ object: z.looseObject({ object: z.string().optional() }) }),
})

export function readStripeWebhook(request: WebhookRequest, secret: string, nowMs: number): WebhookReading {
  const header = Object.entries(request.headers).find(([name]) => name.toLowerCase() === 'stripe-signature')?.[1]
  if (header === undefined || header === '') return { status: 'rejected', reason: 'unsigned' }
  if (typeof header !== 'string') return { status: 'rejected', reason: 'malformed' }
  const verdict = verifyStripeSignature(request.rawBody, header, secret, nowMs)
  if (verdict !== 'verified') return { status: 'rejected', reason: verdict }
  const event = readEvent(request.rawBody)
  return event ? { status: 'verified', event } : { status: 'rejected', reason: 'malformed' }
}

function readEvent(rawBody: Uint8Array): WebhookEvent | undefined {
  let body: unknown
  try {
    body = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(rawBody))
  } catch {
    return undefined
  }
  const read = eventSchema.safeParse(body)
  if (!read.success) return undefined
  const { id, type, created, data } = read.data
  return { id, type, createdAt: new Date(created * 1000).toISOString(), subject: subjectOf(type, data.object) }
}

const disputeEventSchema = disputeSchema.pick({ id: true, object: true, payment_intent: true })

/** An object of a shape we do not know makes an event without a subject: it is kept, and has no effect. */
function subjectOf(type: string, object: unknown): WebhookEvent['subject'] {
  if (type.startsWith('payment_intent.')) {
    const intent = intentSchema.safeParse(object)
    return intent.success ? { kind: 'payment', payment: toPayment(intent.data) } : null
  }
  if (type.startsWith('checkout.session.')) {
    try {
      return { kind: 'checkout', checkout: toCheckout(object) }
    } catch {
      return null
    }
  }
  if (type.startsWith('charge.dispute.')) {
    const dispute = disputeEventSchema.safeParse(object)
    if (!dispute.success || dispute.data.payment_intent === null) return null
    return { kind: 'dispute', disputeId: dispute.data.id, paymentId: dispute.data.payment_intent, page: null }
  }
  if (type === 'charge.refunded') {
    const charge = refundedChargeSchema.safeParse(object)
    if (!charge.success || charge.data.payment_intent === null) return null
    const { payment_intent: paymentId, amount_refunded: refunded, currency, metadata } = charge.data
    const order = metadata?.['order'] ?? null
    return { kind: 'refund', paymentId, refunded, currency: currency.toUpperCase(), page: null, order }
  }
  // Of one refund: that it was made, has ended, or has failed, which may be days later.
  if (type.startsWith('refund.') || type === 'charge.refund.updated') {
    const refund = refundEventSchema.safeParse(object)
    if (!refund.success || refund.data.payment_intent === null) return null
    const { payment_intent: paymentId, currency, metadata } = refund.data
    const order = metadata?.['order'] ?? null
    return { kind: 'refund', paymentId, refunded: null, currency: currency.toUpperCase(), page: null, order }
  }
  return null
}
