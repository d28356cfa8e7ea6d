import { freshMap, type OpenMap } from '../keep-state.ts'
import { netAmounts, netsOf, type NetAmount } from '../net-amounts.ts'
import {
  apiVersion,
  newId,
  unixNow,
  type Charge,
  type CheckoutSession,
  type Dispute,
  type PaymentIntent,
  type Refund,
  type StripeEvent,
} from './objects.ts'

/**
 * The truth that tests compare answers with. Maps keep the order of creation. It is the simulator's own, so it
 * survives whatever happens to the server under test.
 */
export interface Book {
  readonly intents: Map<string, PaymentIntent>
  readonly charges: Map<string, Charge>
  readonly refunds: Map<string, Refund>
  readonly disputes: Map<string, Dispute>
  readonly sessions: Map<string, CheckoutSession>
  readonly events: Map<string, StripeEvent>
  /** Wall-clock milliseconds of each intent's last change: search lags behind it. */
  readonly changedAt: Map<string, number>
  /** Net amount by a metadata entry of the payment intent; intents without the entry are left out. */
  net(metadataName: 'operation' | 'order'): Record<string, NetAmount>
  /** Net amount over everything, in minor units, by currency. */
  total(): Record<string, number>
  clear(): void
}

export function createBook(open: OpenMap = freshMap): Book {
  const intents = open<PaymentIntent>('intents')
  const charges = open<Charge>('charges')
  const refunds = open<Refund>('refunds')
  const disputes = open<Dispute>('disputes')
  const sessions = open<CheckoutSession>('sessions')
  const events = open<StripeEvent>('events')
  const changedAt = open<number>('changedAt')

  const refundsOf = (charge: Charge) =>
    [...refunds.values()].filter(
      ({ charge: of, status }) => of === charge.id && (status === 'succeeded' || status === 'pending'),
    )
  const sum = (nameOf: (intent: PaymentIntent) => string | undefined) =>
    netAmounts(
      [...charges.values()].map((charge) => {
        const intent = intents.get(charge.payment_intent)
        return {
          name: intent && nameOf(intent),
          currency: charge.currency,
          amount: charge.amount_captured,
          refunds: refundsOf(charge).map(({ amount }) => amount),
        }
      }),
    )

  return {
    intents,
    charges,
    refunds,
    disputes,
    sessions,
    events,
    changedAt,
    net: (metadataName) => sum((intent) => intent.metadata[metadataName]),
    total: () => netsOf(sum((intent) => intent.currency)),
    clear() {
      for (const map of [intents, charges, refunds, disputes, sessions, events, changedAt]) map.clear()
    },
  }
}

/** The whole book as `GET /_control/book` shows it. */
export function bookAsJson(book: Book): Record<string, unknown> {
  return {
    paymentIntents: [...book.intents.values()],
    charges: [...book.charges.values()],
    refunds: [...book.refunds.values()],
    disputes: [...book.disputes.values()],
    checkoutSessions: [...book.sessions.values()],
    events: [...book.events.values()],
    net: { byOperation: book.net('operation'), byOrder: book.net('order'), total: book.total() },
  }
}

/** What a piece of work on the book is told, and whom it tells what happened. */
export interface Work {
  readonly book: Book
  /** Where the hosted pages are. */
  readonly pages: string
  /** An order to decline this call's charge, or to leave it processing. */
  readonly ordered?: {
    readonly decline?: { code: string; declineCode: string } | undefined
    readonly processing?: boolean
  }
  /** Records an event; it is delivered after the call. */
  emit(type: string, object: object): void
}

export function recordEvent(
  book: Book,
  type: string,
  object: object,
  request: { id: string | null; key: string | null },
): StripeEvent {
  const event: StripeEvent = {
    id: newId('evt'),
    object: 'event',
    api_version: apiVersion,
    created: unixNow(),
    // A snapshot: what happens later does not change what was announced.
    data: { object: structuredClone(object) },
    livemode: false,
    pending_webhooks: 1,
    request: { id: request.id, idempotency_key: request.key },
    type,
  }
  book.events.set(event.id, event)
  return event
}
