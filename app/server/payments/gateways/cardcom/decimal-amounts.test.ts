import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decimalOf, minorUnitsOf } from './decimal-amounts.ts'
import { exactNumber, parseExact } from './exact-json.ts'

const units = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
/** Amounts up to a hundred million, whose floats still carry both decimals. */
const everyday = fc.integer({ min: 0, max: 10_000_000_000 })

describe('amounts on the wire', () => {
  it('every amount comes back as it went', () => {
    fc.assert(
      fc.property(units, (amount) => {
        expect(minorUnitsOf(decimalOf(amount))).toBe(amount)
      }),
    )
  })

  it('every amount comes back from a body that was sent and read', () => {
    fc.assert(
      fc.property(units, (amount) => {
        const body = JSON.stringify({ Amount: exactNumber(decimalOf(amount)) })
        expect(minorUnitsOf((parseExact(body) as { Amount: string }).Amount)).toBe(amount)
      }),
    )
  })

  it('what is sent has two decimals, and is the number that a decimal calculator means', () => {
    fc.assert(
      fc.property(units, (amount) => {
        const text = decimalOf(amount)
        expect(text).toMatch(/^\d+\.\d\d$/)
        expect(BigInt(text.replace('.', ''))).toBe(BigInt(amount))
      }),
    )
  })

  it('a float on the other side, and a sum of two floats, is the amount that was meant', () => {
    fc.assert(
      fc.property(everyday, everyday, (one, other) => {
        expect(minorUnitsOf(JSON.stringify(one / 100))).toBe(one)
        expect(minorUnitsOf(JSON.stringify(one / 100 + other / 100))).toBe(one + other)
      }),
    )
  })

  it.each([
    ['10.5', 1050],
    ['10.50', 1050],
    ['10', 1000],
    ['0.01', 1],
    ['1234567.89', 123_456_789],
    [String(0.1 + 0.2), 30],
    [String(1.1 * 3), 330],
    ['1E+2', 10_000],
    ['1.05e1', 1050],
    ['-12.30', -1230],
    ['0', 0],
    ['-0.0', 0],
    ['90071992547409.91', Number.MAX_SAFE_INTEGER],
  ])('%s is %i', (text, amount) => expect(minorUnitsOf(text)).toBe(amount))

  it.each(['10.505', '0.001', '', 'NaN', '1,5', '0x10', ' 1', '90071992547409.92', '1e400', '--1', '1.', '.5'])(
    '"%s" is no amount',
    (text) => expect(minorUnitsOf(text)).toBeUndefined(),
  )

  it.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, Number.MAX_SAFE_INTEGER + 1])(
    '%d is not sent as an amount',
    (amount) => expect(() => decimalOf(amount)).toThrow(RangeError),
  )
})
