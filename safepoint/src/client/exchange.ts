import { headers, type OperationView, type Problem } from '../protocol.ts'
import type { Report } from './events.ts'
import { ProblemError } from './problem-error.ts'
import type { Content } from './read-body.ts'
import { problemOf, readReply, type Reading } from './read-reply.ts'
import type { PendingRequest } from './request-storage.ts'
import { retryDelay, sleep } from './retry.ts'
import { sendCancel, type CancelContext } from './send-cancel.ts'
import { NotSent, type Reply } from './transport.ts'
import type { Verdict } from './verdict.ts'
import { findOnce, isTerminal, watchOperation, type WatchContext } from './watch.ts'

export interface ExchangeContext extends WatchContext, CancelContext {
  readonly report: Report
  undo(key: string): Promise<Verdict>
}

/** A request on its way to a verdict. `stop`: no attempt begins any more. `drop`: the one in flight is given up too. */
export interface Exchange {
  readonly request: PendingRequest
  readonly content: Content | undefined
  readonly headers: Record<string, string>
  readonly timeoutMs: number
  readonly stop: AbortController
  readonly drop: AbortController
  /** The server may have seen the key: always after a reload. */
  maybeSent: boolean
  /** An attempt may have done something that no answer told. */
  uncertain: boolean
  sends: number
}

/** What an exchange came to: a verdict, or that it was given up; `refusal` where one was met that proves nothing. */
export type End<T> = { readonly verdict: Verdict<T> } | { readonly cause: unknown }

/**
 * Sends until the answer is final: same key, same bytes, each repeat announced by `Retry-Attempt`. Never rejects.
 */
export async function exchangeUntilFinal<T>(context: ExchangeContext, exchange: Exchange): Promise<End<T>> {
  const { retry, report } = context
  const { key } = exchange.request
  let cause: unknown
  for (let attempt = 1; ; attempt++) {
    let askedMs: number | undefined
    try {
      const reading = await sendOnce(context, exchange)
      const end = await conclude<T>(context, exchange, reading)
      if (end) return end
      if (reading.kind === 'again') {
        if (!reading.certain) exchange.uncertain = true
        askedMs = reading.askedMs
        cause = reading.cause
      }
    } catch (error) {
      cause = error
    }
    const isOver = exchange.stop.signal.aborted || cause instanceof NotSent || attempt >= retry.tries
    if (isOver || (askedMs ?? 0) > retry.longestWaitMs) return { cause }
    const waitMs = retryDelay(retry, attempt, askedMs)
    report({ type: 'retry', key, attempt, waitMs, cause })
    await sleep(waitMs, exchange.stop.signal)
    if (exchange.stop.signal.aborted) return { cause }
  }
}

/** Rejects where no answer was had; what the attempt may have done is then unknown. */
async function sendOnce(context: ExchangeContext, exchange: Exchange): Promise<Reading> {
  const { request } = exchange
  let sent = false
  let reply: Reply
  try {
    reply = await context.transport.send({
      method: request.method,
      path: request.path,
      body: exchange.content,
      timeoutMs: exchange.timeoutMs,
      stop: exchange.stop.signal,
      drop: exchange.drop.signal,
      headers: {
        ...exchange.headers,
        [headers.idempotencyKey]: request.key,
        [headers.retryAttempt]: exchange.sends > 0 ? String(exchange.sends) : undefined,
        'If-Match': request.ifMatch,
        Accept: 'application/json',
      },
      onSend: () => {
        sent = true
        exchange.maybeSent = true
        context.report({
          type: 'send',
          key: request.key,
          method: request.method,
          path: request.path,
          attempt: exchange.sends,
        })
        exchange.sends++
      },
    })
  } catch (error) {
    if (sent) exchange.uncertain = true
    throw error
  }
  context.report({
    type: 'answer',
    key: request.key,
    status: reply.status,
    ...(reply.problem && { code: reply.problem.code }),
  })
  return readReply(reply)
}

/** The end this answer leads to; undefined: try again. */
async function conclude<T>(
  context: ExchangeContext,
  exchange: Exchange,
  reading: Reading,
): Promise<End<T> | undefined> {
  const { key } = exchange.request
  switch (reading.kind) {
    case 'succeeded':
      return { verdict: succeeded<T>(context, exchange, reading) }
    case 'cancelled':
      return { verdict: { key, outcome: 'cancelled' } }
    case 'refused':
      if (reading.conclusive || !exchange.uncertain) {
        return { verdict: { key, status: reading.problem.status, outcome: 'failed', problem: reading.problem } }
      }
      return { verdict: await settleRefusal<T>(context, exchange, reading.problem) }
    case 'pending':
      exchange.uncertain = true
      return followToEnd<T>(context, exchange, reading)
    case 'again':
      return undefined
  }
}

/**
 * A refusal that follows an attempt of unknown end (a lost answer, then a 403 by a proxy) proves nothing about that
 * attempt, which may even still arrive. The operation is looked up; where there is no trace of it, a cancel makes it
 * certain that there never will be. That uses up the key, so it is not done to one that may mean more than this request
 * (`order-of-cart-7`). Throws where the truth cannot be had.
 */
async function settleRefusal<T>(context: ExchangeContext, exchange: Exchange, problem: Problem): Promise<Verdict<T>> {
  const { key } = exchange.request
  const refused = new ProblemError(problem, problem.status)
  const view = await findOnce(context, key, exchange.drop.signal)
  if (isTerminal(view)) return verdictOfView<T>(context, key, view)!
  if (view.state !== 'none' || view.inFlight || !isRandom(key) || exchange.stop.signal.aborted) throw refused
  const answer = await sendCancel(
    context,
    { key, cancelKey: `${key}-refused`, reason: 'refused' },
    exchange.stop.signal,
  )
  if (answer.outcome === 'cancelled') return { key, status: problem.status, outcome: 'failed', problem }
  const after = await findOnce(context, key, exchange.drop.signal)
  const verdict = verdictOfView<T>(context, key, after)
  if (!verdict) throw refused
  return verdict
}

/** A UUID of version 4 or 7: made for one request and no other. */
function isRandom(key: string): boolean {
  return /^[\da-f]{8}-[\da-f]{4}-[47][\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/i.test(key)
}

/** Waits for the operation's end, then asks for the stored response: the same verdict whether it took 10 ms or an hour. */
async function followToEnd<T>(
  context: ExchangeContext,
  exchange: Exchange,
  pending: Extract<Reading, { kind: 'pending' }>,
): Promise<End<T> | undefined> {
  const key = pending.key ?? exchange.request.key
  const view = await follow(context, key, exchange.drop.signal)
  const isStored = (view.state === 'succeeded' || view.state === 'failed') && pending.replayable
  if (isStored && !exchange.request.bodyLost && !exchange.stop.signal.aborted) {
    const replayed = await sendOnce(context, exchange).catch(() => undefined)
    if (replayed?.kind === 'succeeded') return { verdict: succeeded<T>(context, exchange, replayed) }
    if (replayed?.kind === 'refused' && replayed.conclusive) return conclude<T>(context, exchange, replayed)
  }
  const verdict = verdictOfView<T>(context, key, view)
  return verdict && { verdict }
}

/** The first view that is terminal, waits for a human, or shows no trace. Rejects when it was dropped or cannot be had. */
export async function follow(context: ExchangeContext, key: string, drop?: AbortSignal): Promise<OperationView> {
  context.report({ type: 'follow', key })
  for await (const view of watchOperation(context, key, { signal: drop, tries: context.retry.tries })) {
    const isGone = view.state === 'none' && !view.inFlight
    if (isTerminal(view) || view.state === 'needs_attention' || isGone) return view
  }
  throw drop?.reason ?? new Error('The operation could not be followed.')
}

/** Undefined while it is not known how the operation ends. */
export function verdictOfView<T>(context: ExchangeContext, key: string, view: OperationView): Verdict<T> | undefined {
  switch (view.state) {
    case 'succeeded':
      return {
        key,
        outcome: 'succeeded',
        replayed: true,
        result: view.result as T,
        ...(view.undo?.available && { undo: () => context.undo(key) }),
        ...(view.undo?.keep !== undefined && { keep: view.undo.keep }),
        ...(view.undone && { undone: view.undone }),
        ...(view.stripped && { stripped: true as const }),
      }
    case 'failed':
      return { key, outcome: 'failed', problem: problemOf(view.error) }
    case 'cancelled':
      return { key, outcome: 'cancelled' }
    case 'needs_attention':
      return { key, outcome: 'needs_attention' }
    case 'none':
    case 'running':
    case 'undoing':
      return undefined
  }
}

function succeeded<T>(
  context: ExchangeContext,
  exchange: Exchange,
  { reply, key = exchange.request.key }: Extract<Reading, { kind: 'succeeded' }>,
): Verdict<T> {
  const etag = reply.headers.get('ETag')
  // An undo is final: it has no undo of its own.
  const isUndo = exchange.request.path.startsWith(`${context.operationsPath}/`)
  return {
    key,
    status: reply.status,
    outcome: 'succeeded',
    result: reply.body as T,
    replayed: reply.headers.get(headers.replayed) === 'true',
    ...(!isUndo && { undo: () => context.undo(key) }),
    ...(etag !== null && { etag }),
  }
}
