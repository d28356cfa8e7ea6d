import { createHash, timingSafeEqual } from 'node:crypto'
import { createCallLog, type CallLog } from '../call-log.ts'
import { createFaultQueue, type FaultQueue } from '../faults.ts'
import type { OpenMap } from '../keep-state.ts'
import type { Answer, Exchange, Request, Vendor } from '../simulator-server.ts'
import type { WebhookSender } from '../webhook-sender.ts'
import { bookAsJson, recordEvent, type Book, type Work } from './book.ts'
import { createSessions } from './checkout-sessions.ts'
import { expand } from './expand.ts'
import { flatForm, nestForm } from './form.ts'
import { createIdempotencyKeys, inFlight } from './idempotency.ts'
import { apiVersion, newId, type StripeEvent } from './objects.ts'
import { servePage } from './pages.ts'
import { testCards } from './payment-methods.ts'
import { makeRoutes } from './routes.ts'
import { stripeControl } from './stripe-control.ts'
import { StripeError } from './stripe-error.ts'

export interface StripeVendorOptions {
  readonly secretKey: string
  /** How long after a change an intent is found by search. */
  readonly searchLagMs: number
  readonly keyLifetimeMs: number
  /** Event types that are delivered; all are recorded. */
  readonly webhookEvents: readonly string[]
}

export interface StripeVendor extends Vendor {
  readonly calls: CallLog
  readonly faults: FaultQueue
}

/** Stripe's side of the wire on top of a book. */
export function createStripeVendor(
  options: StripeVendorOptions,
  url: string,
  book: Book,
  webhooks: WebhookSender,
  open: OpenMap,
): StripeVendor {
  const keys = createIdempotencyKeys(options.keyLifetimeMs, open)
  const sessions = createSessions(open)
  const routes = makeRoutes(sessions, options.searchLagMs)
  const wanted = new Set(options.webhookEvents)

  async function deliver(events: readonly StripeEvent[], exchange?: Exchange): Promise<void> {
    const plan = exchange?.fault('webhook')
    const sent = events
      .filter((event) => wanted.has(event.type))
      .flatMap((event) =>
        Array.from({ length: plan?.copies ?? 1 }, (_, copy) => {
          const id = plan?.freshIds && copy > 0 ? newId('evt') : event.id
          return webhooks.send({ id, type: event.type, body: JSON.stringify({ ...event, id }) }, plan?.tamper)
        }),
      )
    await Promise.all(sent)
  }

  /** Work that is not an API call: the customer's pages, the control routes. Its events are delivered at once. */
  function aside<T>(run: (work: Work) => T): T {
    const events: StripeEvent[] = []
    const emit = (type: string, object: object) => {
      events.push(recordEvent(book, type, object, { id: null, key: null }))
    }
    try {
      return run({ book, pages: url, emit })
    } finally {
      void deliver(events)
    }
  }

  async function api(exchange: Exchange): Promise<Answer> {
    const { call } = exchange
    const requestId = newId('req')
    const headers = {
      'content-type': 'application/json',
      'request-id': requestId,
      'stripe-version': String(exchange.headers['stripe-version'] ?? apiVersion),
      ...(call.key === null ? {} : { 'idempotency-key': call.key }),
    }
    const refuse = (error: StripeError): Answer => ({
      status: error.status,
      headers: { ...headers, ...error.headers },
      body: JSON.stringify(error.toBody()),
    })

    let key: string | null = null
    try {
      authenticate(exchange.headers.authorization, options.secretKey)
      if (exchange.fault('in_flight')) throw inFlight(call.key)
      const limit = exchange.fault('rate_limit')
      if (limit) throw rateLimited(limit.retryAfterSeconds)
      const failure = exchange.fault('error')
      if (failure && !failure.stored) throw apiError(failure.status)

      const { route, id } = findRoute(exchange)
      const prepared = route.prepare(nestForm(call.params), id)
      // A key means nothing on GET.
      if (call.key !== null && route.method === 'POST') {
        const stored = keys.begin(call.key, call.path, call.params)
        if (stored) {
          call.replayed = true
          return {
            status: stored.status,
            headers: { ...headers, 'idempotent-replayed': 'true', 'original-request': stored.requestId },
            body: stored.body,
          }
        }
        key = call.key
      }
      await exchange.reach('begun')

      const events: StripeEvent[] = []
      const work: Work = {
        book,
        pages: url,
        ordered: { decline: exchange.fault('decline'), processing: exchange.fault('processing') !== undefined },
        emit(type, object) {
          events.push(recordEvent(book, type, object, { id: requestId, key: call.key }))
        },
      }
      const answer = execute(() => {
        if (failure?.effect === 'none') throw apiError(failure.status, true)
        call.executed = route.method === 'POST'
        const result = expand(book, prepared.run(work), prepared.expand)
        if (failure) throw apiError(failure.status, true)
        return result
      }, headers)
      if (key !== null) {
        if (answer.begun) keys.store(key, { status: answer.status, body: answer.body, requestId })
        else keys.release(key)
      }
      if (!answer.begun) call.executed = false
      if (exchange.fault('webhook')?.early) await deliver(events, exchange)
      else exchange.afterwards(() => void deliver(events, exchange))
      const late = testCards.get(call.params['payment_method'] ?? '')?.answersAfter
      return late !== undefined && call.executed ? { ...answer, late } : answer
    } catch (error) {
      if (key !== null) keys.release(key)
      if (error instanceof StripeError) return refuse(error)
      throw error
    }
  }

  function findRoute(exchange: Exchange) {
    for (const route of routes) {
      const found = route.method === exchange.method ? route.pattern.exec(exchange.call.path) : null
      if (found) return { route, id: decodeURIComponent(found[1] ?? '') }
    }
    throw new StripeError(404, `Unrecognized request URL (${exchange.method}: ${exchange.call.path}).`, {
      type: 'invalid_request_error',
    })
  }

  return {
    calls: createCallLog(),
    faults: createFaultQueue(),
    webhooks,
    apiPrefix: '/v1/',
    book: () => bookAsJson(book),
    reset() {
      book.clear()
      keys.clear()
      sessions.clear()
    },
    describe,
    api,
    page: async (request) => aside((work) => servePage(work, sessions, request)),
    extra: stripeControl(book, aside),
  }
}

function describe(request: Request): { key: string | null; params: Record<string, string> } {
  const key = request.headers['idempotency-key']
  return {
    key: typeof key === 'string' && key !== '' ? key : null,
    params: flatForm(request.method === 'GET' ? request.url.search : request.body),
  }
}

function execute(run: () => object, headers: Record<string, string>): Answer & { readonly begun: boolean } {
  try {
    return { status: 200, headers, body: JSON.stringify(run()), begun: true }
  } catch (error) {
    if (!(error instanceof StripeError)) throw error
    return {
      status: error.status,
      headers: { ...headers, ...error.headers },
      body: JSON.stringify(error.toBody()),
      begun: error.begun,
    }
  }
}

function apiError(status: number, begun = false): StripeError {
  return new StripeError(status, 'An error occurred on our end. Please try again.', { type: 'api_error' }, begun)
}

function rateLimited(retryAfterSeconds: number | undefined): StripeError {
  return new StripeError(
    429,
    'Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits.',
    { type: 'invalid_request_error', code: 'rate_limit' },
    false,
    retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) },
  )
}

/** `Bearer sk_…`, or Basic with the key as user name. */
function authenticate(header: string | undefined, secretKey: string): void {
  const [, scheme = '', credentials = ''] = /^(\S+)\s+(.+)$/.exec(header ?? '') ?? []
  const given =
    scheme.toLowerCase() === 'bearer'
      ? credentials
      : scheme.toLowerCase() === 'basic'
        ? (Buffer.from(credentials, 'base64').toString('utf8').split(':')[0] ?? '')
        : ''
  if (given === '') {
    throw new StripeError(
      401,
      "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
      { type: 'invalid_request_error' },
    )
  }
  const digest = (text: string) => createHash('sha256').update(text).digest()
  if (!timingSafeEqual(digest(given), digest(secretKey))) {
    throw new StripeError(401, `Invalid API Key provided: ${given.slice(0, 7)}${'*'.repeat(8)}${given.slice(-4)}`, {
      type: 'invalid_request_error',
    })
  }
}
