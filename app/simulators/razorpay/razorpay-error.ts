export interface RazorpayErrorDetails {
  readonly code?: 'BAD_REQUEST_ERROR' | 'GATEWAY_ERROR' | 'SERVER_ERROR'
  readonly field?: string
  readonly source?: string
  readonly step?: string
  readonly reason?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** An answer other than 200, in the vendor's words. https://razorpay.com/docs/errors/ */
export class RazorpayError extends Error {
  override readonly name = 'RazorpayError'
  readonly status: number
  readonly details: RazorpayErrorDetails

  constructor(status: number, description: string, details: RazorpayErrorDetails = {}) {
    super(description)
    this.status = status
    this.details = details
  }

  toBody(): object {
    const { code = 'BAD_REQUEST_ERROR', field, source = 'NA', step = 'NA', reason = 'NA' } = this.details
    const error = { code, description: this.message, source, step, reason, metadata: {} }
    return { error: field === undefined ? error : { ...error, field } }
  }
}

/** What the vendor says of a parameter. */
export function invalid(description: string, field?: string): RazorpayError {
  return new RazorpayError(400, description, {
    source: 'business',
    step: 'payment_initiation',
    reason: 'input_validation_failed',
    ...(field === undefined ? {} : { field }),
  })
}

export function noSuchId(): RazorpayError {
  return invalid('The id provided does not exist')
}

export function serverError(status: number): RazorpayError {
  return new RazorpayError(
    status,
    'We are facing some trouble completing your request at the moment. Please try again shortly.',
    { code: status === 502 || status === 504 ? 'GATEWAY_ERROR' : 'SERVER_ERROR' },
  )
}

export function inFlight(): RazorpayError {
  return new RazorpayError(409, 'Another request with the same idempotency key is still in progress.')
}

export function tooManyRequests(retryAfterSeconds: number | undefined): RazorpayError {
  return new RazorpayError(
    429,
    'Request rate limit exceeded',
    retryAfterSeconds === undefined ? {} : { headers: { 'retry-after': String(retryAfterSeconds) } },
  )
}
