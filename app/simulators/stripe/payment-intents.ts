import type { Work } from './book.ts'
import { checkMoney } from './currencies.ts'
import { newId, unixNow, type Charge, type PaymentError, type PaymentIntent } from './objects.ts'
import { boolean, integer, metadata, text, texts, type Fields, type Parameters } from './parameters.ts'
import { testCards, type TestCard } from './payment-methods.ts'
import { StripeError, invalidParameter, noSuch, unexpectedState } from './stripe-error.ts'

/** The parameters of create; others are refused as unknown. https://docs.stripe.com/api/payment_intents/create */
export const createFields = {
  amount: { is: 'integer', required: true },
  currency: { is: 'string', required: true },
  automatic_payment_methods: {
    is: 'map',
    fields: {
      enabled: { is: 'boolean', required: true },
      allow_redirects: { is: 'one-of', values: ['always', 'never'] },
    },
  },
  capture_method: { is: 'one-of', values: ['automatic', 'automatic_async', 'manual'] },
  confirm: boolean,
  customer: text,
  description: { is: 'string', max: 1000 },
  error_on_requires_action: boolean,
  expand: texts,
  metadata,
  off_session: boolean,
  payment_method: text,
  payment_method_types: texts,
  receipt_email: text,
  return_url: text,
  statement_descriptor_suffix: { is: 'string', max: 22 },
} as const satisfies Fields

export const confirmFields = {
  error_on_requires_action: boolean,
  expand: texts,
  off_session: boolean,
  payment_method: text,
  return_url: text,
} as const satisfies Fields

export const captureFields = { amount_to_capture: integer, expand: texts } as const satisfies Fields

export const cancelFields = {
  cancellation_reason: { is: 'one-of', values: ['duplicate', 'fraudulent', 'requested_by_customer', 'abandoned'] },
  expand: texts,
} as const satisfies Fields

type CreateParameters = Parameters<typeof createFields>
type ConfirmParameters = Parameters<typeof confirmFields>

/** Everything that is refused before the call begins, so that its key stays free. */
export function checkCreate(params: CreateParameters): void {
  checkMoney(params.amount, params.currency)
  if (params.payment_method !== undefined) getCard(params.payment_method)
  if (!params.confirm) {
    for (const name of ['off_session', 'error_on_requires_action', 'return_url'] as const) {
      if (params[name] !== undefined) {
        throw invalidParameter(
          undefined,
          name,
          `You cannot provide \`${name}\` unless you also provide \`confirm=true\`.`,
        )
      }
    }
  }
  if (params.automatic_payment_methods?.enabled && params.payment_method_types) {
    throw invalidParameter(
      undefined,
      'payment_method_types',
      'You may only specify one of these parameters: automatic_payment_methods, payment_method_types.',
    )
  }
  for (const type of params.payment_method_types ?? []) {
    if (type !== 'card')
      throw invalidParameter(undefined, 'payment_method_types', `The payment method type provided: ${type} is invalid.`)
  }
}

export function createIntent(work: Work, params: CreateParameters): PaymentIntent {
  const id = newId('pi')
  const intent: PaymentIntent = {
    id,
    object: 'payment_intent',
    amount: params.amount,
    amount_capturable: 0,
    amount_received: 0,
    // Since 2023-08-16 the default where no types are named; then a redirect may be needed, hence a return_url.
    automatic_payment_methods: params.payment_method_types
      ? null
      : { enabled: true, allow_redirects: params.automatic_payment_methods?.allow_redirects ?? 'always' },
    canceled_at: null,
    cancellation_reason: null,
    capture_method: params.capture_method ?? 'automatic',
    client_secret: newId(`${id}_secret`),
    confirmation_method: 'automatic',
    created: unixNow(),
    currency: params.currency.toLowerCase(),
    customer: params.customer ?? null,
    description: params.description ?? null,
    last_payment_error: null,
    latest_charge: null,
    livemode: false,
    metadata: params.metadata ?? {},
    next_action: null,
    payment_method: params.payment_method ?? null,
    payment_method_types: params.payment_method_types ?? ['card'],
    receipt_email: params.receipt_email ?? null,
    statement_descriptor_suffix: params.statement_descriptor_suffix ?? null,
    status: params.payment_method ? 'requires_confirmation' : 'requires_payment_method',
  }
  if (params.confirm) checkReturnUrl(intent, params.return_url)
  work.book.intents.set(id, intent)
  touch(work, intent)
  work.emit('payment_intent.created', intent)
  if (params.confirm) confirm(work, intent, params)
  return intent
}

export function confirmIntent(work: Work, intent: PaymentIntent, params: ConfirmParameters): PaymentIntent {
  if (
    intent.status !== 'requires_payment_method' &&
    intent.status !== 'requires_confirmation' &&
    intent.status !== 'requires_action'
  ) {
    throw unexpectedState(
      `This PaymentIntent's status is ${intent.status}, but must be requires_payment_method, requires_confirmation or requires_action to be confirmed.`,
      intent,
    )
  }
  checkReturnUrl(intent, params.return_url)
  if (params.payment_method !== undefined) {
    getCard(params.payment_method)
    intent.payment_method = params.payment_method
  }
  confirm(work, intent, params)
  return intent
}

function checkReturnUrl(intent: PaymentIntent, returnUrl: string | undefined): void {
  const redirects = intent.automatic_payment_methods && intent.automatic_payment_methods.allow_redirects !== 'never'
  if (redirects && returnUrl === undefined) {
    throw invalidParameter(
      undefined,
      'return_url',
      "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some of these payment methods might redirect your customer off of your page, you must provide a `return_url`. If you don't want to accept redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` and `automatic_payment_methods[allow_redirects]` to `never` when creating Payment Intents.",
    )
  }
}

function confirm(work: Work, intent: PaymentIntent, params: ConfirmParameters): void {
  const method = intent.payment_method
  if (method === null) {
    throw unexpectedState(
      "You cannot confirm this PaymentIntent because it's missing a payment method. Update the PaymentIntent with a payment method and then confirm it again.",
      intent,
    )
  }
  const { behaviour } = getCard(method)
  const ordered = work.ordered?.decline
  if (ordered) throw decline(work, intent, { ...ordered, message: 'Your card was declined.' })
  if (work.ordered?.processing) {
    intent.status = 'processing'
    touch(work, intent)
    work.emit('payment_intent.processing', intent)
    return
  }
  if (behaviour.does === 'decline') throw decline(work, intent, behaviour)
  if (behaviour.does === 'authenticate') {
    if (params.off_session || params.error_on_requires_action) {
      throw decline(work, intent, {
        code: 'authentication_required',
        declineCode: 'authentication_required',
        message: 'Your card was declined. This transaction requires authentication.',
      })
    }
    const page = `${work.pages}/pay/authenticate/${intent.id}?client_secret=${intent.client_secret}`
    intent.status = 'requires_action'
    intent.next_action =
      params.return_url === undefined
        ? { type: 'use_stripe_sdk', use_stripe_sdk: { type: 'three_d_secure_redirect', stripe_js: page } }
        : { type: 'redirect_to_url', redirect_to_url: { url: page, return_url: params.return_url } }
    touch(work, intent)
    work.emit('payment_intent.requires_action', intent)
    return
  }
  payIntent(work, intent)
}

/** Takes the money, or holds it where the intent is captured by hand. */
export function payIntent(work: Work, intent: PaymentIntent): void {
  const manual = intent.capture_method === 'manual'
  const charge = newCharge(intent, { captured: !manual })
  work.book.charges.set(charge.id, charge)
  intent.latest_charge = charge.id
  intent.next_action = null
  intent.last_payment_error = null
  intent.amount_capturable = manual ? intent.amount : 0
  intent.amount_received = manual ? 0 : intent.amount
  intent.status = manual ? 'requires_capture' : 'succeeded'
  touch(work, intent)
  work.emit('charge.succeeded', charge)
  work.emit(manual ? 'payment_intent.amount_capturable_updated' : 'payment_intent.succeeded', intent)
}

export interface Decline {
  readonly code: string
  readonly declineCode: string
  readonly message: string
}

/** Records the failed attempt; the intent may be tried again. Returns the 402 to throw. */
export function decline(work: Work, intent: PaymentIntent, why: Decline): StripeError {
  const error: PaymentError = {
    type: 'card_error',
    code: why.code,
    decline_code: why.declineCode,
    message: why.message,
  }
  const charge = newCharge(intent, { captured: false, failure: error })
  work.book.charges.set(charge.id, charge)
  intent.latest_charge = charge.id
  intent.last_payment_error = error
  intent.next_action = null
  intent.payment_method = null
  intent.status = 'requires_payment_method'
  touch(work, intent)
  work.emit('charge.failed', charge)
  work.emit('payment_intent.payment_failed', intent)
  return new StripeError(
    402,
    why.message,
    { ...error, charge: charge.id, payment_intent: structuredClone(intent) },
    true,
  )
}

export function captureIntent(
  work: Work,
  intent: PaymentIntent,
  params: Parameters<typeof captureFields>,
): PaymentIntent {
  const charge = intent.latest_charge ? work.book.charges.get(intent.latest_charge) : undefined
  if (intent.status !== 'requires_capture' || !charge) {
    throw unexpectedState(
      `This PaymentIntent could not be captured because it has a status of ${intent.status}. Only a PaymentIntent with one of the following statuses may be captured: requires_capture.`,
      intent,
    )
  }
  const amount = params.amount_to_capture ?? intent.amount_capturable
  if (amount < 1 || amount > intent.amount_capturable) {
    throw invalidParameter(
      'amount_too_large',
      'amount_to_capture',
      `The amount to capture must be between 1 and ${intent.amount_capturable}.`,
    )
  }
  charge.captured = true
  charge.amount_captured = amount
  intent.amount_capturable = 0
  intent.amount_received = amount
  intent.status = 'succeeded'
  touch(work, intent)
  work.emit('charge.captured', charge)
  work.emit('payment_intent.succeeded', intent)
  return intent
}

export function cancelIntent(
  work: Work,
  intent: PaymentIntent,
  params: Parameters<typeof cancelFields>,
): PaymentIntent {
  if (intent.status === 'succeeded' || intent.status === 'canceled') {
    throw unexpectedState(
      `You cannot cancel this PaymentIntent because it has a status of ${intent.status}. Only a PaymentIntent with one of the following statuses may be canceled: requires_payment_method, requires_capture, requires_confirmation, requires_action, processing.`,
      intent,
    )
  }
  intent.status = 'canceled'
  intent.canceled_at = unixNow()
  intent.cancellation_reason = params.cancellation_reason ?? null
  intent.amount_capturable = 0
  intent.next_action = null
  touch(work, intent)
  work.emit('payment_intent.canceled', intent)
  return intent
}

/** The end of a payment that was left `processing`, or of the customer's authentication. */
export function settleIntent(work: Work, intent: PaymentIntent, outcome: 'succeeded' | 'failed', why: Decline): void {
  if (outcome === 'succeeded') payIntent(work, intent)
  else decline(work, intent, why)
}

export function getIntent(work: Pick<Work, 'book'>, id: string): PaymentIntent {
  const intent = work.book.intents.get(id)
  if (!intent) throw noSuch('payment_intent', id, 'intent')
  return intent
}

export function getCard(method: string): TestCard {
  const card = testCards.get(method)
  if (!card) throw noSuch('PaymentMethod', method, 'payment_method', 400)
  return card
}

function touch(work: Work, intent: PaymentIntent): void {
  work.book.changedAt.set(intent.id, Date.now())
}

function newCharge(intent: PaymentIntent, made: { captured: boolean; failure?: PaymentError }): Charge {
  const method = intent.payment_method ?? 'pm_card_visa'
  const { brand, last4 } = getCard(method)
  return {
    id: newId('ch'),
    object: 'charge',
    amount: intent.amount,
    amount_captured: made.captured ? intent.amount : 0,
    amount_refunded: 0,
    captured: made.captured,
    created: unixNow(),
    currency: intent.currency,
    customer: intent.customer,
    disputed: false,
    failure_code: made.failure?.code ?? null,
    failure_message: made.failure?.message ?? null,
    livemode: false,
    metadata: { ...intent.metadata },
    paid: !made.failure,
    payment_intent: intent.id,
    payment_method: method,
    payment_method_details: { type: 'card', card: { brand, last4 } },
    refunded: false,
    status: made.failure ? 'failed' : 'succeeded',
  }
}
