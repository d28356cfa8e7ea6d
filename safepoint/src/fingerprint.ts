import { hash } from 'node:crypto'

/**
 * JSON with one spelling for equal values (RFC 8785): members sorted by UTF-16 code units, no white space, numbers as
 * ECMAScript prints them. Members that are `undefined` are left out. Throws a TypeError for what JSON cannot say.
 */
export function canonicalJson(value: unknown): string {
  return isCanonical(value) ? JSON.stringify(value) : sorted(value)
}

/** Whether `JSON.stringify` spells it canonically as it is: most input does, and that way is three times as fast. */
function isCanonical(value: unknown): boolean {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return true
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value !== 'object') return false
  if (Array.isArray(value)) return value.every(isCanonical)
  if (Object.getPrototypeOf(value) !== Object.prototype || 'toJSON' in value) return false
  let last = ''
  for (const name in value) {
    if (name < last || !isCanonical((value as Record<string, unknown>)[name])) return false
    last = name
  }
  return true
}

function sorted(value: unknown): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError('JSON has no numbers that are not finite.')
    return JSON.stringify(value)
  }
  if (Array.isArray(value)) return `[${value.map((item) => sorted(item ?? null)).join(',')}]`
  if (typeof value !== 'object') throw new TypeError(`JSON has no ${typeof value}.`)
  if ('toJSON' in value && typeof value.toJSON === 'function') return sorted(value.toJSON())
  let text = ''
  for (const name of Object.keys(value).sort()) {
    const member = (value as Record<string, unknown>)[name]
    if (member !== undefined) text += `${text && ','}${JSON.stringify(name)}:${sorted(member)}`
  }
  return `{${text}}`
}

/** SHA-256 of an operation's name and canonical input: what tells "the same request again" from "another one" (I5). */
export const fingerprint = (name: string, input: unknown, ifMatch?: number): Buffer =>
  digest(spelling(name, input, ifMatch))

/** What is hashed. Made before the input is handed to anybody who could change it. */
export const spelling = (name: string, input: unknown, ifMatch: number | undefined): string =>
  `${name}\n${ifMatch ?? ''}\n${canonicalJson(input ?? null)}`

export function digest(spelled: string): Buffer {
  // By way of text: asked for bytes, Node takes twice as long.
  return Buffer.from(hash('sha256', spelled, 'binary'), 'binary')
}
