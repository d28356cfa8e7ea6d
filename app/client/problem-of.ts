import { isProblemError, type Problem } from 'safepoint/client'
import { CartRefused } from './cart-refused.ts'
import { NotDone } from './not-done.ts'
import { RequestRefused } from './request-json.ts'

/** What was wrong, whichever way it was asked; undefined where nobody said (no connection). */
export function problemOf(error: unknown): Problem | undefined {
  const said =
    isProblemError(error) || error instanceof NotDone || error instanceof RequestRefused || error instanceof CartRefused
  return said ? error.problem : undefined
}
