import { maxKeyBytes, type Problem } from '../protocol.ts'
import { readText, type Content } from './read-body.ts'
import { longestTimer } from './retry.ts'

export interface TransportOptions {
  readonly baseUrl: string
  readonly headers?: (() => Record<string, string> | Promise<Record<string, string>>) | undefined
  readonly onUnauthorized?: (() => Promise<boolean>) | undefined
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>
  readonly maxResponseBytes: number
}

export interface Call {
  readonly method: string
  readonly path: string
  readonly headers?: Record<string, string | undefined>
  readonly body?: Content | undefined
  /** Milliseconds until the whole answer must have been read. */
  readonly timeoutMs: number
  /** Ends the call; unlike `stop` also one that was sent. */
  readonly drop?: AbortSignal | undefined
  /** Nothing is sent any more once this has fired. */
  readonly stop?: AbortSignal | undefined
  /** Asked in the same tick as it would leave; `false`: it is not sent. */
  readonly mayLeave?: (() => boolean) | undefined
  readonly keepalive?: boolean
  /** Called in the same tick as the request leaves. */
  readonly onSend?: () => void
}

export interface Reply {
  readonly status: number
  readonly headers: Headers
  /** Parsed JSON, else text; undefined when empty. */
  readonly body: unknown
  /** Of every status from 400 on. */
  readonly problem?: Problem
  /** The problem came from the API and not from something in between. */
  readonly told: boolean
}

export interface Transport {
  /** Rejects when no answer was had (network, time-out, damaged or endless answer); every status resolves. */
  send(call: Call): Promise<Reply>
  /** Resolves with the response's head and leaves the body to the caller; the time-out covers the head only. */
  open(call: Call): Promise<Response>
  /** The answer's body, bounded. */
  read(response: Response): Promise<Reply>
}

/**
 * Sends nothing for which `mayLeave` says no: what one account has asked for must not go out with the credentials of another,
 * whose answer would be told as the first one's.
 */
export function guardTransport(transport: Transport, mayLeave: () => boolean): Transport {
  return {
    ...transport,
    send: (call) => transport.send({ ...call, mayLeave }),
    open: (call) => transport.open({ ...call, mayLeave }),
  }
}

/** Thrown instead of sending when the caller stopped before, or another account has signed in. */
export class NotSent extends Error {
  override readonly name = 'NotSent'
}

export function createTransport(options: TransportOptions): Transport {
  const base = options.baseUrl.replace(/\/+$/, '')
  let refreshing: Promise<boolean> | undefined
  let refreshes = 0

  /** One refresh for all the requests that met the expired token, also those that learn of it after the refresh. */
  function refreshSince(seen: number): Promise<boolean> {
    if (refreshes > seen) return Promise.resolve(true)
    refreshing ??= Promise.resolve()
      .then(() => options.onUnauthorized?.() ?? false)
      .catch(() => false)
      .then((refreshed) => {
        if (refreshed) refreshes++
        refreshing = undefined
        return refreshed
      })
    return refreshing
  }

  async function fetchOnce(call: Call, signal: AbortSignal): Promise<Response> {
    const headers = new Headers(await within(signal, options.headers?.()))
    for (const [name, value] of Object.entries(call.headers ?? {})) if (value !== undefined) headers.set(name, value)
    if (typeof call.body === 'string') headers.set('Content-Type', 'application/json')
    if (call.stop?.aborted || signal.aborted) throw new NotSent('It was stopped before it was sent.')
    if (call.mayLeave?.() === false) throw new NotSent('Another account has signed in since it was asked for.')
    call.onSend?.()
    return options.fetch(base + call.path, {
      method: call.method,
      headers,
      signal,
      // A followed redirect turns a write into a read, whose 200 would be told as the write's success.
      redirect: call.method === 'GET' ? 'follow' : 'error',
      ...(call.method === 'GET' && { cache: 'no-store' as const }),
      ...(call.body !== undefined && { body: call.body }),
      ...(call.keepalive && { keepalive: true }),
    })
  }

  async function authorised(call: Call, signal: AbortSignal): Promise<Response> {
    const seen = refreshes
    const response = await fetchOnce(call, signal)
    if (response.status !== 401 || !options.onUnauthorized || call.stop?.aborted) return response
    if (!(await within(signal, refreshSince(seen))) || call.stop?.aborted || signal.aborted) return response
    await response.body?.cancel().catch(() => {})
    return fetchOnce(call, signal)
  }

  async function read(response: Response): Promise<Reply> {
    return replyOf(response, await readText(response, options.maxResponseBytes))
  }

  return {
    read,
    async send(call) {
      const timer = limit(call)
      try {
        return await read(await authorised(call, timer.signal))
      } catch (error) {
        throw timer.signal.aborted && !(error instanceof NotSent) ? timer.signal.reason : error
      } finally {
        timer.clear()
      }
    },
    async open(call) {
      const timer = limit(call)
      try {
        const response = await authorised(call, timer.signal)
        timer.stopClock()
        return response
      } catch (error) {
        timer.clear()
        throw error
      }
    },
  }
}

/** Refuses a path that would leave the base URL, and with it send the credentials elsewhere. */
export function checkPath(path: string): void {
  if (!isPath(path)) throw new TypeError(`A path begins with a single slash: ${path}`)
}

export const isPath = (path: string): boolean => /^\/(?![/\\])/.test(path)

/** Whether a header and a path could carry it as it is. */
export const isKey = (key: string): boolean =>
  /^[!#-[\]-~]+$/.test(key) && key.length <= maxKeyBytes && key !== '.' && key !== '..'

/** A signal that fires on the call's time-out or when it is dropped. (`AbortSignal.any` is too new for many browsers.) */
function limit(call: Call) {
  const controller = new AbortController()
  const drop = () => controller.abort(call.drop?.reason)
  if (call.drop?.aborted) drop()
  call.drop?.addEventListener('abort', drop)
  const timer = setTimeout(
    () => controller.abort(new DOMException(`No answer within ${call.timeoutMs} ms.`, 'TimeoutError')),
    Math.min(call.timeoutMs, longestTimer),
  )
  const stopClock = () => clearTimeout(timer)
  return {
    signal: controller.signal,
    stopClock,
    clear() {
      stopClock()
      call.drop?.removeEventListener('abort', drop)
    },
  }
}

/** What the application is asked for, such as a token, may never come: the call's time-out covers it too. */
async function within<T>(signal: AbortSignal, asked: T | Promise<T>): Promise<T> {
  if (!(asked instanceof Promise)) return asked
  let leave = () => {}
  const over = new Promise<never>((_, reject) => {
    leave = () => reject(signal.reason)
    if (signal.aborted) leave()
    else signal.addEventListener('abort', leave)
  })
  return Promise.race([asked, over]).finally(() => signal.removeEventListener('abort', leave))
}

function replyOf(response: Response, text: string): Reply {
  const { status, headers } = response
  const isJson = /^application\/([\w.+-]+\+)?json\b/i.test(headers.get('Content-Type') ?? '')
  const body: unknown = text === '' ? undefined : isJson ? JSON.parse(text) : text
  if (status < 400) return { status, headers, body, told: false }
  // Gateways have error documents of their own; ours always say whether it may be sent again.
  if (isProblem(body))
    return { status, headers, body, problem: { ...body, status }, told: typeof body.retryable === 'boolean' }
  const problem: Problem = {
    type: 'about:blank',
    title: response.statusText || `HTTP ${status}`,
    status,
    code: `http_${status}`,
    retryable: status >= 500 || status === 408 || status === 425 || status === 429,
  }
  return { status, headers, body, problem, told: false }
}

function isProblem(body: unknown): body is Problem {
  return typeof body === 'object' && body !== null && typeof (body as { code?: unknown }).code === 'string'
}
