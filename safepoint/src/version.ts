import { conflict, engineError } from './errors.ts'

/**
 * Optimistic concurrency: tells what a conditional update that met no row means. `current` is the version read afresh
 * afterwards (`undefined`: the row is gone, nothing is thrown), `seen` the one the caller sent with `If-Match`.
 *
 * Throws `precondition_failed` with the current version when the caller's is not it, and a retryable `conflict`
 * when the caller named none and merely lost a race.
 */
export function expectVersion(current: number | undefined, seen: number | undefined): void {
  if (current === undefined) return
  if (seen === undefined) throw conflict('Another change came first.', { currentVersion: current })
  if (seen !== current) {
    throw engineError('precondition_failed', 'It has changed since you read it.', { currentVersion: current })
  }
}
