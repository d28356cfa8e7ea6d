import type { CallLog } from '../call-log.ts'
import type { FaultQueue } from '../faults.ts'
import { keepState } from '../keep-state.ts'
import { startSimulatorServer } from '../simulator-server.ts'
import { createWebhookSender, defaultWebhookRetry, type WebhookRetry, type WebhookSender } from '../webhook-sender.ts'
import { createBook, type Book } from './book.ts'
import { createCardcomVendor } from './cardcom-vendor.ts'

/**
 * CardCom sends up to seven times more: after 1, 2, 2, 16 and 60 minutes, and twice 12 hours. Here as often, and quicker.
 * https://cardcomapi.zendesk.com/hc/he/articles/28448202810514
 */
export const cardcomWebhookRetry: WebhookRetry = { ...defaultWebhookRetry, attempts: 8 }

export interface CardcomSimulatorOptions {
  /** 0, the default, takes a free one. */
  readonly port?: number
  readonly terminalNumber: number
  readonly apiName: string
  readonly apiPassword: string
  readonly webhookRetry?: WebhookRetry
  /** Webhooks as the older API sends them: a GET with the page's id. Default false. */
  readonly legacyWebhooks?: boolean
  /** The merchant's setting "Always report transaction": declines are told, too. Default false. */
  readonly reportDeclines?: boolean
  /** A file that what it knows is kept in, over restarts. */
  readonly keepIn?: string
}

export interface CardcomSimulator {
  readonly url: string
  /** The truth: transactions, refunds, net amounts. */
  readonly book: Book
  readonly calls: CallLog
  readonly faults: FaultQueue
  readonly webhooks: WebhookSender
  close(): Promise<void>
}

/**
 * Starts a CardCom on loopback: the wire of https://secure.cardcom.solutions/swagger/v11/swagger.json for pages, token
 * charges, look-ups and refunds, the hosted page, unsigned webhooks, and faults by order (see `control.ts` and
 * `cardcom-control.ts`). Webhooks go where each page says. An accepted payment stands, whatever becomes of the client that
 * asked for it.
 */
export async function startCardcomSimulator(options: CardcomSimulatorOptions): Promise<CardcomSimulator> {
  const kept = keepState(options.keepIn)
  const book = createBook(kept.open)
  const nowhere = { url: null, secret: '' }
  const webhooks = createWebhookSender(() => ({}), nowhere, options.webhookRetry ?? cardcomWebhookRetry)
  let parts: { calls: CallLog; faults: FaultQueue } | undefined
  const server = await startSimulatorServer(
    (url) => {
      const { terminalNumber, apiName, apiPassword, legacyWebhooks = false, reportDeclines = false } = options
      const vendor = createCardcomVendor(
        { terminalNumber, apiName, apiPassword, legacyWebhooks, reportDeclines },
        url,
        book,
        webhooks,
      )
      parts = vendor
      return vendor
    },
    { port: options.port, kept },
  )
  if (!parts) throw new Error('the simulator started without its vendor')
  return { url: server.url, book, calls: parts.calls, faults: parts.faults, webhooks, close: () => server.close() }
}
