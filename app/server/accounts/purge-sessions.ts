import type { Reader } from '../database.ts'
import type { Job } from '../jobs.ts'
import type { Logger } from '../log.ts'
import { deleteOldResets, deleteOldSessions, deleteOldTokens } from './purge-sessions.queries.ts'

export const purgeSessionsJob = 'accounts.purge-sessions'

/** A day after the time is up, in milliseconds: by then no clock, and no access token, knows of it any more. */
export const purgeDelay = 24 * 3600_000

const batch = 1000

/**
 * What is over is cleared away, a batch at a time: a session with its refresh tokens, and a link to a new password, a day after the
 * time that it was made for is up, and not earlier, whatever became of it. A token that was used, or whose session was ended, could
 * be shown again until then: as long as its row is there, that is told as reuse, and ends the session. After that it is as unknown as
 * any other, and opens nothing.
 */
export function purgeSessions({ database, log }: { readonly database: Reader; readonly log: Logger }): Job {
  return {
    name: purgeSessionsJob,
    cron: '43 * * * *',
    together: true,
    async work(_, signal) {
      const purged = { tokens: 0, sessions: 0, resets: 0 }
      // Tokens before their session: a session of a month has thousands, which its deletion would take along all at once.
      for (const [what, deleteSome] of [
        ['tokens', deleteOldTokens],
        ['sessions', deleteOldSessions],
        ['resets', deleteOldResets],
      ] as const) {
        while (!signal.aborted) {
          const deleted = await deleteSome(database, { overFor: purgeDelay, limit: batch })
          purged[what] += deleted
          if (deleted < batch) break
        }
      }
      if (purged.tokens + purged.sessions + purged.resets > 0)
        log.info(purged, 'sessions and links that are over are gone')
    },
  }
}
