import { longestTimer } from './check-milliseconds.ts'
import { sqlState, type StopSignal } from './database.ts'
import type { Engine } from './engine.ts'
import { engineError, isSafepointError, SafepointError } from './errors.ts'

/** Full jitter (Brooker, "Exponential Backoff And Jitter"), in milliseconds. */
export function backOff(attempt: number, base = 20, cap = 3000): number {
  return Math.ceil(Math.random() * Math.min(cap, base * 2 ** attempt))
}

export function sleep(milliseconds: number, signal?: StopSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const onAbort = () => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(
      () => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      },
      Math.min(milliseconds, longestTimer),
    )
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

export function describe(error: unknown): string {
  return error instanceof Error ? (sqlState(error) ?? error.message) : String(error)
}

/** Runs of a transaction in all, where neither the engine's options nor its operation say otherwise. */
export const defaultAttempts = 3

/**
 * Runs of each transaction of a durable operation: more, because to give up there undoes what was done outside, such as a
 * payment.
 */
export const durableAttempts = 5

/** Before a transaction is run again: says so in the log and to whoever counts, then waits (full jitter, at most 3 s). */
export async function waitToRunAgain(
  { log, onRetry }: Engine,
  run: { readonly operation: string; readonly key: string; readonly attempt: number; readonly error: unknown },
  stop?: StopSignal,
): Promise<void> {
  const { operation, key, attempt, error } = run
  const delay = backOff(attempt)
  log.warn({ operation, key, attempt, delay, cause: describe(error) }, 'transaction is run again')
  onRetry?.({ operation, key, attempt, delay, cause: sqlState(error) ?? 'conflict' })
  await sleep(delay, stop)
}

/** What is thrown when the last of them was lost too. */
export function exhausted(error: unknown, attempts: number): SafepointError {
  return engineError('conflict', 'Others kept changing the same data; nothing was done.', {
    cause: error,
    retryable: true,
    retryAfterMs: (isSafepointError(error) && error.retryAfterMs) || backOff(attempts),
    attempts,
    ...(isSafepointError(error) && { currentVersion: error.currentVersion, details: error.details }),
  })
}

/** The refusal with the number of runs it took, where that tells something: after a retry, or of a `conflict`. */
export function triedOften(error: unknown, attempts: number): unknown {
  if (!isSafepointError(error) || (error.attempts ?? 0) >= attempts || (attempts === 1 && error.code !== 'conflict'))
    return error
  const { code, message, retryable, retryAfterMs, currentVersion, details, effect } = error
  return new SafepointError(code, message, {
    cause: error,
    retryable,
    attempts,
    details,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(currentVersion !== undefined && { currentVersion }),
    ...(effect !== undefined && { effect }),
  })
}
