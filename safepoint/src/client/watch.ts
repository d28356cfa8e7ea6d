import type { OperationView, Progress } from '../protocol.ts'
import { readEvents } from './event-stream.ts'
import { isProblemError, ProblemError } from './problem-error.ts'
import { shallRetry } from './read-reply.ts'
import { askedDelay, retryDelay, sleep, type RetryPolicy } from './retry.ts'
import type { Reply, Transport } from './transport.ts'

export interface WatchContext {
  readonly transport: Transport
  readonly operationsPath: string
  readonly retry: RetryPolicy
  readonly timeoutMs: number
  /** Milliseconds without a byte after which a stream is taken for dead. */
  readonly idleMs: number
}

export interface WatchLimits {
  readonly signal?: AbortSignal | undefined
  /** Consecutive failures after which it throws; without it, it goes on until `signal`, as an EventSource does. */
  readonly tries?: number
}

/** The operation as the server sees it. Throws a ProblemError, or what the network threw; does not retry. */
export async function findOnce(context: WatchContext, key: string, drop?: AbortSignal): Promise<OperationView> {
  const { transport, operationsPath, timeoutMs } = context
  const path = `${operationsPath}/${encodeURIComponent(key)}`
  const reply = await transport.send({ method: 'GET', path, timeoutMs, drop, headers: { Accept: 'application/json' } })
  return viewOf(reply, path)
}

/** Throws a ProblemError, or a TypeError for what is no operation. */
export function viewOf(reply: Reply, path: string): OperationView {
  if (reply.problem) {
    const retryAfterMs = askedDelay(reply.headers, reply.problem)
    throw new ProblemError({ ...reply.problem, ...(retryAfterMs !== undefined && { retryAfterMs }) }, reply.status)
  }
  if (!isView(reply.body)) throw new TypeError(`${path} did not answer with an operation.`)
  return reply.body
}

/**
 * Each change of an operation until it is terminal. The event stream begins with the state at its time and tells changes at
 * once; polling is what remains where streams do not get through.
 */
export async function* watchOperation(
  context: WatchContext,
  key: string,
  { signal, tries = Infinity }: WatchLimits = {},
): AsyncGenerator<OperationView, void, void> {
  let last: OperationView | undefined
  let streams = true
  let failures = 0
  let quiet = 0
  const isNews = (view: OperationView) => JSON.stringify(view) !== JSON.stringify(last)

  while (!signal?.aborted) {
    const connection = new AbortController()
    const drop = () => connection.abort(signal?.reason)
    signal?.addEventListener('abort', drop)
    let askedMs: number | undefined
    try {
      const view = await findOnce(context, key, connection.signal)
      failures = 0
      quiet++
      if (isNews(view)) {
        quiet = 0
        yield (last = view)
      }
      if (isTerminal(view)) return
      // Only now: a look taken while a stream is open could be overtaken by it, and an old state told after a newer one.
      const opened = streams ? await openEvents(context, key, connection.signal) : 'unsupported'
      if (opened === 'unsupported') streams = false
      if (typeof opened === 'object') {
        for await (const { event, data } of readEvents(opened, { idleMs: context.idleMs })) {
          const next = merge(last, event, data)
          if (!next || !isNews(next)) continue
          quiet = 0
          yield (last = next)
          if (isTerminal(next)) return
        }
      }
    } catch (error) {
      if (signal?.aborted) return
      if (isProblemError(error) && !shallRetry(error.problem)) throw error
      if (++failures >= tries) throw error
      askedMs = isProblemError(error) ? error.problem.retryAfterMs : undefined
      if (askedMs !== undefined) askedMs = Math.min(askedMs, context.retry.longestWaitMs)
    } finally {
      signal?.removeEventListener('abort', drop)
      connection.abort()
    }
    await sleep(retryDelay(context.retry, Math.max(1, failures, Math.min(quiet, 10)), askedMs), signal)
  }
}

/** The stream's body; `unsupported` where there is none to be had, undefined where this attempt failed. */
async function openEvents(
  { transport, operationsPath, timeoutMs }: WatchContext,
  key: string,
  drop: AbortSignal,
): Promise<ReadableStream<Uint8Array> | 'unsupported' | undefined> {
  let response: Response
  try {
    response = await transport.open({
      method: 'GET',
      path: `${operationsPath}/${encodeURIComponent(key)}/events`,
      timeoutMs,
      drop,
      headers: { Accept: 'text/event-stream' },
    })
  } catch {
    return undefined
  }
  const isStream = /^text\/event-stream\b/i.test(response.headers.get('Content-Type') ?? '')
  if (response.ok && isStream && response.body) return response.body as ReadableStream<Uint8Array>
  const reply = await transport.read(response).catch(() => undefined)
  if (!reply || (reply.problem && shallRetry(reply.problem))) return undefined
  return 'unsupported'
}

/** An event carries a whole view, some members of one, or (event `progress`) only the progress. */
function merge(last: OperationView | undefined, event: string, data: string): OperationView | undefined {
  let value: unknown
  try {
    value = JSON.parse(data)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  if (isView(value)) return { ...last, ...value } as OperationView
  if (event !== 'progress' || !last || last.state === 'none') return undefined
  return { ...last, progress: (value as { progress?: Progress }).progress ?? (value as Progress) }
}

export function isTerminal(view: OperationView): boolean {
  return view.state === 'succeeded' || view.state === 'failed' || view.state === 'cancelled'
}

function isView(value: unknown): value is OperationView {
  return typeof value === 'object' && value !== null && typeof (value as { state?: unknown }).state === 'string'
}
