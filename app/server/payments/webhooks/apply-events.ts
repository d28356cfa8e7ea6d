import {
  isSafepointError,
  type AnyOperation,
  type Safepoint,
  type SqlTransaction,
  type StandardSchema,
} from 'safepoint'
import { isId } from '../../http.ts'
import type { Enqueue, Job } from '../../jobs.ts'
import type { Logger } from '../../log.ts'
import { applyEventsJob } from './receive-event.ts'
import { claimDueEvents, findEvent, listPaymentsOf, markApplied, recordTry } from './webhook-events.queries.ts'
import { defaultTries, retryDelay, type StoredEvent } from './webhook-events.ts'

/** What brings a payment, and its order, to where the gateway says that it stands. Safe to repeat. */
export type SettlePayment = AnyOperation<SqlTransaction> & {
  readonly input: StandardSchema<{ readonly paymentId: string }, any>
}

/** What writes down a dispute of a payment, as the gateway says that it stands. Safe to repeat. */
export type NoteDispute = AnyOperation<SqlTransaction> & {
  readonly input: StandardSchema<{ readonly paymentId: string; readonly disputeId: string }, any>
}

export interface EventApplierOptions {
  readonly safepoint: Safepoint<SqlTransaction>
  readonly settlePayment: SettlePayment
  readonly noteDispute: NoteDispute
  readonly enqueue: Enqueue
  readonly log: Logger
  /** Until an event is given up. Default: about a day's. */
  readonly tries?: number | undefined
}

export interface EventApplier {
  /**
   * Tries an event now, in this process. Best effort, and never throws: what makes it certain is the job. What is one too
   * many is left to that.
   */
  soon(id: string): void
  readonly job: Job
}

/** The keys of the shop's own operations. */
const shopScope = 'shop'

/** Events tried at the same time; each may wait for its gateway. */
const parallel = 8
const backlog = 200
const batch = 50
/** Milliseconds that a claimed batch is left to whoever claimed it. */
const lease = 60_000

/**
 * Applies what is in the inbox: finds the payments that an event may be about and settles them. The event itself is not
 * believed (it may be late, or forged), so that it does not matter in which order, or how often, events come.
 */
export function applyEvents(options: EventApplierOptions): EventApplier {
  const { safepoint, log } = options
  const waiting: string[] = []
  let running = 0

  async function work(): Promise<void> {
    for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
      try {
        const event = await findEvent(safepoint.database, id)
        if (event) await applyEvent(options, event)
      } catch (error) {
        log.debug({ err: error, event: id }, 'a webhook event is left to the queue')
      }
    }
  }

  return {
    soon(id) {
      if (waiting.length >= backlog) return
      waiting.push(id)
      if (running >= parallel) return
      running++
      void work().finally(() => running--)
    },
    job: {
      name: applyEventsJob,
      // What a job was lost for, or its claim outlived its process.
      cron: '* * * * *',
      together: true,
      async work(_, signal) {
        for (;;) {
          const due = await claimDueEvents(safepoint.database, batch, lease)
          const queue = due.values()
          const failures: unknown[] = []
          await Promise.all(
            Array.from({ length: parallel }, async () => {
              for (const event of queue) {
                if (signal.aborted) return
                await applyEvent(options, event).catch((error: unknown) => failures.push(error))
              }
            }),
          )
          if (failures.length > 0) throw failures[0]
          if (due.length < batch || signal.aborted) return
        }
      },
    },
  }
}

/** One try. Throws only where it could not be recorded. */
async function applyEvent(options: EventApplierOptions, event: StoredEvent): Promise<void> {
  if (event.state !== 'waiting') return
  const { database } = options.safepoint
  const problem = await settleAll(options, event)
  if (problem === undefined) {
    await markApplied(database, event)
    return
  }
  const { tries: most = defaultTries, enqueue, log } = options
  const tries = event.tries + 1
  const dead = tries >= most
  const delay = dead ? null : Math.max(retryDelay(tries), problem.retryAfterMs ?? 0)
  const end = await database.transaction({}, async (tx) => {
    const recorded = await recordTry(tx, event, { error: problem.error, delay })
    if (recorded && !dead) await enqueue(tx, applyEventsJob, {}, { after: recorded.dueAt })
    return recorded
  })
  if (end.end === 'rolled back') throw end.error
  if (end.end !== 'committed' || !end.value) return
  const { id, gateway, eventId, type } = event
  const fields = { event: id, gateway, eventId, type, tries, error: problem.error }
  if (dead) log.error(fields, 'a webhook event could not be applied and is given up; it can be replayed')
  else log.info({ ...fields, delay }, 'a webhook event waits')
}

interface Problem {
  readonly error: string
  readonly retryAfterMs?: number | undefined
}

/** Undefined: every payment that it may be about stands as its gateway says. */
async function settleAll(options: EventApplierOptions, event: StoredEvent): Promise<Problem | undefined> {
  const { safepoint, settlePayment, noteDispute } = options
  const { orderId, disputeId } = event
  const payments = await listPaymentsOf(safepoint.database, {
    ...event,
    orderId: orderId !== null && isId(orderId) ? orderId : null,
  })
  if (payments.length === 0) return { error: 'no payment has this reference, page or order' }
  for (const paymentId of payments) {
    // Of one try: whoever received the event and the job meet under it. A try that failed is remembered under its key.
    const key = `webhook-${event.id}-${event.round}-${event.tries}-${paymentId}`
    const problem = await apply(safepoint, settlePayment, { paymentId }, key)
    // Whoever is in charge of the payment does not keep a human from being told of a dispute.
    const untold =
      disputeId !== null && (await apply(safepoint, noteDispute, { paymentId, disputeId }, `${key}-dispute`))
    if (problem || untold) return untold || problem
  }
  return undefined
}

async function apply<Input>(
  safepoint: Safepoint<SqlTransaction>,
  operation: AnyOperation<SqlTransaction> & { readonly input: StandardSchema<Input, any> },
  input: Input,
  key: string,
): Promise<Problem | undefined> {
  try {
    const answer = await safepoint.run(operation, input, { scope: shopScope, key })
    if (answer.outcome === 'succeeded') return undefined
    if (answer.outcome !== 'failed') return { error: `${operation.name} is ${answer.outcome}` }
    const { code, message, details } = answer.error
    return { error: `${code}: ${message}`, retryAfterMs: millisecondsOf(details['retryAfterMs']) }
  } catch (error) {
    if (!isSafepointError(error)) throw error
    // Above all `conflict`: a confirmation or a cancellation is in charge, and learns the outcome itself.
    return { error: `${error.code}: ${error.message}`, retryAfterMs: error.retryAfterMs }
  }
}

const millisecondsOf = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined)
