import { defineOperation, uuidv7 } from 'safepoint'
import { z } from 'zod'
import { queueMail } from '../mail/queue-mail.ts'
import { emailKeyOf, passwordResetLifetime } from './accounts.ts'
import { insertPasswordReset } from './passwords.queries.ts'

/** Milliseconds in which an account is sent one link, however often it is asked for. */
const pause = 60_000

/** Sends a link to choose a new password by, where the address is an account's. Answers the same where it is none. */
export const requestPasswordReset = defineOperation({
  name: 'password.request-reset',
  input: z.strictObject({ email: z.string() }),
  onDisconnect: 'finish',
  onCancel: 'No link is sent.',
  keep: 'A link that was sent ends by itself, within the hour.',
  async run(ctx, { email }): Promise<void> {
    const { tx } = ctx
    const id = uuidv7()
    const accountId = await insertPasswordReset(tx, {
      id,
      emailKey: emailKeyOf(email),
      lifetime: passwordResetLifetime,
      pause,
    })
    if (accountId !== undefined) {
      await queueMail(tx, {
        once: `password_reset:${id}`,
        accountId,
        template: 'password_reset',
        data: { resetId: id },
      })
    }
    ctx.respond({ status: 202 })
  },
})
