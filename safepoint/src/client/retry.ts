import { headers, type Problem } from '../protocol.ts'

/** How often, and after which waits, what may pass is tried again. */
export interface RetryPolicy {
  /** Attempts in all, the first one counted. */
  readonly tries: number
  /** Upper bound of the first wait, in milliseconds; it doubles with each attempt. */
  readonly baseMs: number
  /** Upper bound of any wait that the server did not ask for, in milliseconds. */
  readonly capMs: number
  /** A server that asks for a longer wait than this, in milliseconds, ends the attempts: `unknown`, to be resumed later. */
  readonly longestWaitMs: number
}

export const defaultRetry: RetryPolicy = { tries: 5, baseMs: 250, capMs: 8_000, longestWaitMs: 60_000 }

/**
 * Milliseconds to wait before attempt number `attempt` (1 is the first retry). Full jitter, so that clients that failed
 * together do not come back together; what the server asked for is a floor, and the jitter goes on top.
 * https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function retryDelay(
  policy: RetryPolicy,
  attempt: number,
  askedMs: number | undefined,
  random: () => number = Math.random,
): number {
  const ceiling = Math.min(policy.capMs, policy.baseMs * 2 ** (attempt - 1))
  if (askedMs === undefined) return random() * ceiling
  return askedMs + random() * Math.min(policy.baseMs, ceiling)
}

/**
 * What the server asked for, in milliseconds: `retryAfterMs` of the problem, else `Retry-After` in seconds or as an HTTP
 * date (RFC 9110 section 10.2.3). A date is measured against the answer's own `Date`, since the device's clock may be wrong.
 */
export function askedDelay(
  answer: Headers,
  problem: Problem | undefined,
  now: number = Date.now(),
): number | undefined {
  if (typeof problem?.retryAfterMs === 'number' && problem.retryAfterMs >= 0) return problem.retryAfterMs
  const value = answer.get(headers.retryAfter)?.trim()
  if (!value) return undefined
  if (/^\d+$/.test(value)) return Number(value) * 1000
  const at = Date.parse(value)
  if (Number.isNaN(at)) return undefined
  const sentAt = Date.parse(answer.get('Date') ?? '')
  return Math.max(0, at - (Number.isNaN(sentAt) ? now : sentAt))
}

/** Longest time a timer takes, some 24 days: one that is set for longer fires at once. */
export const longestTimer = 2 ** 31 - 1

/** Resolves after `ms`, or as soon as `signal` fires. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const done = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, Math.min(ms, longestTimer))
    signal?.addEventListener('abort', done)
  })
}
