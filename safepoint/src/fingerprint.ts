import { hash } from 'node:crypto'

/**
 * JSON with one spelling for equal values (RFC 8785): members sorted by UTF-16 code units, no white space, numbers as
 * ECMAScript prints them. Members that are `undefined` are left out. Throws a TypeError for what JSON cannot say.
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError('JSON has no numbers that are not finite.')
    return JSON.stringify(value)
  }
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(',')}]`
  if (typeof value !== 'object') throw new TypeError(`JSON has no ${typeof value}.`)
  if ('toJSON' in value && typeof value.toJSON === 'function') return canonicalJson(value.toJSON())
  let text = ''
  for (const name of Object.keys(value).sort()) {
    const member = (value as Record<string, unknown>)[name]
    if (member !== undefined) text += `${text && ','}${JSON.stringify(name)}:${canonicalJson(member)}`
  }
  return `{${text}}`
}

/** SHA-256 of an operation's name and canonical input: what tells "the same request again" from "another one" (I5). */
export function fingerprint(name: string, input: unknown, ifMatch?: number): Buffer {
  // By way of text: asked for bytes, Node takes twice as long.
  return Buffer.from(hash('sha256', `${name}\n${ifMatch ?? ''}\n${canonicalJson(input ?? null)}`, 'base64'), 'base64')
}
