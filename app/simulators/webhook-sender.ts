import { setTimeout as sleep } from 'node:timers/promises'
import { now, type Instant } from './call-log.ts'
import type { FaultOf } from './faults.ts'

export type Tamper = NonNullable<FaultOf<'webhook'>['tamper']>

export interface WebhookEndpoint {
  /** Null: events are recorded by the vendor and delivered to nobody. */
  readonly url: string | null
  readonly secret: string
}

export interface WebhookRetry {
  /** Attempts of one delivery, the first included. */
  readonly attempts: number
  /** Wait after the first failure; doubles each time. Milliseconds. */
  readonly baseMs: number
  readonly capMs: number
  /** How long an attempt waits for its answer. */
  readonly timeoutMs: number
}

/** Much quicker than any vendor, so that a demo recovers while somebody is watching. */
export const defaultWebhookRetry: WebhookRetry = { attempts: 12, baseMs: 500, capMs: 30_000, timeoutMs: 20_000 }

/** One attempt to deliver one event. */
export interface Delivery {
  readonly eventId: string
  readonly type: string
  readonly attempt: number
  readonly startedAt: Instant
  endedAt: Instant | null
  /** The endpoint's HTTP status; null while under way and where there was no answer. */
  status: number | null
  error: string | null
}

export interface OutgoingEvent {
  readonly id: string
  readonly type: string
  /** Sent byte for byte. */
  readonly body: string
  /** Beside the signature; the same on every attempt. */
  readonly headers?: Readonly<Record<string, string>>
  /** Where it goes, for vendors that are told with every object of theirs. Default: the endpoint of now. */
  readonly url?: string
  /** `GET`: the body is the query. Default `POST`. */
  readonly method?: 'GET' | 'POST'
  /** Signs every attempt, where the vendor keeps to the secret of when the event was made. Default: the endpoint's of now. */
  readonly secret?: string
}

/** Headers that prove where a body comes from; called for each attempt, because a signature carries the time of its attempt. */
export type Sign = (body: string, secret: string, tamper: Tamper | undefined) => Record<string, string>

export interface WebhookSender {
  endpoint: WebhookEndpoint
  /** Delivers now; resolves after the first attempt, goes on retrying in the background. */
  send(event: OutgoingEvent, tamper?: Tamper): Promise<void>
  deliveries(): readonly Delivery[]
  /** Resolves when nothing is under way nor waiting for a retry. */
  idle(): Promise<void>
  /** Stops what is under way and forgets it. */
  clear(): void
}

export function createWebhookSender(
  sign: Sign,
  endpoint: WebhookEndpoint,
  retry: WebhookRetry = defaultWebhookRetry,
): WebhookSender {
  let log: Delivery[] = []
  let stop = new AbortController()
  const running = new Set<Promise<void>>()

  async function attempt(
    event: OutgoingEvent,
    number: number,
    tamper: Tamper | undefined,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { secret } = sender.endpoint
    const url = event.url ?? sender.endpoint.url
    if (url === null) return true
    const delivery: Delivery = {
      eventId: event.id,
      type: event.type,
      attempt: number,
      startedAt: now(),
      endedAt: null,
      status: null,
      error: null,
    }
    log.push(delivery)
    const body = tamper === 'reserialized' ? JSON.stringify(JSON.parse(event.body), null, 2) : event.body
    try {
      const byGet = event.method === 'GET'
      const answer = await fetch(byGet ? `${url}${url.includes('?') ? '&' : '?'}${body}` : url, {
        method: byGet ? 'GET' : 'POST',
        headers: {
          'content-type': 'application/json; charset=utf-8',
          ...event.headers,
          ...sign(event.body, event.secret ?? secret, tamper),
        },
        ...(byGet ? {} : { body }),
        redirect: 'manual',
        signal: AbortSignal.any([signal, AbortSignal.timeout(retry.timeoutMs)]),
      })
      await answer.arrayBuffer()
      delivery.status = answer.status
    } catch (cause) {
      delivery.error = describe(cause)
    }
    delivery.endedAt = now()
    return delivery.status !== null && delivery.status >= 200 && delivery.status < 300
  }

  async function retryLater(event: OutgoingEvent, tamper: Tamper | undefined, signal: AbortSignal): Promise<void> {
    for (let number = 2; number <= retry.attempts; number += 1) {
      const wait = Math.min(retry.baseMs * 2 ** (number - 2), retry.capMs)
      try {
        await sleep(wait, undefined, { signal, ref: false })
      } catch {
        return
      }
      if (await attempt(event, number, tamper, signal)) return
    }
  }

  function track(work: Promise<void>): void {
    running.add(work)
    void work.finally(() => running.delete(work))
  }

  const sender: WebhookSender = {
    endpoint,
    async send(event, tamper) {
      const { signal } = stop
      const first = attempt(event, 1, tamper, signal)
      track(
        first.then(async (delivered) => {
          if (!delivered && !signal.aborted) await retryLater(event, tamper, signal)
        }),
      )
      await first
    },
    deliveries: () => log,
    async idle() {
      while (running.size > 0) await Promise.all(running)
    },
    clear() {
      stop.abort(new Error('simulator was reset'))
      stop = new AbortController()
      log = []
    },
  }
  return sender
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause as { code?: string; message?: string } | undefined
  return cause?.code ?? cause?.message ?? error.message
}
