import { uuidv7, type SqlTransaction } from 'safepoint'
import { announce } from '../announce.ts'
import { mailTopic, type MailTemplate } from './mail.ts'
import { insertMail } from './mail.queries.ts'

export interface NewMail {
  /** Names what the mail tells of: written again, it is still one mail. */
  readonly once: string
  readonly accountId: string
  readonly template: MailTemplate
  /** Of an order's mails `{orderId, paymentId?, total | amount}`, money as `{amount, currency}`; of `password_reset` `{resetId}`. */
  readonly data: Readonly<Record<string, unknown>>
}

/**
 * Writes a mail into the outbox, in the transaction of what it tells of: there is one exactly if the other is. It goes to the
 * account's address, in its language. Once committed it is sent at once by this process, and should that die, by whichever
 * sweeps next (`send-queued-mails.ts`): what is `queued` is looked for every minute, so that no signal has to arrive.
 */
export async function queueMail(tx: SqlTransaction, mail: NewMail): Promise<void> {
  await insertMail(tx, { id: uuidv7(), ...mail })
  announce(tx, mailTopic)
}
