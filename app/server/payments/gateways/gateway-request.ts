import { z } from 'zod'
import { GatewayError } from './gateway-error.ts'
import type { GatewayCall } from './gateway.ts'

export interface GatewayRequest {
  readonly method: 'GET' | 'POST'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  /** What the call is where its answer is lost; `unavailable` for a read, which has no effect that could be unknown. */
  readonly lost: 'unknown' | 'unavailable'
}

export interface GatewayReply {
  readonly status: number
  readonly ok: boolean
  readonly headers: Headers
  readonly text: string
}

/**
 * One request to a gateway over `fetch`, sent once. Whatever ends without a whole answer is thrown as a GatewayError that
 * says whether it may have taken effect: `unavailable` where not a byte has left, `request.lost` where one may have.
 */
export async function sendToGateway(
  gateway: string,
  request: GatewayRequest,
  call: GatewayCall,
): Promise<GatewayReply> {
  const { method, url, headers, body, lost } = request
  if (call.signal.aborted) {
    throw new GatewayError(gateway, 'unavailable', 'aborted', 'aborted before it was sent', {
      cause: call.signal.reason,
    })
  }
  const timeout = AbortSignal.timeout(Math.max(1, Math.ceil(call.timeoutMs)))
  try {
    const response = await fetch(url, {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
      // A redirect would take the credentials, and the payment, elsewhere.
      redirect: 'manual',
      signal: AbortSignal.any([call.signal, timeout]),
    })
    const text = await readAnswer(response)
    return { status: response.status, ok: response.ok, headers: response.headers, text }
  } catch (cause) {
    if (timeout.aborted)
      throw new GatewayError(gateway, lost, 'timeout', `no answer in ${call.timeoutMs} ms`, { cause })
    if (call.signal.aborted) throw new GatewayError(gateway, lost, 'aborted', 'aborted while under way', { cause })
    const kind = neverConnected(cause) ? 'unavailable' : lost
    const code = cause instanceof AnswerTooLong ? 'bad_response' : 'network'
    throw new GatewayError(gateway, kind, code, `no answer from ${new URL(url).host}`, { cause })
  }
}

/** Bytes. A hundred entities of the longest kind are a fraction of it. */
const answerLimit = 8 * 1024 * 1024

export class AnswerTooLong extends Error {
  override readonly name = 'AnswerTooLong'
}

/** The text of an answer, which is UTF-8; throws {@link AnswerTooLong} rather than keep whatever somebody sends. */
export async function readAnswer(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength
    if (size > answerLimit) throw new AnswerTooLong(`more than ${answerLimit} bytes`)
    chunks.push(chunk)
  }
  return new TextDecoder().decode(Buffer.concat(chunks))
}

const longestWait = 3600_000

/** When to come back, where the gateway says so in seconds; within the hour, because nobody else would ask before. */
export function retryAfterOf(headers: Headers): { readonly retryAfterMs?: number } {
  const said = headers.get('retry-after')?.trim() ?? ''
  return /^\d+$/.test(said) ? { retryAfterMs: Math.min(Number(said) * 1000, longestWait) } : {}
}

/** The root of a gateway's API without a slash at its end. Credentials go over https, or stay on this machine. */
export function gatewayRoot(baseUrl: string, variable: string): string {
  const base = new URL(baseUrl)
  const loopback = ['127.0.0.1', 'localhost', '[::1]'].includes(base.hostname)
  if (base.protocol !== 'https:' && !loopback) {
    throw new Error(`${variable} must be https: the credentials would cross the network in the clear (${base.origin})`)
  }
  return base.href.replace(/\/+$/, '')
}

/** The calls of one composite call share its time. */
export function sharingTime(call: GatewayCall): (more?: Partial<GatewayCall>) => GatewayCall {
  const deadline = performance.now() + call.timeoutMs
  return (more) => ({ ...call, ...more, timeoutMs: Math.max(1, deadline - performance.now()) })
}

/** A time that has a date of four digits for its year. */
export const unixSeconds = z.int().min(0).max(253_402_300_799)

/** Failures of making a connection: not a byte of the request has left. */
const beforeSending = new Set([
  'UND_ERR_CONNECT_TIMEOUT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

/** Whether a `fetch` failed before a byte of the request had left. */
export function neverConnected(fetchError: unknown): boolean {
  const cause = fetchError instanceof Error ? fetchError.cause : undefined
  // Where several addresses were tried, each must have failed this way.
  if (cause instanceof AggregateError && cause.errors.length > 0) return cause.errors.every(isBeforeSending)
  return isBeforeSending(cause)
}

function isBeforeSending(cause: unknown): boolean {
  const { code, syscall } = (cause ?? {}) as { code?: string; syscall?: string }
  return syscall === 'connect' || syscall === 'getaddrinfo' || (code !== undefined && beforeSending.has(code))
}
