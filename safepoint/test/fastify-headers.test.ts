import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  entityTagOf,
  languageOf,
  operationHref,
  readIdempotencyKey,
  readIfMatch,
  readPathKey,
  writeKey,
} from '../src/fastify/index.ts'
import { readRetryAttempt } from '../src/fastify/idempotency-key.ts'

/** A request as Node's parser leaves it: header bytes read as ISO 8859-1. */
function requestWith(...lines: Array<readonly [string, string]>): IncomingMessage {
  const request = new IncomingMessage(new Socket())
  request.rawHeaders = lines.flat()
  request.headers = Object.fromEntries(lines.map(([name, value]) => [name.toLowerCase(), value]))
  return request
}

const asSent = (text: string) => Buffer.from(text, 'utf8').toString('latin1')
const keyOf = (value: string) => readIdempotencyKey(requestWith(['Idempotency-Key', asSent(value)]))
const invalid = expect.objectContaining({ code: 'key_invalid' })

test('a quoted key and a bare one are the same key', () => {
  expect(keyOf('8e03978e-40d5-43e8-bc93-6894a57f9324')).toBe('8e03978e-40d5-43e8-bc93-6894a57f9324')
  expect(keyOf('"8e03978e-40d5-43e8-bc93-6894a57f9324"')).toBe('8e03978e-40d5-43e8-bc93-6894a57f9324')
  expect(keyOf('  padded ')).toBe('padded')
  expect(keyOf('"a \\"quoted\\" \\\\ key"')).toBe('a "quoted" \\ key')
  expect(keyOf('with, comma; and=signs')).toBe('with, comma; and=signs')
  expect(readIdempotencyKey(requestWith())).toBeUndefined()
})

test('a key is measured in bytes of UTF-8: 255 pass, 256 do not', () => {
  expect(keyOf('k'.repeat(255))).toHaveLength(255)
  expect(() => keyOf('k'.repeat(256))).toThrow(invalid)
  expect(keyOf('ק'.repeat(127))).toBe('ק'.repeat(127))
  expect(() => keyOf('ק'.repeat(128))).toThrow(invalid)
})

test.each(['', '""', '"open', '"a"b', '"a";p=1', '"a\\b"', 'tab\there', 'nul\0', 'del\x7f', '~undo:1', '.', '..'])(
  'the key %j is refused',
  (value) => {
    expect(() => keyOf(value)).toThrow(invalid)
  },
)

test('bytes that are not UTF-8, and two keys at once, are refused', () => {
  expect(() => readIdempotencyKey(requestWith(['Idempotency-Key', '\xff\xfe']))).toThrow(invalid)
  expect(() => readIdempotencyKey(requestWith(['Idempotency-Key', 'a'], ['idempotency-key', 'b']))).toThrow(invalid)
})

test('every key that is taken survives the way out in a header and in a path', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }), (text) => {
      let key: string | undefined
      try {
        key = keyOf(text)
      } catch {
        return
      }
      expect(readIdempotencyKey(requestWith(['Idempotency-Key', writeKey(key!)]))).toBe(key)
      const { pathname } = new URL(`http://host${operationHref('/api/operations', key!)}/cancel`)
      expect(readPathKey(decodeURIComponent(pathname.slice('/api/operations/'.length, -'/cancel'.length)))).toBe(key)
    }),
  )
})

test('Retry-Attempt that is no number still makes the engine look first', () => {
  const attemptOf = (value: string) => readRetryAttempt(requestWith(['Retry-Attempt', value]))
  expect([attemptOf('0'), attemptOf('3'), attemptOf('soon'), attemptOf('-1')]).toEqual([0, 3, 1, 1])
  expect(readRetryAttempt(requestWith())).toBeUndefined()
})

test('If-Match takes one strong tag of a version, or the bare number, and nothing else', () => {
  expect(['"3"', ' "0" ', '3', ' 0 ', '*', undefined].map(readIfMatch)).toEqual([3, 0, 3, 0, undefined, undefined])
  expect(readIfMatch('"3-QKv1_x-9"')).toBe(3)
  for (const value of [
    'W/"3"',
    '3-QKv1',
    '03',
    '1, 2',
    '"3-"',
    '"3 x"',
    '"abc"',
    '"03"',
    '"-1"',
    '"1", "2"',
    '""',
    '"9999999999999999"',
  ]) {
    expect(() => readIfMatch(value), value).toThrow(expect.objectContaining({ code: 'version_invalid' }))
  }
})

test('only results that carry a version have an entity tag', () => {
  expect(entityTagOf({ version: 7 })).toBe('"7"')
  expect([entityTagOf({}), entityTagOf({ version: '7' }), entityTagOf(null), entityTagOf('7')]).toEqual(
    Array(4).fill(undefined),
  )
})

test('Accept-Language chooses by quality, and English when neither is asked for', () => {
  expect(['he', 'he-IL,he;q=0.9,en;q=0.8', 'iw', 'fr, he;q=0.1'].map(languageOf)).toEqual(['he', 'he', 'he', 'he'])
  expect([undefined, '', 'fr', 'en;q=0.9, he;q=0.8', 'he;q=0, *', 'hello'].map(languageOf)).toEqual(Array(6).fill('en'))
})
