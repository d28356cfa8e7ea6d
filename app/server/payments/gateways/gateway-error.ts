/**
 * Whether the call itself may have changed anything at the gateway:
 * - `refused`: answered with a no that trying again will not change; this call did nothing.
 * - `unavailable`: surely not executed (no connection, rate limit): may be tried again under the same key.
 * - `unknown`: it may have taken effect (lost answer, time-out, 5xx, or the same key still in flight).
 *
 * It speaks of **this call only**. Where an earlier call under the same key is of unknown outcome, a later `refused` or
 * `unavailable` leaves that one as unknown as it was: settle it.
 */
export type GatewayErrorKind = 'refused' | 'unknown' | 'unavailable'

export interface GatewayErrorOptions {
  readonly cause?: unknown
  /** Whether the same call under the same key may be sent again. Default: unless refused. */
  readonly retryable?: boolean
  readonly retryAfterMs?: number
  /** The gateway's HTTP status, where it answered. */
  readonly status?: number
  /** The gateway's own id of the request, for its support. */
  readonly requestId?: string
}

/** A call to a gateway that has no answer in the gateway's terms. A decline is not one: that is a result. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError'
  readonly gateway: string
  readonly kind: GatewayErrorKind
  /** The gateway's code, or one of `timeout`, `aborted`, `network`, `bad_response`. Never match on the message. */
  readonly code: string
  /** The engine's word for it: `none` is a promise that this call has changed nothing. */
  readonly effect: 'none' | 'unknown'
  readonly retryable: boolean
  readonly retryAfterMs: number | undefined
  readonly status: number | undefined
  readonly requestId: string | undefined

  constructor(
    gateway: string,
    kind: GatewayErrorKind,
    code: string,
    message: string,
    options: GatewayErrorOptions = {},
  ) {
    super(`${gateway}: ${message}`, options.cause === undefined ? undefined : { cause: options.cause })
    this.gateway = gateway
    this.kind = kind
    this.code = code
    this.effect = kind === 'unknown' ? 'unknown' : 'none'
    this.retryable = options.retryable ?? kind !== 'refused'
    this.retryAfterMs = options.retryAfterMs
    this.status = options.status
    this.requestId = options.requestId
  }
}
