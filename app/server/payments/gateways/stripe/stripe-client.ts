import { z } from 'zod'
import { GatewayError, type GatewayErrorOptions } from '../gateway-error.ts'
import type { GatewayCall } from '../gateway.ts'
import { AnswerTooLong, neverConnected, readAnswer, retryAfterOf } from '../gateway-request.ts'
import type { StripeConfig } from './stripe-config.ts'
import { encodeForm, type FormParameters } from './form-encoding.ts'

/**
 * Stripe over `fetch`. The vendor's package is not needed: six paths, one encoding and one signature are less than its
 * retries, which would send a charge again after a cancel has been answered, and its error classes, which do not say
 * whether a call may have taken effect.
 */
export interface StripeClient {
  /** Never carries the key: a read needs none. */
  get(path: string, query: FormParameters, call: GatewayCall): Promise<StripeReply>
  post(path: string, form: FormParameters, call: GatewayCall): Promise<StripeReply>
}

/** An answer that is final for its key: done, or a no. Anything else is thrown as a GatewayError. */
export type StripeReply =
  | { readonly ok: true; readonly body: unknown }
  | {
      readonly ok: false
      readonly status: number
      readonly error: StripeApiError
      /** Kept under the key since an earlier call. */
      readonly replayed: boolean
      readonly requestId: string | undefined
    }

const apiError = z.object({
  type: z.string(),
  code: z.string().optional(),
  decline_code: z.string().optional(),
  message: z.string().optional(),
  param: z.string().optional(),
  payment_intent: z.looseObject({ id: z.string() }).optional(),
})
export type StripeApiError = z.infer<typeof apiError>

/** Pinned: an account's default may change under us. */
const stripeVersion = '2025-03-31.basil'

/** Statuses of a request that was read and turned down; 409, 424, 429 and 5xx say less. */
const refusals = new Set([400, 401, 402, 403, 404, 405, 413, 415, 422])

export function createStripeClient(config: Pick<StripeConfig, 'baseUrl' | 'secretKey'>): StripeClient {
  const base = new URL(config.baseUrl)
  const loopback = ['127.0.0.1', 'localhost', '[::1]'].includes(base.hostname)
  if (base.protocol !== 'https:' && !loopback) {
    throw new Error(
      `STRIPE_BASE_URL must be https: the secret key would cross the network in the clear (${base.origin})`,
    )
  }
  const root = `${base.href.replace(/\/+$/, '')}/v1/`

  async function send(
    method: 'GET' | 'POST',
    path: string,
    params: FormParameters,
    call: GatewayCall,
  ): Promise<StripeReply> {
    // A read has no effect that could be unknown.
    const lost = method === 'GET' ? 'unavailable' : 'unknown'
    if (call.signal.aborted) {
      throw new GatewayError('stripe', 'unavailable', 'aborted', 'aborted before it was sent', {
        cause: call.signal.reason,
      })
    }
    const form = encodeForm(params)
    const timeout = AbortSignal.timeout(Math.max(1, Math.ceil(call.timeoutMs)))
    let response: Response
    let text: string
    try {
      response = await fetch(method === 'GET' && form ? `${root}${path}?${form}` : `${root}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${config.secretKey}`,
          'stripe-version': stripeVersion,
          ...(method === 'POST'
            ? { 'content-type': 'application/x-www-form-urlencoded', 'idempotency-key': call.key }
            : {}),
        },
        ...(method === 'POST' ? { body: form } : {}),
        // A redirect would take the secret key, and the charge, elsewhere.
        redirect: 'manual',
        signal: AbortSignal.any([call.signal, timeout]),
      })
      text = await readAnswer(response)
    } catch (cause) {
      if (timeout.aborted)
        throw new GatewayError('stripe', lost, 'timeout', `no answer in ${call.timeoutMs} ms`, { cause })
      if (call.signal.aborted) throw new GatewayError('stripe', lost, 'aborted', 'aborted while under way', { cause })
      const kind = neverConnected(cause) ? 'unavailable' : lost
      const code = cause instanceof AnswerTooLong ? 'bad_response' : 'network'
      throw new GatewayError('stripe', kind, code, `no answer from ${base.host}`, { cause })
    }
    return read(response, text, lost)
  }

  return {
    get: (path, query, call) => send('GET', path, query, call),
    post: (path, form, call) => send('POST', path, form, call),
  }
}

function read(response: Response, text: string, lost: 'unknown' | 'unavailable'): StripeReply {
  const { status, headers } = response
  const requestId = headers.get('request-id') ?? undefined
  const body = parseJson(text)
  if (response.ok) {
    if (body.ok) return { ok: true, body: body.value }
    // It was done, and what was done is not known.
    throw new GatewayError('stripe', lost, 'bad_response', 'the answer is not JSON', {
      status,
      cause: body.cause,
      ...(requestId ? { requestId } : {}),
    })
  }
  const parsed = z.object({ error: apiError }).safeParse(body.ok ? body.value : undefined)
  const error: StripeApiError = parsed.success ? parsed.data.error : { type: 'api_error', code: `http_${status}` }
  const replayed = headers.get('idempotent-replayed') === 'true'
  // A stored 5xx is the last word under this key, and says nothing about what was done: repeating is of no use.
  if (refusals.has(status) || (replayed && status >= 500)) return { ok: false, status, error, replayed, requestId }

  const advice = headers.get('stripe-should-retry')
  const options: GatewayErrorOptions = {
    status,
    cause: error,
    ...(advice === 'true' || advice === 'false' ? { retryable: advice === 'true' } : {}),
    ...retryAfterOf(headers),
    ...(requestId ? { requestId } : {}),
  }
  const code = error.code ?? error.type
  // 409: a call under this key is under way somewhere. This one did nothing, but the key may well be taking effect.
  if (status === 429)
    throw new GatewayError('stripe', 'unavailable', code, error.message ?? 'too many requests', options)
  throw new GatewayError('stripe', lost, code, error.message ?? `status ${status}`, options)
}

/** What a no that nobody has a better use for is thrown as. */
export function refusal(reply: Extract<StripeReply, { ok: false }>): GatewayError {
  const code = reply.error.code ?? reply.error.type
  return new GatewayError(
    'stripe',
    reply.status >= 500 ? 'unknown' : 'refused',
    code,
    reply.error.message ?? `status ${reply.status}`,
    {
      status: reply.status,
      cause: reply.error,
      retryable: false,
      ...(reply.requestId ? { requestId: reply.requestId } : {}),
    },
  )
}

function parseJson(text: string): { ok: true; value: unknown } | { ok: false; cause: unknown } {
  try {
    return { ok: true, value: JSON.parse(text) as unknown }
  } catch (cause) {
    return { ok: false, cause }
  }
}
