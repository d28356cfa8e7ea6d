import { createHash } from 'node:crypto'
import fs from 'node:fs/promises'
import { SafepointError } from './errors.ts'

/** One connection, such as a `pg` Client. Not a pool: the statements of a transaction must meet on one connection. */
export interface MigrationClient {
  query(text: string, values?: any[]): Promise<{ rows: any[] }>
}

/** A folder of `0001_name.sql`, `0002_name.sql`, …, each run once, in order, in a transaction of its own. */
export interface MigrationSet {
  /** Under which the set's files are recorded in `safepoint.migration`. */
  name: string
  directory: URL | string
}

/** The engine's own tables. */
export const engineMigrations: MigrationSet = {
  name: 'safepoint',
  directory: new URL('../migrations/', import.meta.url),
}

interface MigrationFile {
  number: number
  file: string
  text: string
  checksum: string
}

/**
 * Brings the database up to the set, forward only, and returns the files it ran. Safe to call from any number of
 * processes at once (a transaction's advisory lock, so a pooler in transaction mode will do); a file takes effect whole
 * or not at all; where nothing is pending no right but to read is needed.
 *
 * Throws {@link SafepointError} `schema_newer` (the database has files that this code does not know: deploy the newer
 * code), `migration_changed` (a file was edited after it ran), `migration_invalid` (the folder) or `migration_failed`
 * (`cause` is the server's error).
 */
export async function migrate(client: MigrationClient, set: MigrationSet = engineMigrations): Promise<string[]> {
  if ('totalCount' in client) throw new TypeError('migrate() needs one connection; pool.connect() gives one.')
  const files = await readMigrations(set)
  const ran: string[] = []
  for (;;) {
    const file = await runNext(client, set, files)
    if (file === undefined) return ran
    ran.push(file)
  }
}

/** The files of the set that `migrate` would run now. Reads only; throws as {@link migrate} does. */
export async function listPendingMigrations(
  client: MigrationClient,
  set: MigrationSet = engineMigrations,
): Promise<string[]> {
  const { pending } = await comparePending(client, set, await readMigrations(set))
  return pending.map(({ file }) => file)
}

async function runNext(
  client: MigrationClient,
  set: MigrationSet,
  files: MigrationFile[],
): Promise<string | undefined> {
  let running: MigrationFile | undefined
  await client.query('begin')
  try {
    await client.query(`select pg_advisory_xact_lock(hashtextextended('safepoint.migration', 0))`)
    const { hasLedger, pending } = await comparePending(client, set, files)
    running = pending[0]
    if (running !== undefined) {
      if (!hasLedger) await client.query(createLedger)
      // Without values, so that the text may hold many statements.
      await client.query(running.text)
      await client.query('insert into safepoint.migration (set_name, number, file, checksum) values ($1, $2, $3, $4)', [
        set.name,
        running.number,
        running.file,
        running.checksum,
      ])
    }
    await client.query('commit')
    return running?.file
  } catch (error) {
    await client.query('rollback').catch(() => {
      // The connection is gone, and the transaction with it.
    })
    if (running === undefined || error instanceof SafepointError) throw error
    const { message, position } = error as { message: string; position?: string }
    const line = position === undefined ? '' : `:${running.text.slice(0, Number(position)).split('\n').length}`
    throw new SafepointError('migration_failed', `${running.file}${line} failed and changed nothing: ${message}`, {
      cause: error,
    })
  }
}

const createLedger = `
create schema if not exists safepoint;
create table safepoint.migration (
  set_name text not null,
  number integer not null,
  file text not null,
  checksum text not null,
  applied_at timestamptz not null default clock_timestamp(),
  primary key (set_name, number)
);`

async function comparePending(client: MigrationClient, set: MigrationSet, files: MigrationFile[]) {
  const ledger = await client.query(`select to_regclass('safepoint.migration') is not null as there`)
  const hasLedger = ledger.rows[0].there === true
  const applied: { number: number; file: string; checksum: string }[] = hasLedger
    ? (
        await client.query(
          'select number, file, checksum from safepoint.migration where set_name = $1 order by number',
          [set.name],
        )
      ).rows
    : []
  for (const row of applied) {
    const known = files[row.number - 1]
    if (known === undefined) {
      throw new SafepointError(
        'schema_newer',
        `The database is newer than this code: it has ${row.file} of "${set.name}", the code ends at ${files.at(-1)?.file ?? 'nothing'}.`,
      )
    }
    if (known.checksum !== row.checksum) {
      throw new SafepointError(
        'migration_changed',
        `${known.file} of "${set.name}" is not the file that was run on this database (${row.file}). Migrations are never edited: add a new one.`,
      )
    }
  }
  return { hasLedger, pending: files.slice(applied.length) }
}

async function readMigrations(set: MigrationSet): Promise<MigrationFile[]> {
  const { directory } = set
  const names = (await fs.readdir(directory)).filter((name) => name.endsWith('.sql')).sort()
  return Promise.all(
    names.map(async (file, index) => {
      const number = Number(/^(\d{4})_[a-z0-9_-]+\.sql$/.exec(file)?.[1])
      if (number !== index + 1) {
        throw new SafepointError(
          'migration_invalid',
          `${file} of "${set.name}" should be ${String(index + 1).padStart(4, '0')}_name.sql: numbers have no gap and no double.`,
        )
      }
      // A checkout with CRLF line ends is the same file.
      const text = (await fs.readFile(join(directory, file), 'utf8')).replaceAll('\r\n', '\n')
      return { number, file, text, checksum: createHash('sha256').update(text).digest('hex') }
    }),
  )
}

const join = (directory: URL | string, file: string) =>
  typeof directory === 'string'
    ? `${directory.replace(/\/$/, '')}/${file}`
    : new URL(file, directory.href.replace(/\/?$/, '/'))
