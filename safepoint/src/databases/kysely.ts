import type { Database, SqlTransaction } from '../database.ts'

/** The parts of `import * as kysely from 'kysely'` that are used: PostgreSQL's dialect, without its driver. Kysely 0.28 or newer. */
export interface KyselyParts {
  readonly PostgresAdapter: new () => any
  readonly PostgresQueryCompiler: new () => any
  readonly PostgresIntrospector: new (kysely: any) => any
}

/** A dialect over one transaction of the engine, to make a `Kysely` with. */
export interface BoundDialect {
  createDriver(): BoundDriver
  createQueryCompiler(): any
  createAdapter(): any
  createIntrospector(kysely: any): any
}

/** Kysely's driver and its one connection. */
export interface BoundDriver {
  init(): Promise<void>
  acquireConnection(): Promise<BoundConnection>
  releaseConnection(connection: BoundConnection): Promise<void>
  beginTransaction(): Promise<never>
  commitTransaction(): Promise<never>
  rollbackTransaction(): Promise<never>
  destroy(): Promise<void>
}

export interface BoundConnection {
  executeQuery<R>(query: { readonly sql: string; readonly parameters: readonly unknown[] }): Promise<{
    readonly rows: R[]
    readonly numAffectedRows?: bigint
  }>
  streamQuery<R>(): AsyncIterableIterator<{ readonly rows: R[] }>
}

export interface KyselyDatabaseOptions<Tx extends object> {
  /** What runs the transactions. Closing it is closing this one. */
  readonly database: Database<SqlTransaction>
  readonly kysely: KyselyParts
  /** Makes the `Kysely` that one handler gets; plugins and a log go here. It is called once a transaction. */
  readonly create: (dialect: BoundDialect) => Tx
}

/**
 * Handlers get a `Kysely` that is bound to the engine's own transaction: what it executes is pipelined with BEGIN, fenced
 * by the gate and stopped by a cancel like plain SQL, and costs no statement more.
 *
 *     import * as kysely from 'kysely'
 *     const database = kyselyDatabase({
 *       database: pgDatabase({ driver: pg, url }),
 *       kysely,
 *       create: (dialect) => new kysely.Kysely<Tables>({ dialect }),
 *     })
 *     const { defineOperation } = operationsOn<kysely.Kysely<Tables>>()
 *
 * Its own `transaction()` and `startTransaction()` are refused, since the transaction is the engine's; so is `stream()`,
 * which needs a cursor on a connection of its own. It is closed when the handler returns.
 */
export function kyselyDatabase<Tx extends object>(options: KyselyDatabaseOptions<Tx>): Database<Tx> {
  const { database, kysely, create } = options
  const views = new WeakMap<object, SqlTransaction>()
  return {
    query: (statement, queryOptions) => database.query(statement, queryOptions),
    transaction: (transactionOptions, work) =>
      database.transaction(transactionOptions, async (sql) => {
        const uses = { open: 0, awaited: false }
        const tx = create(dialectOf(kysely, sql, uses))
        views.set(tx, sql)
        const value = await work(tx)
        if (uses.open > 0 || uses.awaited) throw new Error(notAwaitedMessage)
        return value
      }),
    sql(tx) {
      const sql = views.get(tx)
      if (sql) return sql
      throw new TypeError('This Kysely is not the one a handler was given: pass on `ctx.tx` itself.')
    },
    ...(database.listen && { listen: (...given) => database.listen!(...given) }),
    ...(database.close && { close: () => database.close!() }),
  }
}

interface Uses {
  /** Connections taken and not given back: statements under way, and `connection()` blocks. */
  open: number
  /** A first statement is on its way to take one. */
  awaited: boolean
}

function dialectOf(kysely: KyselyParts, sql: SqlTransaction, uses: Uses): BoundDialect {
  const connection = connectionOf(sql)
  return {
    createDriver: () => ({
      async init() {
        uses.awaited = true
      },
      async acquireConnection() {
        uses.awaited = false
        uses.open++
        return connection
      },
      async releaseConnection() {
        uses.open--
      },
      beginTransaction: refuseTransaction,
      commitTransaction: refuseTransaction,
      rollbackTransaction: refuseTransaction,
      // The connection is the engine's: there is nothing of Kysely's own to give up.
      destroy: async () => {},
    }),
    createQueryCompiler: () => new kysely.PostgresQueryCompiler(),
    createAdapter: () => new kysely.PostgresAdapter(),
    createIntrospector: (db) => new kysely.PostgresIntrospector(db),
  }
}

const countedCommands = new Set(['INSERT', 'UPDATE', 'DELETE', 'MERGE'])

function connectionOf(sql: SqlTransaction): BoundConnection {
  return {
    async executeQuery<R>({
      sql: text,
      parameters,
    }: {
      readonly sql: string
      readonly parameters: readonly unknown[]
    }) {
      const { rows, rowCount, command } = await sql.query<R>({ text, values: parameters })
      return countedCommands.has(command) ? { rows, numAffectedRows: BigInt(rowCount) } : { rows }
    },
    // Throws at the first step of the iteration, as an async generator's body would.
    streamQuery<R>(): AsyncIterableIterator<{ readonly rows: R[] }> {
      const stream = {
        next: () =>
          Promise.reject(
            new Error('A handler cannot stream: a cursor needs a connection of its own. Read in pages instead.'),
          ),
        [Symbol.asyncIterator]: () => stream,
      }
      return stream
    },
  }
}

function refuseTransaction(): Promise<never> {
  return Promise.reject(
    new Error("A handler cannot begin, commit or roll back: its transaction is the engine's. Use `ctx.tx` as it is."),
  )
}

const notAwaitedMessage = 'The handler returned before all of its statements were answered: await each of them.'
