/** ES2025's JSON with source text, which Node 24 has and TypeScript's library does not declare yet. */
const json = JSON as unknown as {
  parse(text: string, reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown): unknown
  rawJSON(text: string): object
}

/** A number as it was written: whether 10.10 was sent as that, or as a float near it, is under test. */
export interface WireNumber {
  readonly digits: string
}

export function parseWire(text: string): unknown {
  return json.parse(text, (_key, value, { source = '' }) => (typeof value === 'number' ? { digits: source } : value))
}

/** As .NET writes a decimal: 1050 is 10.5, 1000 is 10.0. */
export function wireAmount(hundredths: number): object {
  const digits = String(Math.abs(hundredths)).padStart(3, '0')
  const fraction = digits.slice(-2)
  const text = `${digits.slice(0, -2)}.${fraction.endsWith('0') ? fraction[0] : fraction}`
  return json.rawJSON(hundredths < 0 ? `-${text}` : text)
}

/** An id of 64 bits. */
export function wireId(digits: string): object {
  return json.rawJSON(digits)
}
