import type { Reader } from '../../database.ts'
import type { Job } from '../../jobs.ts'
import type { Logger } from '../../log.ts'
import { stripPayloads } from './webhook-events.queries.ts'

export const stripWebhooksJob = 'payments.strip-webhooks'

export interface StripWebhooksOptions {
  readonly database: Reader
  /** How long the payload of an event is kept once it was applied, in days. Default {@link defaultPayloadDays}. */
  readonly days?: number | undefined
  readonly log: Logger
}

/** A month: longer than a gateway delivers an event again, and than anybody asks what it said. */
export const defaultPayloadDays = 30

const day = 24 * 3600_000
const batch = 500

/**
 * What a gateway told holds names, addresses and digits of cards, and nobody needs it once it was applied: the payload goes, the
 * event stays. One that waits, or was given up, keeps it until it was applied, which is for a human.
 */
export function stripWebhooks({ database, days = defaultPayloadDays, log }: StripWebhooksOptions): Job {
  return {
    name: stripWebhooksJob,
    cron: '23 * * * *',
    together: true,
    async work(_, signal) {
      let stripped = 0
      while (!signal.aborted) {
        const done = await stripPayloads(database, { keptFor: days * day, limit: batch })
        stripped += done
        if (done < batch) break
      }
      if (stripped > 0) log.info({ stripped }, 'the payloads of old webhook events are gone')
    },
  }
}
