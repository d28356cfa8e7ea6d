import { headers as names, maxKeyBytes, type CancelAnswer, type OperationView } from '../protocol.ts'
import { reporter, type Report } from './events.ts'
import type { ServerEvent } from './event-stream.ts'
import { exclusivelyInTabs, type Exclusively } from './exclusively.ts'
import { openEvents } from './open-events.ts'
import { createOutbox } from './outbox.ts'
import { ProblemError } from './problem-error.ts'
import { prepareBody } from './read-body.ts'
import { shallRetry } from './read-reply.ts'
import { defaultStorage, type PendingRequest, type RequestStorage } from './request-storage.ts'
import { askedDelay, defaultRetry, retryDelay, sleep, type RetryPolicy } from './retry.ts'
import { sendCancel } from './send-cancel.ts'
import { settleRequest, type SettleContext } from './settle-request.ts'
import { checkPath, createTransport, guardTransport, isKey, type Call, type Reply } from './transport.ts'
import { uuidV7 } from './uuid-v7.ts'
import type { Verdict } from './verdict.ts'
import { viewOf, watchOperation } from './watch.ts'

/** Of {@link createClient}; only `baseUrl` is required. */
export interface ClientOptions {
  /** Where the API is: `https://shop.example`. Empty in a page: its own origin. */
  readonly baseUrl: string
  /** Where requests wait for their verdict. Default: `localStorage` in a page, memory elsewhere (lost with the process). */
  readonly storage?: RequestStorage
  /**
   * Whose requests these are (an account id). Asked at each call, so that after another login nobody's pending request is
   * sent, or shown, under another account.
   */
  readonly account?: string | (() => string | undefined)
  /** Headers of every request, asked before each attempt: `{Authorization: …}`. Never persisted. */
  readonly headers?: () => Record<string, string> | Promise<Record<string, string>>
  /** Called at a 401, once for all requests that meet it: refresh the token; `true` sends each once more, same key. */
  readonly onUnauthorized?: () => Promise<boolean>
  /** Default: the global one. */
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>
  /** Default: 5 tries, 250 ms doubling to 8 s with full jitter; a server that asks for more than 60 s ends them. */
  readonly retry?: Partial<RetryPolicy>
  /** Milliseconds one attempt may take until its answer is read. Default 30,000. */
  readonly timeoutMs?: number
  /** Milliseconds without a byte after which an event stream is connected anew. Default 45,000. */
  readonly idleMs?: number
  /** Longest JSON body that is sent, in bytes. Default 1 MiB. Forms, blobs and bytes are not limited. */
  readonly maxBodyBytes?: number
  /** Longest answer that is read, in bytes. Default 16 MiB. */
  readonly maxResponseBytes?: number
  /**
   * `true`: each step of each write to `console.debug` (browsers show it at the level "Verbose"), one {@link ClientEvent} an
   * entry, after `[safepoint]`; a function: to that. No event carries a body, a header or a result; a listener that throws
   * changes nothing.
   */
  readonly debug?: boolean | Report
  /**
   * Runs `work` while nobody else who shares `storage` runs work of the same name, so that of two tabs that are opened at
   * once each pending request is resumed by one. Default: Web Locks in a page that has them (a secure context), else none:
   * two may then send a request again, which its key makes harmless.
   */
  readonly exclusively?: Exclusively
  /** Default `/api/operations`. */
  readonly operationsPath?: string
}

/** Of {@link Client.get}. */
export interface ReadOptions {
  /** Aborting it rejects with its reason. */
  readonly signal?: AbortSignal
  readonly headers?: Record<string, string>
}

/** Of {@link Client.post} and its like. */
export interface WriteOptions {
  /** Aborting it sends a real cancel; the promise then resolves to what the server decided. A string reason is passed on. */
  readonly signal?: AbortSignal
  /** Your own key, 1 to 255 visible ASCII characters without `"` and `\`; default a new UUIDv7. Same key, same operation. */
  readonly key?: string
  readonly headers?: Record<string, string>
  /** The version this write was made from (`If-Match`). */
  readonly ifMatch?: string | number
  /** Milliseconds one attempt may take. */
  readonly timeoutMs?: number
  /** Told the key before anything is persisted or sent. */
  readonly onKey?: (key: string) => void
}

/** See {@link createClient}. */
export interface Client {
  /**
   * Reads. Retried on network errors, 5xx and 429. Throws a ProblemError where the server refused, the signal's reason
   * where it was aborted, else what the network threw.
   */
  get<T = unknown>(path: string, options?: ReadOptions): Promise<T>
  /**
   * Writes, once in effect: the key is persisted with method, path and body before anything is sent, and every repeat
   * goes out under it with the same bytes. Resolves to a {@link Verdict}, whatever happens on the way; rejects only for
   * arguments that can never be sent (TypeError, RangeError), before anything was.
   */
  post<T = unknown>(path: string, body?: unknown, options?: WriteOptions): Promise<Verdict<T>>
  put<T = unknown>(path: string, body?: unknown, options?: WriteOptions): Promise<Verdict<T>>
  patch<T = unknown>(path: string, body?: unknown, options?: WriteOptions): Promise<Verdict<T>>
  delete<T = unknown>(path: string, body?: unknown, options?: WriteOptions): Promise<Verdict<T>>
  /**
   * Cancels by key, also an operation of another page or device of the account, or one that has not arrived. Resolves to
   * the server's word. Throws a ProblemError (`not_cancellable`, 401, …), or the last failure once `retry.tries` are used
   * up: then nothing is known, and it may be called again.
   */
  cancel(key: string, options?: { readonly reason?: string }): Promise<CancelAnswer>
  /** Runs the declared undo of a `succeeded` operation; two undos are one. Without one: `failed`, code `not_undoable`. */
  undo(key: string): Promise<Verdict<unknown>>
  /** The operation now. `{state: 'none'}` is never final. Throws like `get`. */
  find(key: string): Promise<OperationView>
  /**
   * The operation now, then each change, until it is `succeeded`, `failed` or `cancelled`, or `signal` fires (which ends it
   * without an error). Event stream, polling where none gets through; reconnects for ever. Throws a ProblemError where the
   * server refuses for good.
   */
  watch(key: string, options?: { readonly signal?: AbortSignal }): AsyncIterable<OperationView>
  /**
   * The events of one connection to a `text/event-stream`, read with the client's own headers. Ends with the stream, when
   * nothing was heard for `idleMs`, or when `signal` fires; connecting again is the caller's. Throws like `get` where there
   * is no stream, and does not retry.
   */
  events(path: string, options?: ReadOptions): AsyncIterable<ServerEvent>
  /** The account's requests without a final verdict, oldest first, without those now under way here. */
  pending(): Promise<PendingRequest[]>
  /**
   * Settles what is pending, one after the other, oldest first: the same keys, the same bytes; what was cancelled is
   * cancelled again, never sent. What another tab settles meanwhile is left to it, and has no verdict here. Call it after a reload, or when the network is back. `only` leaves the others alone, for
   * instance what is too old to be still wanted ({@link Client.cancel} makes that certain).
   */
  resume(options?: { readonly only?: (request: PendingRequest) => boolean }): Promise<Verdict<unknown>[]>
}

/** A client of a Safepoint API for browsers and Node: every write has a key before it is sent, and a true end. */
export function createClient(options: ClientOptions): Client {
  const report = reporter(options.debug)
  const storage = options.storage ?? defaultStorage(options.baseUrl)
  const timeoutMs = checkTime('timeoutMs', options.timeoutMs ?? 30_000)
  const retry: RetryPolicy = { ...defaultRetry, ...options.retry }
  const operationsPath = (options.operationsPath ?? '/api/operations').replace(/\/+$/, '')
  const transport = createTransport({
    baseUrl: options.baseUrl,
    headers: options.headers,
    onUnauthorized: options.onUnauthorized,
    fetch: options.fetch ?? ((url, init) => fetch(url, init)),
    maxResponseBytes: options.maxResponseBytes ?? 16 * 1024 * 1024,
  })
  const exclusively = options.exclusively ?? exclusivelyInTabs
  const account = () => (typeof options.account === 'function' ? options.account() : options.account) ?? ''
  const context: SettleContext = {
    transport,
    operationsPath,
    retry,
    timeoutMs,
    idleMs: checkTime('idleMs', options.idleMs ?? 45_000),
    report,
    outbox: createOutbox(storage, report),
    account,
    active: new Set(),
    undo: (key) => write('POST', `${operationsPath}/${encodeURIComponent(key)}/undo`, undefined),
  }

  async function write<T>(
    method: PendingRequest['method'],
    path: string,
    body: unknown,
    given: WriteOptions = {},
  ): Promise<Verdict<T>> {
    checkPath(path)
    const key = given.key === undefined ? uuidV7() : checkKey(given.key)
    const limit = checkTime('timeoutMs', given.timeoutMs ?? timeoutMs)
    const sent = prepareBody(body, options.maxBodyBytes ?? 1_048_576)
    const request: PendingRequest = {
      key,
      method,
      path,
      account: account(),
      createdAt: new Date().toISOString(),
      ...(sent.json !== undefined && { body: sent.json }),
      ...(sent.content !== undefined && sent.json === undefined && { bodyLost: true as const }),
      ...(given.ifMatch !== undefined && { ifMatch: entityTag(given.ifMatch) }),
    }
    given.onKey?.(key)
    context.active.add(key)
    const keyIsNew = given.key === undefined
    const isNothing = keyIsNew && given.signal?.aborted
    const persisted = isNothing || (await context.outbox.put(request))
    return settleRequest<T>(context, {
      request,
      content: sent.content,
      headers: given.headers ?? {},
      timeoutMs: limit,
      signal: given.signal,
      again: false,
      keyIsNew,
      persisted,
    })
  }

  async function read(call: Omit<Call, 'method' | 'timeoutMs'>): Promise<Reply> {
    for (let attempt = 1; ; attempt++) {
      let cause: unknown
      let askedMs: number | undefined
      try {
        const reply = await transport.send({ ...call, method: 'GET', timeoutMs })
        if (!reply.problem) return reply
        cause = new ProblemError(reply.problem, reply.status)
        askedMs = askedDelay(reply.headers, reply.problem)
        if (!shallRetry(reply.problem)) attempt = retry.tries
      } catch (error) {
        cause = error
      }
      if (!call.drop?.aborted && attempt < retry.tries && (askedMs ?? 0) <= retry.longestWaitMs) {
        await sleep(retryDelay(retry, attempt, askedMs), call.drop)
      } else if (!call.drop?.aborted) throw cause
      call.drop?.throwIfAborted()
    }
  }

  async function cancel(key: string, { reason }: { readonly reason?: string } = {}): Promise<CancelAnswer> {
    checkKey(key)
    const intent = { key: uuidV7(), ...(reason !== undefined && { reason }) }
    const whose = account()
    // A reload before the answer must not send what the user has cancelled.
    const marked = context.outbox.change(whose, key, (request) => ({ ...request, cancel: intent }))
    const guarded = { ...context, transport: guardTransport(transport, () => account() === whose) }
    const answer = await sendCancel(guarded, { key, cancelKey: intent.key, reason })
    const request = await marked
    if (request && (answer.outcome === 'cancelled' || answer.outcome === 'too_late'))
      await context.outbox.remove(request)
    return answer
  }

  async function pending(): Promise<PendingRequest[]> {
    return (await context.outbox.list(account())).filter(({ key }) => !context.active.has(key))
  }

  async function resumeOne(listed: PendingRequest): Promise<Verdict<unknown> | undefined> {
    // Another tab may have settled or cancelled it, or another person have signed in, while this one waited for its turn.
    const request = context.active.has(listed.key) ? undefined : await context.outbox.find(account(), listed.key)
    if (!request || request.account !== listed.account || context.active.has(request.key)) return undefined
    return settleRequest(context, {
      request,
      content: request.body,
      headers: {},
      timeoutMs,
      again: true,
      keyIsNew: false,
      persisted: true,
    })
  }

  return {
    async get<T>(path: string, { signal, headers }: ReadOptions = {}) {
      checkPath(path)
      const reply = await read({ path, drop: signal, headers: { Accept: 'application/json', ...headers } })
      return reply.body as T
    },
    post: (path, body, given) => write('POST', path, body, given),
    put: (path, body, given) => write('PUT', path, body, given),
    patch: (path, body, given) => write('PATCH', path, body, given),
    delete: (path, body, given) => write('DELETE', path, body, given),
    cancel,
    undo: async (key) => context.undo(checkKey(key)),
    async find(key) {
      const path = `${operationsPath}/${encodeURIComponent(checkKey(key))}`
      return viewOf(await read({ path, headers: { Accept: 'application/json' } }), path)
    },
    watch: (key, { signal } = {}) => watchOperation(context, checkKey(key), { signal }),
    events: (path, { signal, headers } = {}) =>
      openEvents(transport, { path, timeoutMs, idleMs: context.idleMs, headers, signal }),
    pending,
    async resume({ only = () => true } = {}) {
      const verdicts: Verdict<unknown>[] = []
      // A storage that cannot be read hides what an earlier page has left; what this page keeps in memory goes on all the same.
      const listed = await pending().catch((error: unknown) => {
        const kept = context.outbox.kept(account()).filter(({ key }) => !context.active.has(key))
        if (kept.length === 0) throw error
        return kept
      })
      for (const request of listed.filter(only)) {
        const name = `safepoint:${options.baseUrl}|${encodeURIComponent(request.account)}|${request.key}`
        const verdict = await exclusively(name, () => resumeOne(request))
        if (verdict) verdicts.push(verdict)
      }
      return verdicts
    },
  }
}

/** Refuses a key that a header or a path could not carry as it is. */
function checkKey(key: string): string {
  if (typeof key === 'string' && isKey(key)) return key
  throw new TypeError(
    `${names.idempotencyKey}: 1 to ${maxKeyBytes} visible ASCII characters, without quotes and backslashes`,
  )
}

/** A time-out that is none would end every attempt before it began. */
function checkTime(name: string, ms: number): number {
  if (ms > 0) return ms
  throw new TypeError(`${name}: a number of milliseconds above 0, not ${ms}`)
}

/** A bare version as an entity tag; what is one already stays as it is. */
function entityTag(version: string | number): string {
  const text = String(version)
  return text === '*' || text.startsWith('"') || text.startsWith('W/') ? text : `"${text}"`
}
