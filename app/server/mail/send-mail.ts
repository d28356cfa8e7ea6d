import { defineOperation, isSafepointError, outsideStep, refuse } from 'safepoint'
import { z } from 'zod'
import type { PantryDatabase } from '../database.ts'
import type { Logger } from '../log.ts'
import type { RenderedMail } from './letter.ts'
import { mailBackOff, type Delivery, type MailState } from './mail.ts'
import { endRound, findMail } from './mail.queries.ts'
import { renderMail, type MailLinks } from './render-mail.ts'
import type { Relay } from './smtp-relay.ts'

export interface SendMailOptions {
  readonly database: PantryDatabase
  /** Absent: nothing is sent from here. */
  readonly relay: Relay | undefined
  readonly links: MailLinks
  readonly log: Logger
  /** Milliseconds from each try that was put off to the next; as many tries and one. */
  readonly backOff?: readonly number[]
}

/** What a try came to. */
export interface MailTried {
  readonly mailId: string
  /** Null: another run had ended this round. */
  readonly state: MailState | null
}

/** Whose keys the shop's own operations have. */
export const shopScope = 'shop'

/**
 * One try to hand a mail to the relay, under a key of the mail and the round ({@link mailKey}), so that however many processes try,
 * one does. A crash, or a lost answer, after the text has left is settled by sending it again under the same Message-ID: see
 * `smtp-relay.ts` for how far that is exactly once. What is put off waits for its next round in the outbox, not in this run.
 */
export function sendMail({ database, relay, links, log, backOff = mailBackOff }: SendMailOptions) {
  return defineOperation({
    name: 'mail.send',
    input: z.strictObject({ mailId: z.uuid(), round: z.int().min(1) }),
    errors: { not_configured: 'No mail relay is configured here.' },
    onDisconnect: 'finish',
    uncancellable: 'A mail that has been queued tells of what has happened.',
    keep: 'A mail that has left cannot be called back.',
    steps: {
      hand: outsideStep<{ mailId: string }, Delivery>({
        timeout: 60_000,
        // Of a lost answer; what the relay says is an answer, and its next round comes later.
        tries: 3,
        settle: { repeat: { window: Number.POSITIVE_INFINITY } },
        keep: 'A mail that has left cannot be called back.',
        async call({ mailId }, { signal }) {
          if (!relay) throw refuse('not_configured', 'No mail relay is configured here.', { effect: 'none' })
          const mail = await findMail(database, mailId)
          if (!mail) return { outcome: 'refused', reply: 'There is no such mail.' }
          // Its account was closed since this try began.
          if (mail.state === 'failed') return { outcome: 'refused', reply: 'It is not to be sent any more.' }
          let rendered: RenderedMail
          try {
            rendered = await renderMail(database, mail, links)
          } catch (error) {
            log.error({ err: error, mailId, template: mail.template }, 'a mail could not be rendered')
            return { outcome: 'deferred', reply: `It could not be rendered: ${(error as Error).message}`.slice(0, 500) }
          }
          return relay.hand({ ...rendered, id: mail.id, to: mail.recipient, createdAt: mail.createdAt }, signal)
        },
      }),
    },
    async run(ctx, { mailId, round }) {
      const delivery = await answered(ctx.steps.hand({ mailId }))
      const level = delivery.outcome === 'accepted' ? 'info' : 'warn'
      log[level]({ mailId, round, ...delivery }, 'a mail was handed to the relay')
      return ctx.finish(async (tx): Promise<MailTried> => {
        return { mailId, state: (await endRound(tx, { mailId, round, backOff, ...delivery })) ?? null }
      })
    },
  })
}

export type SendMail = ReturnType<typeof sendMail>

/** Tries enough, and nobody knows: the next round sends it once more, under the same Message-ID. */
async function answered(call: Promise<Delivery>): Promise<Delivery> {
  try {
    return await call
  } catch (error) {
    if (!isSafepointError(error) || error.code !== 'indeterminate') throw error
    return { outcome: 'unknown', reply: 'The text was sent, and the answer of the relay was lost.' }
  }
}
