import { defineOperation, refuse, uuidv7 } from 'safepoint'
import { z } from 'zod'
import { emailKeyOf, locales, sessionLifetime } from './accounts.ts'
import { insertAccount, insertSession } from './accounts.queries.ts'
import { userOf, type OpenedSession } from './accounts.schema.ts'
import { mintTokens, type SessionParts } from './mint-tokens.ts'

/** Makes an account and its first session. The password comes in hashed: that takes longer than a transaction may. */
export const registerAccount = (parts: SessionParts) =>
  defineOperation({
    name: 'account.register',
    input: z.strictObject({
      email: z.string(),
      name: z.string(),
      passwordHash: z.string(),
      locale: z.enum(locales).optional(),
    }),
    errors: {
      email_taken: 'There is an account with this address.',
      session_ended: 'The session of this answer has ended since.',
      busy: 'Too many log-ins at once; come back in a second.',
    },
    onDisconnect: 'finish',
    onCancel: 'No account is made.',
    keep: 'An account is closed by its owner, who can log in from here on.',
    fresh: mintTokens(parts),
    async run(ctx, { email, name, passwordHash, locale }): Promise<OpenedSession> {
      const { tx } = ctx
      const accountId = uuidv7()
      const sessionId = uuidv7()
      const made = await insertAccount(tx, {
        id: accountId,
        email,
        emailKey: emailKeyOf(email),
        name,
        role: 'customer',
        passwordHash,
        ...(locale && { locale }),
      })
      if (!made) throw refuse('email_taken', 'There is an account with this address.')
      await insertSession(tx, { sessionId, tokenId: uuidv7(), accountId, lifetime: sessionLifetime })
      ctx.respond({ status: 201, headers: { location: '/api/me' } })
      return { user: userOf(made), sessionId }
    },
  })
