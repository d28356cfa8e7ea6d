/** ES2025's JSON with source text, which Node 24 has and TypeScript's library does not declare yet. */
interface SourceJson {
  parse(text: string, reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown): unknown
  rawJSON(text: string): object
}
const json = JSON as unknown as SourceJson

/**
 * Parses JSON whose numbers must not become floats: each stays the text that it was written as. CardCom's amounts are
 * decimals, and its transaction ids have 64 bits. Throws a `SyntaxError`.
 */
export function parseExact(text: string): unknown {
  return json.parse(text, (_key, value, { source }) => (typeof value === 'number' ? source : value))
}

/** Something that `JSON.stringify` writes as this very number. */
export function exactNumber(text: string): object {
  return json.rawJSON(text)
}
