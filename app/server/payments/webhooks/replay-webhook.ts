import { defineOperation, refuse } from 'safepoint'
import { z } from 'zod'
import { isId } from '../../http.ts'
import type { Enqueue } from '../../jobs.ts'
import { applyEventsJob } from './receive-event.ts'
import { findEvent, reopenEvent } from './webhook-events.queries.ts'
import { viewEvent, type WebhookEventView } from './webhooks.schema.ts'

/** Applies an event of the inbox once more, whatever became of it: an administrator's way out of `dead`. */
export function replayWebhook({ enqueue }: { readonly enqueue: Enqueue }) {
  return defineOperation({
    name: 'webhook.replay',
    input: z.strictObject({ id: z.string() }),
    errors: {
      webhook_not_found: 'There is no such event.',
      webhook_not_replayable: 'The event is of no interest to a shop: there is nothing to apply.',
    },
    onDisconnect: 'finish',
    onCancel: 'The event keeps the state it has.',
    keep: 'Settling a payment brings it to where its gateway says that it stands; there is nothing to take back.',
    async run({ tx }, { id }): Promise<WebhookEventView> {
      const event = isId(id) ? await reopenEvent(tx, id) : undefined
      if (!event) {
        if (isId(id) && (await findEvent(tx, id)))
          throw refuse('webhook_not_replayable', 'There is nothing to apply in this event.')
        throw refuse('webhook_not_found', 'There is no such event.')
      }
      await enqueue(tx, applyEventsJob, {})
      return viewEvent(event)
    },
  })
}

export type ReplayWebhook = ReturnType<typeof replayWebhook>
