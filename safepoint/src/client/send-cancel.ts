import { headers, type CancelAnswer } from '../protocol.ts'
import type { Report } from './events.ts'
import { ProblemError } from './problem-error.ts'
import { utf8Length } from './read-body.ts'
import { shallRetry } from './read-reply.ts'
import { askedDelay, retryDelay, sleep, type RetryPolicy } from './retry.ts'
import { NotSent, type Transport } from './transport.ts'

/** Bodies of all `keepalive` requests in flight may have 64 KiB together (Fetch standard); beyond, it fails at once. */
const keepaliveBytes = 60 * 1024

export interface CancelContext {
  readonly transport: Transport
  readonly operationsPath: string
  readonly retry: RetryPolicy
  readonly timeoutMs: number
  readonly report: Report
}

export interface CancelRequest {
  /** The operation's key. */
  readonly key: string
  /** The cancel's own Idempotency-Key: sent again under it, it is the same call. */
  readonly cancelKey: string
  readonly reason?: string | undefined
}

/**
 * Cancels for real. Resolves to the server's word only; rejects with a ProblemError where the server refused to decide
 * (`not_cancellable`, 401, …), or with the last failure after `retry.tries` attempts: then nothing is known.
 */
export async function sendCancel(
  context: CancelContext,
  request: CancelRequest,
  stop?: AbortSignal,
): Promise<CancelAnswer> {
  const { transport, operationsPath, retry, timeoutMs, report } = context
  const body = JSON.stringify({ reason: request.reason === undefined ? undefined : storable(request.reason) })
  for (let attempt = 1; ; attempt++) {
    let cause: unknown
    let askedMs: number | undefined
    const reply = await transport
      .send({
        method: 'POST',
        path: `${operationsPath}/${encodeURIComponent(request.key)}/cancel`,
        body,
        timeoutMs,
        stop,
        // Outlives the page. Only at first: it also fails where other such requests have used up the allowance.
        keepalive: attempt === 1 && utf8Length(body) <= keepaliveBytes,
        headers: {
          [headers.idempotencyKey]: request.cancelKey,
          [headers.retryAttempt]: attempt > 1 ? String(attempt - 1) : undefined,
          Accept: 'application/json',
        },
        onSend: () => report({ type: 'cancel', key: request.key, attempt }),
      })
      .catch((error: unknown) => void (cause = error))
    if (reply && reply.status < 300 && isCancelAnswer(reply.body)) {
      report({ type: 'cancel_answered', key: request.key, outcome: reply.body.outcome })
      return reply.body
    }
    if (reply) {
      cause = reply.problem
        ? new ProblemError(reply.problem, reply.status)
        : new TypeError(`HTTP ${reply.status} without an outcome is no answer to a cancel.`)
      if (reply.problem && !shallRetry(reply.problem)) throw cause
      askedMs = askedDelay(reply.headers, reply.problem)
    }
    const isOver = attempt >= retry.tries || stop?.aborted || cause instanceof NotSent
    if (isOver || (askedMs ?? 0) > retry.longestWaitMs) throw cause
    await sleep(retryDelay(retry, attempt, askedMs), stop)
    if (stop?.aborted) throw cause
  }
}

/** A cancel must not be refused for its reason: at most 500 characters, none that the database cannot store. */
function storable(reason: string): string {
  return reason.slice(0, 500).replace(/[\0\p{Surrogate}]/gu, '\uFFFD')
}

function isCancelAnswer(body: unknown): body is CancelAnswer {
  const outcome = (body as { outcome?: unknown } | undefined)?.outcome
  return outcome === 'cancelled' || outcome === 'undoing' || outcome === 'too_late' || outcome === 'needs_attention'
}
