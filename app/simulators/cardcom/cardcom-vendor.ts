import { createCallLog, type CallLog } from '../call-log.ts'
import { createFaultQueue, type FaultQueue } from '../faults.ts'
import type { Answer, Exchange, Request, Vendor } from '../simulator-server.ts'
import type { WebhookSender } from '../webhook-sender.ts'
import { bookAsJson, type Book } from './book.ts'
import { cardcomControl } from './cardcom-control.ts'
import { CardcomError, refused, wrongCredentials } from './cardcom-error.ts'
import { codes, ok, pageOnTheWire, undecided, type Page } from './objects.ts'
import { createPage, getPageResult, hostedPath, servePage } from './pages.ts'
import { readRequest, requests, type Requests } from './requests.ts'
import {
  chargeToken,
  findByReference,
  getTransaction,
  listTransactions,
  refundTransaction,
  replayOf,
} from './transactions.ts'
import { parseWire, type WireNumber } from './wire-json.ts'

export interface CardcomVendorOptions {
  readonly terminalNumber: number
  readonly apiName: string
  readonly apiPassword: string
  /** The older API's webhook: a GET with the page's id. */
  readonly legacyWebhooks: boolean
  /** The setting "Always report transaction": declines are told, too. */
  readonly reportDeclines: boolean
}

export interface CardcomVendor extends Vendor {
  readonly calls: CallLog
  readonly faults: FaultQueue
}

const operations = {
  '/api/v11/LowProfile/Create': 'createPage',
  '/api/v11/LowProfile/GetLpResult': 'getPageResult',
  '/api/v11/Transactions/Transaction': 'charge',
  '/api/v11/Transactions/GetTransactionByExternalUniqTran': 'findByReference',
  '/api/v11/Transactions/GetTransactionInfoById': 'getTransaction',
  '/api/v11/Transactions/ListTransactions': 'listTransactions',
  '/api/v11/Transactions/RefundByTransactionId': 'refund',
} as const

const json = { 'content-type': 'application/json; charset=utf-8' }

/**
 * CardCom's side of the wire on top of a book. Of the faults that every simulator has (`faults.ts`), two mean something of
 * its own: `decline` is a `ResponseCode` (its `code`, or 4) in an HTTP 200, to a charge as to any other call; `processing`
 * leaves the transaction out of the answer of `GetLpResult`.
 */
export function createCardcomVendor(
  options: CardcomVendorOptions,
  url: string,
  book: Book,
  webhooks: WebhookSender,
): CardcomVendor {
  async function tell(page: Page, copies = 1, legacy = options.legacyWebhooks, forged?: object): Promise<void> {
    const { transaction } = page
    const id = `${page.id}:${transaction?.id ?? 0}:${transaction?.responseCode ?? codes.pendingOrNotFound}`
    const query = new URLSearchParams({
      terminalnumber: String(page.terminalNumber),
      lowprofilecode: page.id,
      Operation: '1',
    })
    const event = {
      id,
      type: forged ? 'forged' : 'LowProfileResult',
      url: page.webhookUrl,
      ...(legacy
        ? { method: 'GET' as const, body: query.toString() }
        : { body: JSON.stringify({ ...pageOnTheWire(page), ...forged }) }),
    }
    await Promise.all(Array.from({ length: copies }, () => webhooks.send(event)))
  }

  /** A decline is told only where the merchant wants to hear of declines. */
  const report = async (page: Page, copies = 1) => {
    if (page.transaction && (options.reportDeclines || page.transaction.responseCode === ok)) await tell(page, copies)
  }

  async function api(exchange: Exchange): Promise<Answer> {
    try {
      const limit = exchange.fault('rate_limit')
      if (limit)
        throw new CardcomError(429, 429, 'Too many requests', { 'retry-after': String(limit.retryAfterSeconds ?? 1) })
      const failure = exchange.fault('error')
      if (failure?.effect === 'none') throw new CardcomError(failure.status, failure.status, 'Internal server error')
      const answer = hostedPath.test(exchange.call.path) ? await page(exchange) : await operation(exchange)
      // Done, and yet a 5xx.
      if (failure) throw new CardcomError(failure.status, failure.status, 'Internal server error')
      return answer
    } catch (error) {
      if (!(error instanceof CardcomError)) throw error
      return {
        status: error.status,
        headers: { ...json, ...error.headers },
        body: JSON.stringify({ ResponseCode: error.code, Description: error.message }),
      }
    }
  }

  async function page(exchange: Exchange): Promise<Answer> {
    await exchange.reach('begun')
    const { path, method, params } = exchange.call
    const told: Page[] = []
    const answer = servePage(book, { path, method, form: params }, orderedCode(exchange), (one) => told.push(one))
    exchange.call.executed = told.length > 0
    const plan = exchange.fault('webhook')
    const deliver = () => Promise.all(told.map((one) => report(one, plan?.copies)))
    if (plan?.early) await deliver()
    else exchange.afterwards(() => void deliver())
    return answer
  }

  async function operation(exchange: Exchange): Promise<Answer> {
    const { path } = exchange.call
    if (exchange.method !== 'POST' || !Object.hasOwn(operations, path)) {
      const Message = `No HTTP resource was found that matches the request URI '${path}'.`
      return { status: 404, headers: json, body: JSON.stringify({ Message }) }
    }
    const name = operations[path as keyof typeof operations]
    const request = readRequest(requests[name], parse(exchange.body))
    authenticate(request)
    const ordered = orderedCode(exchange)
    // Below 600 it is the card's no, and makes a transaction.
    if (ordered !== undefined && (name !== 'charge' || ordered >= codes.invalid)) throw refused(ordered)

    const replay = name === 'charge' ? replayOf(book, request as Requests['charge']) : undefined
    if (replay) exchange.call.replayed = true
    await exchange.reach('begun')
    exchange.call.executed = !replay && (name === 'createPage' || name === 'charge' || name === 'refund')
    const body = replay ?? run(name, request, ordered, exchange.fault('processing') !== undefined)
    return { status: 200, headers: json, body: JSON.stringify(body) }
  }

  function run(name: keyof Requests, request: unknown, ordered: number | undefined, silent: boolean): object {
    switch (name) {
      case 'createPage':
        return createPage(book, request as Requests['createPage'], url)
      case 'getPageResult': {
        const asked = request as Requests['getPageResult']
        return silent ? undecided(asked.LowProfileId, asked.TerminalNumber) : getPageResult(book, asked)
      }
      case 'charge':
        return chargeToken(book, request as Requests['charge'], ordered)
      case 'findByReference':
        return findByReference(book, request as Requests['findByReference'])
      case 'getTransaction':
        return getTransaction(book, request as Requests['getTransaction'])
      case 'listTransactions':
        return listTransactions(book, request as Requests['listTransactions'])
      case 'refund':
        return refundTransaction(book, request as Requests['refund'])
    }
  }

  /** Each operation has credentials of its own; whatever it has must be right. */
  function authenticate(request: object): void {
    const { terminalNumber, apiName, apiPassword } = options
    const given = request as Record<string, unknown>
    const right: Record<string, unknown> = {
      TerminalNumber: terminalNumber,
      ApiName: apiName,
      UserName: apiName,
      ApiPassword: apiPassword,
      UserPassword: apiPassword,
    }
    if (Object.entries(right).some(([name, value]) => name in given && given[name] !== value)) throw wrongCredentials()
  }

  return {
    calls: createCallLog(),
    faults: createFaultQueue(),
    webhooks,
    // Hosted pages, too, so that faults and the call log see the customer's steps.
    apiPrefix: '/',
    book: () => bookAsJson(book),
    reset: () => book.clear(),
    describe,
    api,
    page: async () => ({ status: 404, headers: { 'content-type': 'text/plain' }, body: 'There is no such page.' }),
    extra: cardcomControl(book, { tell, report }),
  }
}

function orderedCode(exchange: Exchange): number | undefined {
  const decline = exchange.fault('decline')
  if (!decline) return undefined
  return /^\d+$/.test(decline.code) ? Number(decline.code) : codes.cardRefused
}

function parse(text: string): unknown {
  try {
    return parseWire(text)
  } catch {
    return undefined
  }
}

/** `ExternalUniqTranId` is the only key there is; the parameters are flat, and numbers as they were written. */
function describe(request: Request): { key: string | null; params: Record<string, string> } {
  const isJson = (request.headers['content-type'] ?? '').startsWith('application/json')
  if (!isJson) return { key: null, params: Object.fromEntries(new URLSearchParams(request.body)) }
  const params = flatten(parse(request.body) ?? {})
  return { key: params['ExternalUniqTranId'] ?? null, params }
}

function flatten(value: unknown, name = ''): Record<string, string> {
  if (typeof value !== 'object' || value === null) return { [name]: String(value) }
  const { digits } = value as WireNumber
  if (digits !== undefined) return { [name]: digits }
  return Object.assign(
    {},
    ...Object.entries(value).map(([key, one]) => flatten(one, name === '' ? key : `${name}.${key}`)),
  ) as Record<string, string>
}
