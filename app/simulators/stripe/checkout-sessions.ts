import { freshMap, type OpenMap } from '../keep-state.ts'
import type { Work } from './book.ts'
import { checkMoney } from './currencies.ts'
import { newId, unixNow, type CheckoutSession } from './objects.ts'
import { integer, metadata, text, texts, type Fields, type Parameters } from './parameters.ts'
import { cancelIntent } from './payment-intents.ts'
import { StripeError, invalidParameter, noSuch } from './stripe-error.ts'

/** Payment mode with prices in the request. https://docs.stripe.com/api/checkout/sessions/create */
export const sessionFields = {
  cancel_url: text,
  client_reference_id: { is: 'string', max: 200 },
  customer: text,
  customer_email: text,
  expand: texts,
  expires_at: integer,
  line_items: {
    is: 'list',
    required: true,
    of: {
      is: 'map',
      fields: {
        price_data: {
          is: 'map',
          required: true,
          fields: {
            currency: { is: 'string', required: true },
            product_data: {
              is: 'map',
              required: true,
              fields: { name: { is: 'string', max: 250, required: true }, description: text },
            },
            unit_amount: { is: 'integer', required: true },
          },
        },
        quantity: { is: 'integer', required: true },
      },
    },
  },
  metadata,
  mode: { is: 'one-of', values: ['payment'], required: true },
  payment_intent_data: { is: 'map', fields: { description: { is: 'string', max: 1000 }, metadata } },
  payment_method_types: texts,
  success_url: { is: 'string', required: true },
} as const satisfies Fields

export const expireFields = { expand: texts } as const satisfies Fields

/** What a session needs to make its intent from, beside what the wire shows. */
export interface SessionExtra {
  readonly name: string
  readonly description: string | undefined
  readonly intentMetadata: Record<string, string>
}

export interface Sessions {
  check(params: Parameters<typeof sessionFields>): void
  create(work: Work, params: Parameters<typeof sessionFields>): CheckoutSession
  expire(work: Work, id: string): CheckoutSession
  /** Also lets an open session expire whose time is over. */
  get(work: Work, id: string): CheckoutSession
  extra(id: string): SessionExtra
  clear(): void
}

export function createSessions(open: OpenMap = freshMap): Sessions {
  const extras = open<SessionExtra>('session extras')

  function end(work: Work, session: CheckoutSession): void {
    session.status = 'expired'
    session.url = null
    const intent = session.payment_intent ? work.book.intents.get(session.payment_intent) : undefined
    if (intent && ['requires_payment_method', 'requires_confirmation', 'requires_action'].includes(intent.status))
      cancelIntent(work, intent, {})
    work.emit('checkout.session.expired', session)
  }

  const sessions: Sessions = {
    check(params) {
      const currencies = new Set(params.line_items.map((item) => item.price_data.currency.toLowerCase()))
      if (currencies.size !== 1)
        throw invalidParameter(undefined, 'line_items', 'All line items must have the same currency.')
      if (params.line_items.some((item) => item.quantity < 1 || item.price_data.unit_amount < 0)) {
        throw invalidParameter(
          'parameter_invalid_integer',
          'line_items',
          'Quantities must be at least 1 and amounts at least 0.',
        )
      }
      checkMoney(totalOf(params), [...currencies][0] ?? '', 'line_items')
      const life = (params.expires_at ?? unixNow() + 86_400) - unixNow()
      if (life < 30 * 60 - 5 || life > 86_400 + 5) {
        throw invalidParameter(
          undefined,
          'expires_at',
          'The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation and at most 24 hours.',
        )
      }
    },
    create(work, params) {
      const id = newId('cs_test')
      const session: CheckoutSession = {
        id,
        object: 'checkout.session',
        amount_subtotal: totalOf(params),
        amount_total: totalOf(params),
        cancel_url: params.cancel_url ?? null,
        client_reference_id: params.client_reference_id ?? null,
        created: unixNow(),
        currency: params.line_items[0]?.price_data.currency.toLowerCase() ?? '',
        customer: params.customer ?? null,
        customer_email: params.customer_email ?? null,
        expires_at: params.expires_at ?? unixNow() + 86_400,
        livemode: false,
        metadata: params.metadata ?? {},
        mode: 'payment',
        // Made when the customer pays, as at Stripe since 2022-08-01.
        payment_intent: null,
        payment_method_types: params.payment_method_types ?? ['card'],
        payment_status: 'unpaid',
        status: 'open',
        success_url: params.success_url,
        url: `${work.pages}/pay/checkout/${id}`,
      }
      work.book.sessions.set(id, session)
      extras.set(id, {
        name: params.line_items.map((item) => `${item.quantity} x ${item.price_data.product_data.name}`).join(', '),
        description: params.payment_intent_data?.description,
        intentMetadata: params.payment_intent_data?.metadata ?? {},
      })
      return session
    },
    expire(work, id) {
      const session = sessions.get(work, id)
      if (session.status !== 'open') {
        throw new StripeError(
          400,
          `Only Checkout Sessions with a status in ["open"] can be expired. This Session has a status of ${session.status}.`,
          { type: 'invalid_request_error' },
          true,
        )
      }
      end(work, session)
      return session
    },
    get(work, id) {
      const session = work.book.sessions.get(id)
      if (!session) throw noSuch('checkout.session', id, 'session')
      if (session.status === 'open' && session.expires_at <= unixNow()) end(work, session)
      return session
    },
    extra: (id) => extras.get(id) ?? { name: '', description: undefined, intentMetadata: {} },
    clear() {
      extras.clear()
    },
  }
  return sessions
}

function totalOf(params: Parameters<typeof sessionFields>): number {
  return params.line_items.reduce((total, item) => total + item.quantity * item.price_data.unit_amount, 0)
}
