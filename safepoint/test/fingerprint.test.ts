import fc from 'fast-check'
import { expect, it } from 'vitest'
import { canonicalJson, fingerprint } from '../src/fingerprint.ts'

/** The same value, its members in another order. */
function reordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reordered)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, member]) => [name, reordered(member)]),
  )
}

/** RFC 8785 told again, as plainly as it can be. */
function plainly(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(plainly).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${plainly(member)}`).join(',')}}`
}

it('I5: the order of members changes nothing, and equal values have one spelling', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(canonicalJson(value)).toBe(plainly(value))
      expect(canonicalJson(reordered(value))).toBe(plainly(value))
    }),
  )
})

it('I5: a number and its text are two inputs; so are another name and another version', () => {
  const prints = [
    fingerprint('a', { amount: 5 }),
    fingerprint('a', { amount: '5' }),
    fingerprint('b', { amount: 5 }),
    fingerprint('a', { amount: 5 }, 1),
    fingerprint('a', undefined),
  ].map((print) => print.toString('hex'))
  expect(new Set(prints).size).toBe(prints.length)
  expect(prints.every((print) => print.length === 64)).toBe(true)
})

it('members that are undefined count as left out, and what JSON cannot say is refused', () => {
  expect(canonicalJson({ b: 1, a: undefined })).toBe('{"b":1}')
  expect(canonicalJson([undefined, new Date(0)])).toBe('[null,"1970-01-01T00:00:00.000Z"]')
  for (const bad of [Number.NaN, { a: Infinity }, [1n], { f: () => 1 }])
    expect(() => canonicalJson(bad)).toThrow(TypeError)
})
