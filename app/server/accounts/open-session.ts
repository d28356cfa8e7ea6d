import { defineOperation, refuse, uuidv7 } from 'safepoint'
import { z } from 'zod'
import { sessionLifetime } from './accounts.ts'
import { insertSession } from './accounts.queries.ts'
import { userOf, type OpenedSession } from './accounts.schema.ts'
import { mintTokens, type SessionParts } from './mint-tokens.ts'

/** Logs in. The password was checked before; if it is changed in between, no session is opened. */
export const openSession = (parts: SessionParts) =>
  defineOperation({
    name: 'session.open',
    input: z.strictObject({ accountId: z.uuid(), credentialVersion: z.int() }),
    errors: {
      credentials_invalid: 'No account has this address and password.',
      session_ended: 'The session of this answer has ended since.',
      busy: 'Too many log-ins at once; come back in a second.',
    },
    onDisconnect: 'finish',
    onCancel: 'No session is opened.',
    keep: 'A session is ended by logging out.',
    fresh: mintTokens(parts),
    async run({ tx }, { accountId, credentialVersion }): Promise<OpenedSession> {
      const sessionId = uuidv7()
      const account = await insertSession(tx, {
        sessionId,
        tokenId: uuidv7(),
        accountId,
        credentialVersion,
        lifetime: sessionLifetime,
      })
      if (!account) throw refuse('credentials_invalid', 'The password was changed.')
      return { user: userOf(account), sessionId }
    },
  })
