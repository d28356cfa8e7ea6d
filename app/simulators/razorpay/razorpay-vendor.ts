import { createHash, timingSafeEqual } from 'node:crypto'
import { createCallLog, type CallLog } from '../call-log.ts'
import { createFaultQueue, type FaultQueue } from '../faults.ts'
import type { OpenMap } from '../keep-state.ts'
import type { Answer, Exchange, Request, Vendor } from '../simulator-server.ts'
import type { Tamper, WebhookSender } from '../webhook-sender.ts'
import { bookAsJson, recordEvent, type Book, type EventEntities, type Work } from './book.ts'
import { serveHostedPage, type Merchant } from './hosted-page.ts'
import { newId, type RazorpayEvent } from './objects.ts'
import { razorpayControl } from './razorpay-control.ts'
import { inFlight, invalid, RazorpayError, serverError, tooManyRequests } from './razorpay-error.ts'
import { createRefundKeys } from './refund-keys.ts'
import { routes } from './routes.ts'

export interface RazorpayVendorOptions extends Merchant {
  readonly webhookEvents: readonly string[]
  readonly uniqueReceipts: boolean
}

export interface RazorpayVendor extends Vendor {
  readonly calls: CallLog
  readonly faults: FaultQueue
}

const json = { 'content-type': 'application/json; charset=UTF-8' }
const hostedPage = '/v1/checkout/embedded'

/** Razorpay's side of the wire on top of a book. */
export function createRazorpayVendor(
  options: RazorpayVendorOptions,
  book: Book,
  webhooks: WebhookSender,
  open: OpenMap,
): RazorpayVendor {
  const keys = createRefundKeys(open)
  const wanted = new Set(options.webhookEvents)
  const { uniqueReceipts } = options

  async function deliver(event: RazorpayEvent, copies: number, tamper?: Tamper, freshIds = false): Promise<void> {
    const sent = Array.from({ length: copies }, (_, copy) => {
      const id = freshIds && copy > 0 ? newId('evt') : event.id
      const { type, body, secret } = event
      return webhooks.send({ id, type, body, secret, headers: { 'x-razorpay-event-id': id } }, tamper)
    })
    await Promise.all(sent)
  }

  async function deliverAll(events: readonly RazorpayEvent[], exchange?: Exchange): Promise<void> {
    const plan = exchange?.fault('webhook')
    const due = events.filter(({ type }) => wanted.has(type))
    await Promise.all(due.map((event) => deliver(event, plan?.copies ?? 1, plan?.tamper, plan?.freshIds)))
  }

  const recordIn = (events: RazorpayEvent[]) => (type: string, entities: EventEntities) => {
    events.push(recordEvent(book, type, entities, webhooks.endpoint.secret))
  }

  /** Work that is no request of the shop's or the customer's: the control routes. Its events are delivered at once. */
  function aside<T>(run: (work: Work) => T): T {
    const events: RazorpayEvent[] = []
    try {
      return run({ book, uniqueReceipts, emit: recordIn(events) })
    } finally {
      void deliverAll(events)
    }
  }

  /** Runs one piece of work and sees to its events: after the answer, or before it where a fault says so. */
  async function execute(exchange: Exchange, run: (work: Work) => Answer): Promise<Answer> {
    const events: RazorpayEvent[] = []
    const decline = exchange.fault('decline')
    const answer = run({
      book,
      uniqueReceipts,
      ordered: {
        decline: decline && { code: decline.code },
        silent: exchange.fault('processing') !== undefined,
      },
      emit: recordIn(events),
    })
    if (exchange.fault('webhook')?.early) await deliverAll(events, exchange)
    else exchange.afterwards(() => void deliverAll(events, exchange))
    return answer
  }

  async function api(exchange: Exchange): Promise<Answer> {
    try {
      const failure = exchange.fault('error')
      const limit = exchange.fault('rate_limit')
      if (limit) throw tooManyRequests(limit.retryAfterSeconds)
      if (failure?.effect === 'none') throw serverError(failure.status)
      if (exchange.call.path === hostedPage) {
        if (exchange.method !== 'POST') throw invalid('The requested URL was not found on the server.')
        await exchange.reach('begun')
        exchange.call.executed = exchange.call.params['action'] !== undefined
        return await execute(exchange, (work) => serveHostedPage(work, options, exchange.call.params))
      }
      authenticate(exchange.headers.authorization, options)
      if (exchange.fault('in_flight')) throw inFlight()
      const answer = await call(exchange)
      // Done, and yet a 5xx.
      if (failure) throw serverError(failure.status)
      return answer
    } catch (error) {
      if (!(error instanceof RazorpayError)) throw error
      return {
        status: error.status,
        headers: { ...json, ...error.details.headers },
        body: JSON.stringify(error.toBody()),
      }
    }
  }

  async function call(exchange: Exchange): Promise<Answer> {
    const { call: seen } = exchange
    const { route, id } = findRoute(exchange)
    const run = route.prepare(route.method === 'GET' ? seen.params : readJson(exchange.body), id)
    const key = route.keyed ? seen.key : null
    const stored = key === null ? undefined : keys.begin(key, seen.path, exchange.body)
    if (stored !== undefined) {
      seen.replayed = true
      return { status: 200, headers: json, body: stored }
    }
    try {
      await exchange.reach('begun')
      const answer = await execute(exchange, (work) => {
        const body = JSON.stringify(run(work))
        if (key !== null) keys.store(key, body)
        return { status: 200, headers: json, body }
      })
      seen.executed = route.method === 'POST'
      return answer
    } catch (error) {
      if (key !== null) keys.release(key)
      throw error
    }
  }

  function findRoute(exchange: Exchange) {
    for (const route of routes) {
      const found = route.method === exchange.method ? route.pattern.exec(exchange.call.path) : null
      if (found) return { route, id: decodeURIComponent(found[1] ?? '') }
    }
    throw invalid('The requested URL was not found on the server.')
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
    },
    describe,
    api,
    page: async () => ({ status: 404, headers: { 'content-type': 'text/plain' }, body: 'There is no such page.' }),
    extra: razorpayControl(book, aside, deliver),
  }
}

/** The refund's key, and the parameters flat: `notes[order]`. */
function describe(request: Request): { key: string | null; params: Record<string, string> } {
  const key = request.headers['x-refund-idempotency']
  const isJson = request.method === 'POST' && (request.headers['content-type'] ?? '').startsWith('application/json')
  const form = new URLSearchParams(request.method === 'GET' ? request.url.search : request.body)
  return {
    key: typeof key === 'string' && key !== '' ? key : null,
    params: isJson ? flatten(parseJson(request.body) ?? {}) : Object.fromEntries(form),
  }
}

function flatten(value: unknown, name = ''): Record<string, string> {
  if (typeof value !== 'object' || value === null) return { [name]: String(value) }
  return Object.assign(
    {},
    ...Object.entries(value).map(([inner, item]) => flatten(item, name === '' ? inner : `${name}[${inner}]`)),
  ) as Record<string, string>
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function readJson(text: string): unknown {
  const body = text === '' ? {} : parseJson(text)
  if (body === undefined) throw invalid('The request body is not valid JSON')
  return body
}

/** Basic: the key's id as user name, its secret as password. */
function authenticate(header: string | undefined, { keyId, keySecret }: Merchant): void {
  const [, credentials = ''] = /^Basic\s+(.+)$/i.exec(header ?? '') ?? []
  const digest = (text: string) => createHash('sha256').update(text).digest()
  const given = Buffer.from(credentials, 'base64').toString('utf8')
  if (!timingSafeEqual(digest(given), digest(`${keyId}:${keySecret}`)))
    throw new RazorpayError(401, 'Authentication failed')
}
