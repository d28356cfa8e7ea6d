import type { Enqueue } from '../../jobs.ts'
import { receiveEvent } from './receive-event.ts'
import { replayWebhook } from './replay-webhook.ts'

/** The operations on the inbox. */
export const webhookOperations = (options: { readonly enqueue: Enqueue }) => ({
  receiveEvent: receiveEvent(options),
  replayWebhook: replayWebhook(options),
})
