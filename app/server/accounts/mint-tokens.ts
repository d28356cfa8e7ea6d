import { refuse } from 'safepoint'
import type { Reader } from '../database.ts'
import { findLiveSession } from './accounts.queries.ts'
import type { OpenedSession } from './accounts.schema.ts'
import { accessLifetime, type Tokens } from './tokens.ts'

export interface SessionParts {
  readonly tokens: Tokens
  /** The primary. */
  readonly database: Reader
}

/**
 * The `fresh` fields of whatever opens or continues a session: minted at each answer for what the session is then, so that no
 * stored answer holds a token, and a replay after the session's end hands out none.
 */
export const mintTokens =
  ({ tokens, database }: SessionParts) =>
  async ({ result }: { readonly result: OpenedSession }) => {
    const session = await findLiveSession(database, result.sessionId)
    if (!session) throw refuse('session_ended', 'This session has ended.')
    return {
      accessToken: await tokens.issueAccess({ ...session, sessionId: result.sessionId }),
      expiresIn: accessLifetime,
      refreshToken: tokens.refreshTokenOf(session.tokenId),
    }
  }
