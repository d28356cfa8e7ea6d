/** CardCom's amounts are decimals of the currency with two places, ours integers of its hundredth part. */
const places = 2

/** What is further from a whole hundredth than this part of it is no rounding noise of a float, but another amount. */
const noise = 1000n

const decimal = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,2}))?$/

/**
 * The hundredths in a JSON number, by its digits: "10.5" is 1050. Undefined where it is no number, has parts of a
 * hundredth, or does not fit. What a float made of a sum on its way to us ("0.30000000000000004") is still that sum.
 */
export function minorUnitsOf(text: string): number | undefined {
  const [, sign, whole = '', fraction = '', exponent = '0'] = decimal.exec(text) ?? []
  if (sign === undefined) return undefined
  const digits = BigInt(whole + fraction)
  const shift = fraction.length - Number(exponent) - places
  const divisor = 10n ** BigInt(Math.max(0, shift))
  const scaled = digits * 10n ** BigInt(Math.max(0, -shift))
  const rounded = (scaled + divisor / 2n) / divisor
  const off = scaled - rounded * divisor
  if ((off < 0n ? -off : off) * noise > divisor) return undefined
  const units = Number(sign === '-' ? -rounded : rounded)
  return Number.isSafeInteger(units) ? units : undefined
}

/** The JSON number of an amount: 1050 is "10.50". Throws where it is no amount, because then it came from nowhere. */
export function decimalOf(minorUnits: number): string {
  if (!Number.isSafeInteger(minorUnits) || minorUnits < 0) throw new RangeError(`${minorUnits} is not an amount`)
  const digits = String(minorUnits).padStart(places + 1, '0')
  return `${digits.slice(0, -places)}.${digits.slice(-places)}`
}
