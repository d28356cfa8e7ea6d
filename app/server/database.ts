import pg from 'pg'
import type { Database, Result, SqlTransaction, Statement } from 'safepoint'
import { pgDatabase } from 'safepoint/pg'
import { announcing, type Announcements } from './announce.ts'
import { watchDatabase } from './database-watch.ts'

export type PantryDatabase = Database<SqlTransaction> & { close(): Promise<void> }

/** Whatever answers one statement: a transaction, or the database by itself. */
export interface Reader {
  query<Row = Record<string, any>>(statement: Statement): Promise<Result<Row>>
}

export interface OpenDatabaseOptions {
  readonly url: string
  /** Way round a pooler, for LISTEN. */
  readonly directUrl?: string | undefined
  /** Connections for work. */
  readonly max?: number
  /** `false` behind a pooler in transaction mode. */
  readonly prepared?: boolean
}

/** The pools of this process. What handlers announce is heard at `announcements` once their transaction has committed. */
export function openDatabase(options: OpenDatabaseOptions): {
  readonly database: PantryDatabase
  readonly announcements: Announcements
} {
  const { url, directUrl, max = 10, prepared = true } = options
  const watch = watchDatabase(url)
  const pools = pgDatabase({
    driver: watch.driver as never,
    url,
    max,
    prepared,
    ...(directUrl !== undefined && { directUrl }),
  })
  return announcing({
    ...pools,
    query: (...given) => watch.watched(() => pools.query(...given)),
    transaction: (...given) => watch.watched(() => pools.transaction(...given)),
    close() {
      watch.stop()
      return pools.close()
    },
  } as typeof pools)
}

/** One connection, for migrations and the seed. */
export async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'pantry-start',
    connectionTimeoutMillis: 5000,
  })
  // A connection that breaks reports through its statements.
  client.on('error', () => {})
  try {
    await client.connect()
    return await work(client)
  } finally {
    await client.end().catch(() => {})
  }
}
