import { z } from 'zod'
import { GatewayError, type GatewayErrorOptions } from '../gateway-error.ts'
import type { GatewayCall } from '../gateway.ts'
import { gatewayRoot, retryAfterOf, sendToGateway, type GatewayReply } from '../gateway-request.ts'
import type { RazorpayConfig } from './razorpay-config.ts'

/**
 * Razorpay over `fetch`. The vendor's package is not used: it cannot send an idempotency key (its headers are an allow
 * list; razorpay-node#316, open since 2022), turns a lost connection into a `TypeError` of its own making, so that nobody
 * can tell whether money moved, and compares signatures with `===`. Eight paths and two signatures are less than that.
 */
export interface RazorpayClient {
  /** The root of the API, `…/v1`. */
  readonly root: string
  get(path: string, query: Readonly<Record<string, string>>, call: GatewayCall): Promise<RazorpayReply>
  /** `refundKey`: the only idempotency key that Razorpay knows, and for refunds only. */
  post(path: string, body: object, call: GatewayCall, refundKey?: string): Promise<RazorpayReply>
}

/** An answer that is final for this request: done, or a no. Anything else is thrown as a GatewayError. */
export type RazorpayReply =
  | { readonly ok: true; readonly body: unknown }
  | { readonly ok: false; readonly status: number; readonly error: RazorpayApiError }

const apiError = z.object({
  code: z.string(),
  description: z.string().nullish(),
  field: z.string().nullish(),
  reason: z.string().nullish(),
})
export type RazorpayApiError = z.infer<typeof apiError>

/** Statuses of a request that was read and turned down; 409, 429 and 5xx say less. */
const refusals = new Set([400, 401, 403, 404, 405, 413, 415, 422])

/** Razorpay's own words for "on our side, or the bank's", whatever the status beside them. */
const notTheRequest = new Set(['GATEWAY_ERROR', 'SERVER_ERROR'])

export function createRazorpayClient(config: Pick<RazorpayConfig, 'baseUrl' | 'keyId' | 'keySecret'>): RazorpayClient {
  // The vendor writes its base with the version: taken either way.
  const root = `${gatewayRoot(config.baseUrl, 'RAZORPAY_BASE_URL').replace(/\/v1$/, '')}/v1`
  const authorization = `Basic ${Buffer.from(`${config.keyId}:${config.keySecret}`).toString('base64')}`
  return {
    root,
    async get(path, query, call) {
      const search = new URLSearchParams(query).toString()
      const url = `${root}/${path}${search && `?${search}`}`
      const lost = 'unavailable'
      return read(await sendToGateway('razorpay', { method: 'GET', url, headers: { authorization }, lost }, call), lost)
    },
    async post(path, body, call, refundKey) {
      const lost = 'unknown'
      const headers = {
        authorization,
        'content-type': 'application/json',
        ...(refundKey === undefined ? {} : { 'x-refund-idempotency': refundKey }),
      }
      const request = { method: 'POST', url: `${root}/${path}`, headers, body: JSON.stringify(body), lost } as const
      return read(await sendToGateway('razorpay', request, call), lost)
    },
  }
}

function read(reply: GatewayReply, lost: 'unknown' | 'unavailable'): RazorpayReply {
  const { status } = reply
  let body: unknown
  try {
    body = JSON.parse(reply.text)
  } catch (cause) {
    // Of a success: it was done, and what was done is not known.
    if (reply.ok) throw new GatewayError('razorpay', lost, 'bad_response', 'the answer is not JSON', { status, cause })
  }
  if (reply.ok) return { ok: true, body }
  const parsed = z.object({ error: apiError }).safeParse(body)
  const error: RazorpayApiError = parsed.success ? parsed.data.error : { code: `http_${status}` }
  if (refusals.has(status) && !notTheRequest.has(error.code)) return { ok: false, status, error }

  const options: GatewayErrorOptions = {
    status,
    cause: error,
    ...retryAfterOf(reply.headers),
  }
  // 409: a refund under this key is under way. This call did nothing, but the key may well be taking effect.
  const kind = status === 429 ? 'unavailable' : lost
  throw new GatewayError('razorpay', kind, codeOf(error), error.description ?? `status ${status}`, options)
}

/** What a no that nobody has a better use for is thrown as. */
export function refusal({ status, error }: Extract<RazorpayReply, { ok: false }>): GatewayError {
  return new GatewayError('razorpay', 'refused', codeOf(error), error.description ?? `status ${status}`, {
    status,
    cause: error,
  })
}

/** The reason is the more precise word; errors of the older kind have only a code, or the reason `NA`. */
function codeOf({ code, reason }: RazorpayApiError): string {
  return reason && reason !== 'NA' ? reason : code
}

/** Reads an answer; one of another shape means that something was done which we cannot tell. */
export function readAs<T>(schema: z.ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data
  throw new GatewayError('razorpay', 'unknown', 'bad_response', 'the answer has an unexpected shape', {
    cause: parsed.error,
  })
}
