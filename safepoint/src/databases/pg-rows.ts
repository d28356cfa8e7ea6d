/** What the rows of a statement look like. */
export interface Description {
  readonly names: readonly string[]
  readonly parsers: ReadonlyArray<(text: string) => unknown>
}

/** `pg`'s type parsers, the user's own among them. */
export interface Parsers {
  getTypeParser(oid: number, format: 'text'): (text: string) => unknown
}

export function readRow(
  { names, parsers }: Description,
  values: ReadonlyArray<string | null>,
): Record<string, unknown> {
  const row: Record<string, unknown> = {}
  for (let index = 0; index < values.length; index++) {
    const text = values[index]!
    row[names[index]!] = text === null ? null : parsers[index]!(text)
  }
  return row
}

/** A command tag, such as `INSERT 0 1`, `UPDATE 3` or `BEGIN`: its verb, and the rows that were touched. */
export function parseTag(tag: string): { readonly command: string; readonly rowCount: number } {
  const verb = tag.indexOf(' ')
  if (verb < 0) return { command: tag, rowCount: 0 }
  const count = Number(tag.slice(tag.lastIndexOf(' ') + 1))
  return { command: tag.slice(0, verb), rowCount: Number.isNaN(count) ? 0 : count }
}
