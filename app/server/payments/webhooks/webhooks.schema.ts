import { z } from 'zod'
import { pageQuery } from '../../http.ts'
import { webhookStates, type StoredEvent } from './webhook-events.ts'

export const webhookEventView = z.object({
  id: z.string(),
  gateway: z.string(),
  /** The gateway's id of the event. */
  eventId: z.string(),
  type: z.string(),
  state: z.enum(webhookStates),
  /** What it names, in words of the gateway. */
  gatewayReference: z.string().nullable(),
  pageId: z.string().nullable(),
  orderId: z.string().nullable(),
  /** Since it was received, or replayed. */
  tries: z.int(),
  lastError: z.string().nullable(),
  /** Of an event that waits. */
  nextTryAt: z.iso.datetime().nullable(),
  occurredAt: z.iso.datetime(),
  receivedAt: z.iso.datetime(),
  appliedAt: z.iso.datetime().nullable(),
})
export type WebhookEventView = z.output<typeof webhookEventView>

export const webhookPage = z.object({
  /** `payload`: as it was received; null once it is no longer kept. */
  items: z.array(webhookEventView.extend({ payload: z.string().nullable() })),
  nextCursor: z.string().nullable(),
})

export const webhookQuery = pageQuery.extend({
  state: z.enum(webhookStates).optional(),
  gateway: z.enum(['stripe', 'razorpay', 'cardcom']).optional(),
})

export function viewEvent(event: StoredEvent): WebhookEventView {
  const { id, gateway, eventId, type, state, gatewayReference, pageId, orderId, tries, lastError } = event
  return {
    id,
    gateway,
    eventId,
    type,
    state,
    gatewayReference,
    pageId,
    orderId,
    tries,
    lastError,
    nextTryAt: state === 'waiting' ? event.dueAt.toISOString() : null,
    occurredAt: event.occurredAt.toISOString(),
    receivedAt: event.receivedAt.toISOString(),
    appliedAt: event.appliedAt?.toISOString() ?? null,
  }
}
