import type { GatewayName, WebhookEvent } from '../gateways/gateway.ts'

export const webhookStates = ['waiting', 'applied', 'ignored', 'dead'] as const
export type WebhookState = (typeof webhookStates)[number]

/** What an event names, in words of its gateway. Hints only: how the payment stands is asked of the gateway. */
export interface EventSubject {
  readonly gatewayReference: string | null
  readonly pageId: string | null
  readonly orderId: string | null
  /** A dispute of that payment. */
  readonly disputeId: string | null
}

/** A row of `pantry.webhook_event`. */
export interface StoredEvent extends EventSubject {
  readonly id: string
  readonly gateway: GatewayName
  readonly eventId: string
  readonly type: string
  readonly state: WebhookState
  /** Raised by each replay. */
  readonly round: number
  /** Of this round. */
  readonly tries: number
  readonly lastError: string | null
  readonly dueAt: Date
  readonly occurredAt: Date
  readonly receivedAt: Date
  readonly appliedAt: Date | null
}

/** Null where an event is of no interest to a shop. */
export function subjectOf({ subject }: WebhookEvent): EventSubject | null {
  switch (subject?.kind) {
    case 'payment':
      return named(subject.payment.id, null, subject.payment.order)
    case 'checkout':
      return named(subject.checkout.paymentId, subject.checkout.id, subject.checkout.order)
    case 'refund':
      return named(subject.paymentId, subject.page, subject.order)
    case 'dispute':
      return { ...named(subject.paymentId, subject.page, null), disputeId: nameOf(subject.disputeId) }
    case undefined:
      return null
  }
}

const named = (reference: string | null, page: string | null, order: string | null): EventSubject => ({
  gatewayReference: nameOf(reference),
  pageId: nameOf(page),
  orderId: nameOf(order),
  disputeId: null,
})

export const nameLimit = 500

/** None of ours is longer, or holds what a database does not take for text: such an event is kept all the same. */
const nameOf = (name: string | null): string | null =>
  name !== null && name.length <= nameLimit && name.isWellFormed() && !name.includes('\0') ? name : null

/**
 * What two deliveries of one event have in common: what tells another payload under its id. Of a gateway that signs nothing the
 * body is anybody's, and only what the gateway answered when it was asked counts. `pending_webhooks` is left out: Stripe
 * counts there how many deliveries of the event are still to come, so that it is the one member which changes from one to
 * the next.
 */
export function payloadPrint(gateway: GatewayName, event: WebhookEvent, rawBody: Uint8Array): unknown {
  if (gateway === 'cardcom') return { type: event.type }
  const text = Buffer.from(rawBody).toString('utf8')
  try {
    const body: unknown = JSON.parse(text)
    if (typeof body !== 'object' || body === null || Array.isArray(body)) return body
    const { pending_webhooks: _, ...rest } = body as Record<string, unknown>
    return rest
  } catch {
    return text
  }
}

/** With {@link retryDelay}, about a day: twelve tries in the first hour and a bit, then one an hour. */
export const defaultTries = 35

/** Milliseconds until the next try, after so many: from one second, doubling, to an hour. */
export function retryDelay(tries: number): number {
  return Math.min(1000 * 2 ** Math.max(0, tries - 1), 3600_000)
}

/** The scope of a gateway's event ids. */
export const gatewayScope = (gateway: GatewayName): string => `gateway:${gateway}`
