import { isSafepointError, type Safepoint, type SqlTransaction } from 'safepoint'
import type { Job } from '../jobs.ts'
import type { Logger } from '../log.ts'
import { mailBackOff, mailKey } from './mail.ts'
import { endRound, listDueMails } from './mail.queries.ts'
import { shopScope, type SendMail } from './send-mail.ts'

export interface QueuedMails {
  /** Sends all that is due; one sweep at a time, and one more after a call during a sweep. Resolves when nothing is left. Never rejects. */
  sweep(): Promise<void>
  /** No further mail is begun; resolves when the sweep has ended. */
  stop(): Promise<void>
}

export interface QueuedMailsOptions {
  readonly safepoint: Safepoint<SqlTransaction>
  readonly operation: SendMail
  /** `false`: no relay is configured, and mails stay queued. */
  readonly enabled: boolean
  readonly log: Logger
  readonly backOff?: readonly number[]
}

/** At once, by one process. */
const places = 4
const batch = 50
/** Milliseconds that a sweep waits for one mail; what takes longer goes on behind it. */
const wait = 30_000

/**
 * Sends what is queued: at once after the commit that queued it (`mailTopic`), and every minute for whatever was missed, because a
 * process died between the two or a mail was put off. So a committed mail is always sent in the end, or `failed` with a reason.
 */
export function sendQueuedMails(options: QueuedMailsOptions): QueuedMails {
  const { safepoint, operation, enabled, log, backOff = mailBackOff } = options
  let running: Promise<void> | undefined
  let called = Promise.withResolvers<void>()
  let again = false
  let stopped = !enabled

  async function sendDue(): Promise<void> {
    const underWay = new Map<string, Promise<void>>()
    /** Tried, and not sent: left to the next sweep. */
    const left = new Set<string>()
    let more: boolean
    do {
      again = false
      called = Promise.withResolvers()
      const listed = await listDueMails(safepoint.database, batch + underWay.size + left.size)
      const due = listed.filter(({ id }) => !underWay.has(id) && !left.has(id))
      for (const { id, round } of due) {
        if (underWay.size >= places) await Promise.race(underWay.values())
        if (stopped) break
        const sending = sendOne(id, round).then((ended) => {
          underWay.delete(id)
          if (!ended) left.add(id)
        })
        underWay.set(id, sending)
      }
      more = due.length > 0
      // A mail that takes long holds up nobody who is queued meanwhile.
      if (underWay.size > 0 && due.length < batch) await Promise.race([...underWay.values(), called.promise])
    } while (!stopped && (again || more || underWay.size > 0))
    await Promise.all(underWay.values())
  }

  /** Whether nothing more is to be done for it. */
  async function sendOne(mailId: string, round: number): Promise<boolean> {
    const key = mailKey(mailId, round)
    try {
      const answer = await safepoint.run(operation, { mailId, round }, { scope: shopScope, key, wait })
      if (answer.outcome === 'succeeded') return answer.result.state === 'sent' || answer.result.state === 'failed'
      if (answer.outcome === 'pending') return false
      // This key will never send it: the next round has another.
      const reply = answer.outcome === 'failed' ? answer.error.message : 'The time of this try was up.'
      await endRound(safepoint.database, { mailId, round, backOff, outcome: 'unknown', reply })
    } catch (error) {
      // Somebody else is at it, or the database is away: the next sweep looks again.
      if (!isSafepointError(error) || !error.retryable)
        log.error({ err: error, mailId }, 'a queued mail could not be sent; the next sweep tries again')
    }
    return false
  }

  async function sweepUntilDone(): Promise<void> {
    try {
      // Nothing comes between the last look at `again` and the end of this sweep: no call is lost.
      do await sendDue()
      while (again && !stopped)
    } catch (error) {
      if (!stopped) log.warn({ err: error }, 'queued mails could not be read; the next sweep tries again')
    } finally {
      running = undefined
    }
  }

  return {
    sweep() {
      if (stopped) return Promise.resolve()
      again = true
      called.resolve()
      return (running ??= sweepUntilDone())
    },
    async stop() {
      stopped = true
      called.resolve()
      await running
    },
  }
}

/** Looks every minute for what no signal has led to. */
export const sendMailsJob = 'mails.send'

export const sweepMails = (mails: QueuedMails): Job => ({
  name: sendMailsJob,
  cron: '* * * * *',
  work: () => mails.sweep(),
})
