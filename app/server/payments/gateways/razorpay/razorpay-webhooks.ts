import { z } from 'zod'
import type { WebhookEvent, WebhookReading, WebhookRequest } from '../gateway.ts'
import { unixSeconds } from '../gateway-request.ts'
import {
  disputeSchema,
  orderSchema,
  pageOf,
  paymentSchema,
  refundSchema,
  toCheckout,
  toPayment,
} from './razorpay-objects.ts'
import { verifyWebhookSignature } from './razorpay-signatures.ts'

const entity = z.object({ entity: z.unknown() }).optional()
const eventSchema = z.object({
  entity: z.literal('event'),
  event: z.string().min(1),
  created_at: unixSeconds,
  payload: z.object({ payment: entity, order: entity, refund: entity, dispute: entity }),
})

/**
 * Reads an event. Its id is in a header that is not signed: it tells repetitions apart, and proves nothing. Somebody who
 * sends a recorded body under another id makes us ask Razorpay once more, and nothing else.
 */
export function readRazorpayWebhook(request: WebhookRequest, secrets: readonly string[]): WebhookReading {
  const signature = headerOf(request, 'x-razorpay-signature')
  if (signature === undefined || signature === '') return { status: 'rejected', reason: 'unsigned' }
  if (typeof signature !== 'string') return { status: 'rejected', reason: 'malformed' }
  if (!verifyWebhookSignature(request.rawBody, signature, secrets))
    return { status: 'rejected', reason: 'signature_mismatch' }
  const id = headerOf(request, 'x-razorpay-event-id')
  const event = typeof id === 'string' && /^[\x21-\x7e]{1,255}$/.test(id) ? readEvent(id, request.rawBody) : undefined
  return event ? { status: 'verified', event } : { status: 'rejected', reason: 'malformed' }
}

function headerOf({ headers }: WebhookRequest, wanted: string): string | string[] | undefined {
  return Object.entries(headers).find(([name]) => name.toLowerCase() === wanted)?.[1]
}

function readEvent(id: string, rawBody: Uint8Array): WebhookEvent | undefined {
  let body: unknown
  try {
    body = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(rawBody))
  } catch {
    return undefined
  }
  const read = eventSchema.safeParse(body)
  if (!read.success) return undefined
  const { event: type, created_at: createdAt, payload } = read.data
  return { id, type, createdAt: new Date(createdAt * 1000).toISOString(), subject: subjectOf(type, payload) }
}

const disputeEventSchema = disputeSchema.pick({ id: true, entity: true, payment_id: true })

/**
 * A payment's event is about the page it was made on, because the page is what we know first. An entity of a shape we do
 * not know makes an event without a subject: it is kept, and has no effect.
 */
function subjectOf(type: string, payload: z.infer<typeof eventSchema>['payload']): WebhookEvent['subject'] {
  const payment = paymentSchema.safeParse(payload.payment?.entity)
  if (type.startsWith('payment.dispute.')) {
    const dispute = disputeEventSchema.safeParse(payload.dispute?.entity)
    if (!dispute.success) return null
    const { id: disputeId, payment_id: paymentId } = dispute.data
    return { kind: 'dispute', disputeId, paymentId, page: (payment.success && payment.data.order_id) || null }
  }
  if (type.startsWith('refund.')) {
    const refund = refundSchema.safeParse(payload.refund?.entity)
    if (!refund.success || !payment.success) return null
    const { refunded, currency } = toPayment(payment.data)
    const page = payment.data.order_id ?? null
    return { kind: 'refund', paymentId: refund.data.payment_id, refunded, currency, page, order: null }
  }
  if (type.startsWith('order.')) {
    const order = orderSchema.safeParse(payload.order?.entity)
    if (!order.success) return null
    return { kind: 'checkout', checkout: toCheckout(order.data, payment.success ? [payment.data] : []) }
  }
  if (type.startsWith('payment.') && payment.success) {
    const page = pageOf(payment.data)
    return page ? { kind: 'checkout', checkout: page } : { kind: 'payment', payment: toPayment(payment.data) }
  }
  return null
}
