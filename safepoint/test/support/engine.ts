import pg from 'pg'
import { afterAll } from 'vitest'
import {
  createSafepoint,
  type AnyOperation,
  type Safepoint,
  type SafepointOptions,
  type SqlTransaction,
  type StandardSchema,
} from '../../src/index.ts'
import { pgDatabase, type PgDatabaseOptions } from '../../src/databases/pg.ts'
import { testDatabase } from './database.ts'

/** Any JSON; `engine.test.ts` tests schemas by themselves. */
export const anything: StandardSchema<any, any> = {
  '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) },
}

export interface TestEngine {
  readonly safepoint: Safepoint<SqlTransaction>
  readonly url: string
  /** Looks at the rows from outside the engine. */
  sql<Row = Record<string, any>>(text: string, values?: readonly unknown[]): Promise<Row[]>
  /** Another engine on the same database, as another process would be. */
  another(
    options?: Partial<SafepointOptions<SqlTransaction>> & { readonly pg?: Partial<PgDatabaseOptions> },
  ): Promise<Safepoint<SqlTransaction>>
}

/** An engine on a database of this test file's own, with the table `thing (id, scope)` to have effects on. */
export async function testEngine(
  operations: readonly AnyOperation<SqlTransaction>[],
  options: Partial<SafepointOptions<SqlTransaction>> & { readonly pg?: Partial<PgDatabaseOptions> } = {},
): Promise<TestEngine> {
  const { url } = await testDatabase()
  const outside = new pg.Pool({ connectionString: url, max: 4 })
  await outside.query(`create table thing (
    id text primary key, scope text not null default '', amount integer not null default 0 check (amount >= 0), version integer not null default 1)`)
  const opened: Array<() => Promise<void>> = []
  const another: TestEngine['another'] = async (more = {}) => {
    const database = pgDatabase({ driver: pg, url, max: 20, ...options.pg, ...more.pg })
    const safepoint = createSafepoint({ database, operations, poll: 100, lease: 2000, ...options, ...more })
    await safepoint.start()
    opened.push(async () => {
      await safepoint.stop({ grace: 1000 })
      await database.close()
    })
    return safepoint
  }
  const safepoint = await another()
  afterAll(async () => {
    await Promise.all(opened.map((close) => close()))
    await outside.end()
  })
  return {
    safepoint,
    url,
    another,
    sql: async (text, values = []) => (await outside.query(text, values as unknown[])).rows,
  }
}
