import { defineOperation } from 'safepoint'
import { z } from 'zod'
import { revokeSession } from './accounts.queries.ts'
import { announceEnded } from './ended-sessions.ts'

/** Ends a session and all of its tokens: because its owner logs out, or because a token of it was shown a second time. */
export const endSession = defineOperation({
  name: 'session.end',
  input: z.strictObject({ sessionId: z.uuid(), because: z.enum(['logout', 'token_reused']) }),
  errors: { token_invalid: 'The refresh token was not made here.' },
  onDisconnect: 'finish',
  uncancellable: 'Logging out is not taken back: log in again.',
  keep: 'Log in again.',
  async run({ tx }, { sessionId, because }): Promise<void> {
    if (await revokeSession(tx, sessionId, because)) announceEnded(tx, [sessionId])
  },
})
