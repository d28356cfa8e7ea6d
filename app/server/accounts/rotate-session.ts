import { defineOperation, refuse, uuidv7 } from 'safepoint'
import { z } from 'zod'
import { exchangeToken } from './accounts.queries.ts'
import { userOf, type OpenedSession } from './accounts.schema.ts'
import { mintTokens, type SessionParts } from './mint-tokens.ts'

/**
 * Exchanges a refresh token for the next one, under a key derived from the token: sent twice at once, or again because the
 * answer was lost, it is one exchange. What comes later than that is told as reuse before it gets here.
 */
export const rotateSession = (parts: SessionParts) =>
  defineOperation({
    name: 'session.rotate',
    input: z.strictObject({ tokenId: z.uuid(), sessionId: z.uuid() }),
    errors: {
      token_invalid: 'The refresh token is unknown, or its session has ended.',
      token_reused: 'The refresh token had been exchanged before: its session is ended everywhere.',
      session_ended: 'The session of this answer has ended since.',
    },
    onDisconnect: 'finish',
    uncancellable: 'The token is used once it is shown.',
    keep: 'A token that was exchanged stays exchanged.',
    lookUpFirst: true,
    fresh: mintTokens(parts),
    async run({ tx }, { tokenId, sessionId }): Promise<OpenedSession> {
      const account = await exchangeToken(tx, { tokenId, nextId: uuidv7() })
      if (!account) throw refuse('token_invalid', 'This token cannot be exchanged.')
      return { user: userOf(account), sessionId }
    },
  })
