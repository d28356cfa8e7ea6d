import type { CallLog } from '../call-log.ts'
import type { FaultQueue } from '../faults.ts'
import { keepState } from '../keep-state.ts'
import { startSimulatorServer } from '../simulator-server.ts'
import { createWebhookSender, type WebhookRetry, type WebhookSender } from '../webhook-sender.ts'
import { createBook, type Book } from './book.ts'
import { createStripeVendor } from './stripe-vendor.ts'
import { signStripe } from './webhook-signature.ts'

/** What a shop's endpoint asks Stripe for; the default of `webhookEvents`. */
export const usualWebhookEvents = [
  'charge.dispute.closed',
  'charge.dispute.created',
  'charge.dispute.updated',
  'charge.refund.updated',
  'charge.refunded',
  'checkout.session.completed',
  'checkout.session.expired',
  'payment_intent.canceled',
  'payment_intent.payment_failed',
  'payment_intent.processing',
  'payment_intent.requires_action',
  'payment_intent.succeeded',
  'refund.failed',
  'refund.updated',
] as const

export interface StripeSimulatorOptions {
  /** 0, the default, takes a free one. */
  readonly port?: number
  readonly secretKey: string
  /** Where events go; without it they are only recorded. Can be set later by `PUT /_control/webhook`. */
  readonly webhookUrl?: string
  readonly webhookSecret: string
  readonly webhookEvents?: readonly string[]
  readonly webhookRetry?: WebhookRetry
  /** How long search lags behind, in milliseconds; at Stripe up to a minute. Default 0. */
  readonly searchLagMs?: number
  /** How long a key is honoured, in milliseconds. Default 24 h, the least that Stripe promises. */
  readonly keyLifetimeMs?: number
  /** A file that what it knows is kept in, over restarts. */
  readonly keepIn?: string
}

export interface StripeSimulator {
  readonly url: string
  /** The truth: charges, refunds, net amounts. */
  readonly book: Book
  readonly calls: CallLog
  readonly faults: FaultQueue
  readonly webhooks: WebhookSender
  close(): Promise<void>
}

/**
 * Starts a Stripe on loopback: the wire of https://docs.stripe.com/api for payment intents, refunds, checkout sessions
 * and events, with idempotency keys, signed webhooks, hosted pages, and faults by order (see `control.ts`).
 * An accepted charge stands, whatever becomes of the client that asked for it.
 */
export async function startStripeSimulator(options: StripeSimulatorOptions): Promise<StripeSimulator> {
  const kept = keepState(options.keepIn)
  const book = createBook(kept.open)
  const endpoint = { url: options.webhookUrl ?? null, secret: options.webhookSecret }
  const webhooks = createWebhookSender(signStripe, endpoint, options.webhookRetry)
  let parts: { calls: CallLog; faults: FaultQueue } | undefined
  const server = await startSimulatorServer(
    (url) => {
      const vendor = createStripeVendor(
        {
          secretKey: options.secretKey,
          searchLagMs: options.searchLagMs ?? 0,
          keyLifetimeMs: options.keyLifetimeMs ?? 24 * 60 * 60 * 1000,
          webhookEvents: options.webhookEvents ?? usualWebhookEvents,
        },
        url,
        book,
        webhooks,
        kept.open,
      )
      parts = vendor
      return vendor
    },
    { port: options.port, kept },
  )
  if (!parts) throw new Error('the simulator started without its vendor')
  return { url: server.url, book, calls: parts.calls, faults: parts.faults, webhooks, close: () => server.close() }
}
