import { headers, type OperationView, type Problem } from '../protocol.ts'
import { ProblemError } from './problem-error.ts'
import { askedDelay } from './retry.ts'
import type { Reply } from './transport.ts'

/** What one answer to a write means for what happens next. */
export type Reading =
  | { readonly kind: 'succeeded'; readonly key?: string; readonly reply: Reply }
  | { readonly kind: 'cancelled' }
  /**
   * A definite refusal of this attempt. `conclusive`: of the key, so that no earlier attempt can have done anything.
   */
  | { readonly kind: 'refused'; readonly problem: Problem; readonly conclusive: boolean }
  /** Not ended: follow the operation. `replayable`: once it has, the same request is answered with the stored response. */
  | { readonly kind: 'pending'; readonly key?: string; readonly replayable: boolean }
  /** Try again under the same key. `certain`: the server says that this attempt has done nothing. */
  | { readonly kind: 'again'; readonly cause: unknown; readonly askedMs?: number; readonly certain: boolean }

export function readReply(reply: Reply): Reading {
  const key = reply.headers.get(headers.operationKey) ?? undefined
  if (reply.status >= 200 && reply.status < 300) return readSuccess(reply, key)
  const { problem } = reply
  if (!problem)
    return {
      kind: 'again',
      cause: new Error(`An HTTP status ${reply.status} is no answer to a write.`),
      certain: false,
    }
  if (problem.code === 'cancelled') return { kind: 'cancelled' }
  if (problem.code === 'in_progress') {
    return { kind: 'pending', replayable: true, ...(problem.operation && { key: problem.operation.key }) }
  }
  // The response was stripped, nothing ran; how it had ended is still known.
  if (problem.code === 'key_expired') return { kind: 'pending', replayable: false, ...(key && { key }) }
  if (shallRetry(problem)) {
    const asked = askedDelay(reply.headers, problem)
    return {
      kind: 'again',
      cause: new ProblemError(problem, reply.status),
      certain: reply.told && reply.status !== 500 && problem.code !== 'indeterminate',
      ...(asked !== undefined && { askedMs: asked }),
    }
  }
  const conclusive = problem.code === 'key_reused' || reply.headers.get(headers.replayed) === 'true'
  return { kind: 'refused', problem, conclusive }
}

function readSuccess(reply: Reply, key: string | undefined): Reading {
  const pending =
    reply.status === 202 && reply.headers.get(headers.replayed) !== 'true' ? pendingOf(reply.body) : undefined
  if (pending) return { kind: 'pending', key: pending, replayable: true }
  // A captive portal, a proxy's or a router's page: 200, and never the API's word that something was committed.
  if (key === undefined && typeof reply.body === 'string' && /html/i.test(reply.headers.get('Content-Type') ?? '')) {
    return { kind: 'again', cause: new Error('The answer is a page, which the API never sends.'), certain: false }
  }
  return { kind: 'succeeded', reply, ...(key !== undefined && { key }) }
}

/** The key in `{operation: {key, href}}`; a 202 of another shape is an operation's own final answer. */
function pendingOf(body: unknown): string | undefined {
  const operation = (body as { operation?: { key?: unknown; href?: unknown } } | undefined)?.operation
  return typeof operation?.href === 'string' && typeof operation.key === 'string' ? operation.key : undefined
}

/** 5xx and rate limits always; any other status only where the problem says so. */
export function shallRetry(problem: Problem): boolean {
  if (problem.status >= 500 || problem.status === 408 || problem.status === 425) return true
  return problem.status === 429 ? problem.retryable !== false : problem.retryable === true
}

/** The problem of an operation that ended `failed`, as the server stored it. Status 0: it is not known. */
export function problemOf(error: Extract<OperationView, { readonly error?: unknown }>['error']): Problem {
  const { code, message, details, ...members } = error ?? { code: 'failed' }
  return {
    type: `/errors/${code}`,
    title: code,
    status: 0,
    ...(typeof message === 'string' && { detail: message }),
    ...(typeof details === 'object' && details),
    ...members,
    code,
    retryable: false,
  }
}
