import type { CallLog } from '../call-log.ts'
import type { FaultQueue } from '../faults.ts'
import { keepState } from '../keep-state.ts'
import { startSimulatorServer } from '../simulator-server.ts'
import { createWebhookSender, defaultWebhookRetry, type WebhookRetry, type WebhookSender } from '../webhook-sender.ts'
import { createBook, type Book } from './book.ts'
import { createRazorpayVendor } from './razorpay-vendor.ts'
import { signWebhook } from './signatures.ts'

/** What a shop's endpoint asks Razorpay for; the default of `webhookEvents`. */
export const usualWebhookEvents = [
  'order.paid',
  'payment.authorized',
  'payment.captured',
  'payment.dispute.action_required',
  'payment.dispute.closed',
  'payment.dispute.created',
  'payment.dispute.lost',
  'payment.dispute.under_review',
  'payment.dispute.won',
  'payment.failed',
  'refund.created',
  'refund.failed',
  'refund.processed',
] as const

/** Razorpay waits 5 s for an answer. */
export const razorpayWebhookRetry: WebhookRetry = { ...defaultWebhookRetry, timeoutMs: 5_000 }

export interface RazorpaySimulatorOptions {
  /** 0, the default, takes a free one. */
  readonly port?: number
  readonly keyId: string
  readonly keySecret: string
  /** Where events go; without it they are only recorded. Can be set later by `PUT /_control/webhook`. */
  readonly webhookUrl?: string
  readonly webhookSecret: string
  readonly webhookEvents?: readonly string[]
  readonly webhookRetry?: WebhookRetry
  /** Refuses an order whose receipt is there already: documented as a demand, not known to be enforced. Default false. */
  readonly uniqueReceipts?: boolean
  /** A file that what it knows is kept in, over restarts. */
  readonly keepIn?: string
}

export interface RazorpaySimulator {
  readonly url: string
  /** The truth: payments, refunds, net amounts. */
  readonly book: Book
  readonly calls: CallLog
  readonly faults: FaultQueue
  readonly webhooks: WebhookSender
  close(): Promise<void>
}

/**
 * Starts a Razorpay on loopback: the wire of https://razorpay.com/docs/api for orders, payments and refunds, the hosted
 * page, signed webhooks, and faults by order (see `control.ts` and `razorpay-control.ts`). An accepted payment stands,
 * whatever becomes of the client that asked for it.
 */
export async function startRazorpaySimulator(options: RazorpaySimulatorOptions): Promise<RazorpaySimulator> {
  const kept = keepState(options.keepIn)
  const book = createBook(kept.open)
  const endpoint = { url: options.webhookUrl ?? null, secret: options.webhookSecret }
  const webhooks = createWebhookSender(signWebhook, endpoint, options.webhookRetry ?? razorpayWebhookRetry)
  const vendor = createRazorpayVendor(
    {
      keyId: options.keyId,
      keySecret: options.keySecret,
      webhookEvents: options.webhookEvents ?? usualWebhookEvents,
      uniqueReceipts: options.uniqueReceipts ?? false,
    },
    book,
    webhooks,
    kept.open,
  )
  const server = await startSimulatorServer(() => vendor, { port: options.port, kept })
  const { calls, faults } = vendor
  return { url: server.url, book, calls, faults, webhooks, close: () => server.close() }
}
