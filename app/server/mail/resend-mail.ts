import { defineOperation, refuse } from 'safepoint'
import { z } from 'zod'
import { announce } from '../announce.ts'
import { isId } from '../http.ts'
import { mailTopic } from './mail.ts'
import { findMail, listMailTries, requeueMail } from './mail.queries.ts'
import { viewMail, type MailView } from './mail.schema.ts'

/** An administrator has a failed mail sent after all. It keeps its Message-ID: whatever may have arrived before, it is one mail. */
export const resendMail = defineOperation({
  name: 'mail.resend',
  input: z.strictObject({ id: z.string().max(100) }),
  errors: {
    mail_not_found: 'There is no such mail.',
    mail_not_failed: 'The mail is sent, or still being tried, or its account is closed.',
  },
  onDisconnect: 'finish',
  onCancel: 'The mail stays failed.',
  keep: 'A mail that has left cannot be called back.',
  async run({ tx }, { id }): Promise<MailView> {
    const mail = isId(id) ? await requeueMail(tx, id) : undefined
    if (mail) {
      announce(tx, mailTopic)
      return viewMail(mail, await listMailTries(tx, id))
    }
    const found = isId(id) ? await findMail(tx, id) : undefined
    if (!found) throw noSuchMail()
    throw refuse('mail_not_failed', `The mail is ${found.state}.`, { details: { state: found.state } })
  },
})

export const noSuchMail = () => refuse('mail_not_found', 'There is no such mail.')
