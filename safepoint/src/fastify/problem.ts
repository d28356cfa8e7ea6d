import { isSafepointError, SafepointError } from '../errors.ts'
import type { OperationReference, Problem } from '../protocol.ts'
import { translate } from '../read-row.ts'
import { retryableHttpCodes, type HttpCode, type Language, type ProblemTable } from './problem-table.ts'

/** Told where an error is retryable and does not say when, in milliseconds. */
const defaultRetryAfter = 1000

/** The members that RFC 9457 and the contract define; an error's details never replace them. */
const ownMembers = new Set([
  'type',
  'title',
  'status',
  'detail',
  'code',
  'retryable',
  'retryAfterMs',
  'currentVersion',
  'attempts',
])

const codeOfStatus: Readonly<Record<number, HttpCode | 'unavailable'>> = {
  400: 'malformed_request',
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not_found',
  408: 'request_timeout',
  413: 'body_too_large',
  414: 'uri_too_long',
  415: 'unsupported_media_type',
  429: 'rate_limited',
  431: 'headers_too_large',
  503: 'unavailable',
}

/**
 * Gives whatever was thrown a code: errors with one keep it; a database that is away is `unavailable`; what the framework
 * refused gets its HTTP code. `undefined` for everything else, of which nothing is told.
 */
export function faultOf(error: unknown): SafepointError | undefined {
  const known = translate(error)
  if (isSafepointError(known)) return known
  if (!(error instanceof Error)) return undefined
  const { statusCode, validation, code, expose } = error as {
    statusCode?: unknown
    validation?: unknown
    code?: unknown
    expose?: unknown
  }
  if (Array.isArray(validation)) {
    return new SafepointError('input_invalid', 'The input is not valid.', {
      details: { errors: validation.map(fieldOf) },
    })
  }
  // Only of errors made for HTTP: a gateway's SDK also puts a `statusCode` on what it throws, and that one is not ours.
  const forHttp =
    expose === true ||
    statusCode === 429 ||
    error instanceof SyntaxError ||
    (typeof code === 'string' && code.startsWith('FST_'))
  const http = forHttp && typeof statusCode === 'number' ? codeOfStatus[statusCode] : undefined
  return (
    http &&
    new SafepointError(http, 'The request was refused.', {
      retryable: retryableHttpCodes.has(http) || http === 'unavailable',
    })
  )
}

function fieldOf(issue: { instancePath?: unknown; message?: unknown }): { path: string; message: string } {
  return {
    path: String(issue.instancePath ?? '')
      .replace(/^\//, '')
      .replaceAll('/', '.'),
    message: String(issue.message ?? ''),
  }
}

export interface ProblemContext {
  readonly language: Language
  /** All codes: {@link problemTable} and the application's. */
  readonly table: ProblemTable
  /** Prefix of `type`, such as `/errors`. */
  readonly typePath: string
  readonly operation?: OperationReference
}

/**
 * The RFC 9457 problem for an error. A code that is not in the table, and any error without a code, is told as `internal`:
 * nothing of the error itself is in it.
 */
export function problemOf(error: unknown, context: ProblemContext): Problem {
  let fault = faultOf(error)
  if (!fault || !Object.hasOwn(context.table, fault.code))
    fault = new SafepointError('internal', '', { retryable: false })
  const kind = context.table[fault.code]!
  const details = Object.entries(fault.details).filter(([name]) => !ownMembers.has(name))
  const detail = kind.detail ? filled(kind.detail[context.language], fault.details) : fault.message
  const retryAfterMs = fault.retryAfterMs ?? (fault.retryable ? defaultRetryAfter : undefined)
  return {
    type: `${context.typePath}/${fault.code}`,
    title: kind.title[context.language],
    status: kind.status,
    ...(detail && { detail }),
    code: fault.code,
    retryable: fault.retryable,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(fault.currentVersion !== undefined && { currentVersion: fault.currentVersion }),
    ...(fault.attempts !== undefined && { attempts: fault.attempts }),
    ...Object.fromEntries(details),
    ...(context.operation && { operation: context.operation }),
  }
}

function filled(text: string, details: Readonly<Record<string, unknown>>): string {
  return text.replace(/\{(\w+)\}/g, (_, name: string) => String(details[name] ?? '?'))
}

/** The better one of the two languages (RFC 9110 section 12.5.4); English when neither is asked for. */
export function languageOf(acceptLanguage: string | undefined): Language {
  let best: Language = 'en'
  let bestQuality = 0
  for (const range of (acceptLanguage ?? '').toLowerCase().split(',')) {
    const [tag = '', ...parameters] = range.split(';').map((part) => part.trim())
    const given = parameters.find((parameter) => parameter.startsWith('q='))
    const quality = given === undefined ? 1 : Number(given.slice(2))
    // `iw` is how Hebrew was tagged before 1989; Java clients still send it.
    const language = /^(he|iw)\b/.test(tag) ? 'he' : /^(en\b|\*$)/.test(tag) ? 'en' : undefined
    if (language && quality > bestQuality) [best, bestQuality] = [language, quality]
  }
  return best
}
