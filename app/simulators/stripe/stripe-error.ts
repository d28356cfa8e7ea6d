/** What Stripe's error object carries besides `message`. https://docs.stripe.com/api/errors */
export interface StripeErrorFields {
  readonly type: 'card_error' | 'invalid_request_error' | 'api_error' | 'idempotency_error'
  readonly code?: string
  readonly decline_code?: string
  readonly param?: string
  readonly charge?: string
  readonly payment_intent?: unknown
}

/** A refusal on Stripe's wire. */
export class StripeError extends Error {
  readonly status: number
  readonly fields: StripeErrorFields
  /** Whether the endpoint had begun: only then is the answer kept under the idempotency key. */
  readonly begun: boolean
  readonly headers: Readonly<Record<string, string>>

  constructor(
    status: number,
    message: string,
    fields: StripeErrorFields,
    begun = false,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(message)
    this.status = status
    this.fields = fields
    this.begun = begun
    this.headers = headers
  }

  /** The body as Stripe sends it. */
  toBody(): { error: Record<string, unknown> } {
    const docs = this.fields.code
      ? { doc_url: `https://stripe.com/docs/error-codes/${this.fields.code.replaceAll('_', '-')}` }
      : {}
    return { error: { ...this.fields, message: this.message, ...docs } }
  }
}

/** A parameter that is wrong in itself: nothing begins. */
export function invalidParameter(code: string | undefined, param: string, message: string): StripeError {
  return new StripeError(400, message, { type: 'invalid_request_error', ...(code ? { code } : {}), param })
}

export function noSuch(kind: string, id: string, param: string, status = 404): StripeError {
  return new StripeError(status, `No such ${kind}: '${id}'`, {
    type: 'invalid_request_error',
    code: 'resource_missing',
    param,
  })
}

/** The object is in a state that does not allow the call. The call had begun: the answer is kept under its key. */
export function unexpectedState(message: string, paymentIntent: unknown): StripeError {
  return new StripeError(
    400,
    message,
    {
      type: 'invalid_request_error',
      code: 'payment_intent_unexpected_state',
      payment_intent: structuredClone(paymentIntent),
    },
    true,
  )
}
