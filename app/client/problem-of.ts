import { isProblemError, type Problem } from 'safepoint/client'
import { NotDone } from './pantry.ts'
import { RequestRefused } from './request-json.ts'

/** What the server said was wrong, whichever way it was asked; undefined where it said nothing (no connection). */
export function problemOf(error: unknown): Problem | undefined {
  return isProblemError(error) || error instanceof NotDone || error instanceof RequestRefused
    ? error.problem
    : undefined
}
