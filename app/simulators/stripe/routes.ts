import type { Work } from './book.ts'
import { expireFields, sessionFields, type Sessions } from './checkout-sessions.ts'
import { getDispute } from './disputes.ts'
import { checkExpand } from './expand.ts'
import type { FormMap } from './form.ts'
import { eventListFields, intentListFields, listPage, refundListFields, searchFields, searchIntents } from './lists.ts'
import { readParameters, texts, type Fields, type Parameters } from './parameters.ts'
import {
  cancelFields,
  cancelIntent,
  captureFields,
  captureIntent,
  checkCreate,
  confirmFields,
  confirmIntent,
  createFields,
  createIntent,
  getIntent,
} from './payment-intents.ts'
import { checkRefund, createRefund, getRefund, refundFields } from './refunds.ts'
import { noSuch } from './stripe-error.ts'

/** A call whose parameters are known to be good: what is left is to run it. */
export interface Prepared {
  readonly expand: readonly string[] | undefined
  readonly run: (work: Work) => object
}

export interface Route {
  readonly method: 'GET' | 'POST'
  readonly pattern: RegExp
  /** Throws a StripeError that nothing has begun for. */
  readonly prepare: (form: FormMap, id: string) => Prepared
}

const retrieveFields = { expand: texts } as const satisfies Fields

function route<F extends Fields>(
  method: 'GET' | 'POST',
  path: string,
  fields: F,
  run: (work: Work, params: Parameters<F>, id: string) => object,
  check: (params: Parameters<F>) => void = () => {},
): Route {
  const list = method === 'GET' && !path.includes(':id')
  return {
    method,
    pattern: new RegExp(`^/v1/${path.replace(':id', '([^/]+)')}/?$`),
    prepare(form, id) {
      const params = readParameters(fields, form)
      const expand = (params as { expand?: string[] }).expand
      checkExpand(expand, list)
      check(params)
      return { expand, run: (work) => run(work, params, id) }
    },
  }
}

/** Every path of `/v1` that this simulator has; the search comes before the ids it would be taken for. */
export function makeRoutes(sessions: Sessions, searchLagMs: number): readonly Route[] {
  return [
    route('POST', 'payment_intents', createFields, createIntent, checkCreate),
    route('GET', 'payment_intents', intentListFields, ({ book }, params) =>
      listPage(
        book.intents.values(),
        params,
        '/v1/payment_intents',
        (intent) => params.customer === undefined || intent.customer === params.customer,
      ),
    ),
    route('GET', 'payment_intents/search', searchFields, ({ book }, params) =>
      searchIntents(book, params, searchLagMs),
    ),
    route('GET', 'payment_intents/:id', retrieveFields, (work, _params, id) => getIntent(work, id)),
    route('POST', 'payment_intents/:id/confirm', confirmFields, (work, params, id) =>
      confirmIntent(work, getIntent(work, id), params),
    ),
    route('POST', 'payment_intents/:id/capture', captureFields, (work, params, id) =>
      captureIntent(work, getIntent(work, id), params),
    ),
    route('POST', 'payment_intents/:id/cancel', cancelFields, (work, params, id) =>
      cancelIntent(work, getIntent(work, id), params),
    ),
    route('POST', 'refunds', refundFields, createRefund, checkRefund),
    route('GET', 'refunds', refundListFields, ({ book }, params) =>
      listPage(
        book.refunds.values(),
        params,
        '/v1/refunds',
        (refund) =>
          (params.payment_intent === undefined || refund.payment_intent === params.payment_intent) &&
          (params.charge === undefined || refund.charge === params.charge),
      ),
    ),
    route('GET', 'refunds/:id', retrieveFields, (work, _params, id) => getRefund(work, id)),
    route('GET', 'disputes/:id', retrieveFields, (work, _params, id) => getDispute(work, id)),
    route(
      'POST',
      'checkout/sessions',
      sessionFields,
      (work, params) => sessions.create(work, params),
      (params) => sessions.check(params),
    ),
    route('GET', 'checkout/sessions/:id', retrieveFields, (work, _params, id) => sessions.get(work, id)),
    route('POST', 'checkout/sessions/:id/expire', expireFields, (work, _params, id) => sessions.expire(work, id)),
    route('GET', 'events', eventListFields, ({ book }, params) =>
      listPage(
        book.events.values(),
        params,
        '/v1/events',
        (event) => params.type === undefined || event.type === params.type,
      ),
    ),
    route('GET', 'events/:id', retrieveFields, ({ book }, _params, id) => {
      const event = book.events.get(id)
      if (!event) throw noSuch('event', id, 'id')
      return event
    }),
  ]
}
