import type { Book } from './book.ts'
import type { PaymentIntent } from './objects.ts'
import { createdRange, paging, text, type Fields, type Parameters } from './parameters.ts'
import { StripeError, invalidParameter, noSuch } from './stripe-error.ts'

export const intentListFields = { ...paging, created: createdRange, customer: text } as const satisfies Fields
export const refundListFields = {
  ...paging,
  created: createdRange,
  payment_intent: text,
  charge: text,
} as const satisfies Fields
export const eventListFields = { ...paging, created: createdRange, type: text } as const satisfies Fields
export const searchFields = {
  expand: paging.expand,
  limit: paging.limit,
  page: text,
  query: { is: 'string', required: true },
} as const satisfies Fields

interface Listed {
  readonly id: string
  readonly created: number
}

interface ListParameters extends Parameters<typeof paging> {
  readonly created?: { readonly gt?: number; readonly gte?: number; readonly lt?: number; readonly lte?: number }
}

/** One page, newest first. https://docs.stripe.com/api/pagination */
export function listPage<T extends Listed>(
  all: Iterable<T>,
  params: ListParameters,
  url: string,
  wanted: (item: T) => boolean,
): object {
  const limit = readLimit(params.limit)
  const { created } = params
  const rows = [...all]
    .reverse()
    .filter(
      (item) =>
        wanted(item) &&
        (created?.gt === undefined || item.created > created.gt) &&
        (created?.gte === undefined || item.created >= created.gte) &&
        (created?.lt === undefined || item.created < created.lt) &&
        (created?.lte === undefined || item.created <= created.lte),
    )
  const after = params.starting_after === undefined ? -1 : indexOf(rows, params.starting_after, 'starting_after')
  const before = params.ending_before === undefined ? rows.length : indexOf(rows, params.ending_before, 'ending_before')
  // A page before a cursor is the one next to it, not the newest.
  const start = params.ending_before === undefined ? after + 1 : Math.max(after + 1, before - limit)
  const data = rows.slice(start, Math.min(start + limit, before))
  const hasMore = params.ending_before === undefined ? start + limit < rows.length : start > 0
  return { object: 'list', url, has_more: hasMore, data }
}

/**
 * Stripe's search language, as far as clauses joined by AND: `status:'succeeded' AND metadata['operation']:'k'`.
 * What changed less than `lagMs` ago is not found yet: search is not for read-after-write.
 * https://docs.stripe.com/search
 */
export function searchIntents(book: Book, params: Parameters<typeof searchFields>, lagMs: number): object {
  const limit = readLimit(params.limit)
  const clauses = params.query.split(/\s+AND\s+/i).map(readClause)
  const found = [...book.intents.values()]
    .reverse()
    .filter((intent) => lagMs === 0 || Date.now() - (book.changedAt.get(intent.id) ?? 0) >= lagMs)
    .filter((intent) => clauses.every((clause) => clause(intent)))
  const start = params.page === undefined ? 0 : Number(params.page)
  const more = start + limit < found.length
  return {
    object: 'search_result',
    url: '/v1/payment_intents/search',
    has_more: more,
    next_page: more ? String(start + limit) : null,
    data: found.slice(start, start + limit),
  }
}

function readClause(clause: string): (intent: PaymentIntent) => boolean {
  const parts =
    /^\s*(?:metadata\[(['"])(.+?)\1\]|(status|currency|customer|amount))\s*:\s*(?:(['"])(.*)\4|(\d+))\s*$/s.exec(clause)
  if (!parts) {
    throw new StripeError(400, `We were unable to parse your search query: ${clause}`, {
      type: 'invalid_request_error',
      param: 'query',
    })
  }
  const [, , name, field, , quoted, digits] = parts
  const value = (quoted ?? digits ?? '').replaceAll("\\'", "'")
  if (name !== undefined) return (intent) => intent.metadata[name] === value
  return (intent) => String(intent[field as 'status' | 'currency' | 'customer' | 'amount']) === value
}

function readLimit(limit = 10): number {
  if (limit < 1 || limit > 100) {
    throw invalidParameter('parameter_invalid_integer', 'limit', 'This value must be between 1 and 100.')
  }
  return limit
}

function indexOf(rows: readonly Listed[], id: string, param: string): number {
  const index = rows.findIndex((row) => row.id === id)
  if (index < 0) throw noSuch('object', id, param, 400)
  return index
}
