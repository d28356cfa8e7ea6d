import type { Reader } from '../database.ts'
import { exportSections, findExportedProfile, listExported } from './export-account.queries.ts'

/** Entries that are read, and in memory, at a time. */
const page = 100

/**
 * One JSON document ({@link accountExport}) of all that the shop holds of an account, in pieces: however much that is, a page of it is in
 * memory, and no connection waits for a slow reader. What is written meanwhile may or may not be in it, but for each entry it is
 * told as it was at one moment. `undefined`: the account is closed.
 */
export async function exportAccount(
  reader: Reader,
  accountId: string,
  now: Date,
): Promise<AsyncIterable<string> | undefined> {
  const profile = await findExportedProfile(reader, accountId)
  if (profile === undefined) return undefined
  return pieces(reader, accountId, `{"exportedAt":${JSON.stringify(now.toISOString())},"profile":${profile}`)
}

async function* pieces(reader: Reader, accountId: string, head: string): AsyncGenerator<string> {
  yield head
  for (const section of exportSections) {
    yield `,${JSON.stringify(section)}:[`
    for (let after: string | undefined; ;) {
      const entries = await listExported(reader, section, { accountId, after, limit: page })
      if (entries.length > 0) yield `${after === undefined ? '' : ','}${entries.map(({ json }) => json).join()}`
      after = entries.at(-1)?.place
      if (entries.length < page) break
    }
    yield ']'
  }
  yield '}\n'
}
