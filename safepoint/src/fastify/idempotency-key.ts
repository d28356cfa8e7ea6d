import type { IncomingMessage } from 'node:http'
import { checkClientKey, checkKey } from '../keys.ts'
import { engineError } from '../errors.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * The `Idempotency-Key` of a request: an RFC 8941 string in quotes (draft-ietf-httpapi-idempotency-key-header), or bare.
 * Both spellings of a key are the same key. `undefined` where the header is absent. Throws `key_invalid`.
 */
export function readIdempotencyKey(request: IncomingMessage): string | undefined {
  const values = headerValues(request, 'idempotency-key')
  if (values.length === 0) return undefined
  if (values.length > 1) throw keyInvalid('The request has more than one Idempotency-Key.')
  const text = decodeHeader(values[0]!).trim()
  const key = text.startsWith('"') ? unquote(text) : text
  checkClientKey(key)
  checkAddressable(key)
  return key
}

/** A key as it stands in a path, decoded by the router; keys the engine derived are found there too. Throws `key_invalid`. */
export function readPathKey(key: string): string {
  checkKey(key)
  checkAddressable(key)
  return key
}

/** The key as a header value: bare UTF-8 bytes, in quotes only where the bare form would be read as another key. */
export function writeKey(key: string): string {
  const ambiguous = key.startsWith('"') || key !== key.trim()
  const text = ambiguous ? `"${key.replace(/["\\]/g, '\\$&')}"` : key
  return Buffer.from(text, 'utf8').toString('latin1')
}

/** Path of one operation below `operationsPath`. */
export function operationHref(operationsPath: string, key: string): string {
  return `${operationsPath}/${encodeURIComponent(key)}`
}

/** `Retry-Attempt`. What is not a number counts as 1: it makes the engine look first, which is always right. */
export function readRetryAttempt(request: IncomingMessage): number | undefined {
  const value = request.headers['retry-attempt']
  if (value === undefined) return undefined
  const attempt = Number(value)
  return Number.isSafeInteger(attempt) && attempt >= 0 ? attempt : 1
}

/** Node joins repeated headers with a comma, which a bare key may contain: so they are counted as they came. */
function headerValues(request: IncomingMessage, name: string): string[] {
  const values: string[] = []
  const { rawHeaders } = request
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (rawHeaders[at]!.toLowerCase() === name) values.push(rawHeaders[at + 1]!)
  }
  return values
}

/** Node reads header bytes as ISO 8859-1. */
function decodeHeader(value: string): string {
  try {
    return utf8.decode(Buffer.from(value, 'latin1'))
  } catch (cause) {
    throw engineError('key_invalid', 'The Idempotency-Key is not UTF-8.', { cause })
  }
}

function unquote(text: string): string {
  if (!/^"(?:[^"\\]|\\["\\])*"$/.test(text)) throw keyInvalid('The quoted Idempotency-Key is not a string of RFC 8941.')
  return text.slice(1, -1).replace(/\\(["\\])/g, '$1')
}

/** URL parsers resolve these two even when they are percent-encoded, so that such a key could not be cancelled. */
function checkAddressable(key: string): void {
  if (key === '.' || key === '..') throw keyInvalid('This key could not stand in a path.')
}

const keyInvalid = (message: string) => engineError('key_invalid', message)
