import pg from 'pg'
import { afterAll, beforeAll } from 'vitest'
import type { Database } from '../../src/index.ts'
import { describeEnds } from './contract-ends.ts'
import { describeInterruption } from './contract-interruption.ts'
import { describeTrouble } from './contract-trouble.ts'
import { testDatabase } from './database.ts'
import { startTcpProxy, type TcpProxy, type TcpProxyOptions } from './tcp-proxy.ts'
import { until } from './until.ts'

/** An adapter, as the contract needs it. */
export interface ContractSubject<Tx> {
  /** Opens it with so many connections for work, and with `connect` milliseconds to get one. */
  open(options: { url: string; max: number; connect: number }): Database<Tx>
  /** Sends one statement the way a handler would, and resolves with its rows. */
  send(tx: Tx, text: string, values?: readonly unknown[]): Promise<readonly any[]>
}

/**
 * What the engine relies on, of any adapter: `docs/guides/bring-your-own-database.md` says it in words. Call it at the top
 * of a test file, with each way the adapter can be set up; each has a database of its own on a real server.
 */
export async function describeDatabaseContract(
  subjects: Readonly<Record<string, ContractSubject<any>>>,
): Promise<void> {
  const benches: Array<[string, ContractBench<any>]> = []
  for (const [name, subject] of Object.entries(subjects)) benches.push([name, await contractBench(name, subject)])
  for (const [name, bench] of benches) {
    describeEnds(name, bench)
    describeInterruption(name, bench)
  }
  // Side by side, since they wait for time-outs most of the time.
  for (const [name, bench] of benches) describeTrouble(name, bench)
}

/** Milliseconds to get a connection. */
const connect = 1000

async function contractBench<Tx>(name: string, { open, send }: ContractSubject<Tx>) {
  const { url } = await testDatabase({ template: 'empty' })
  const outside = new pg.Pool({ connectionString: url, max: 3 })
  const databases: Database<Tx>[] = []
  const proxies: TcpProxy[] = []
  let n = 0

  beforeAll(async () => {
    await outside.query(`
      create table thing (id text primary key);
      create table part (of_thing text references thing (id) deferrable initially deferred);
      create table slow_to_commit (seconds float8);
      create function sleep_at_commit() returns trigger language plpgsql as
        'begin perform pg_sleep(new.seconds); return null; end';
      create constraint trigger sleep_at_commit after insert on slow_to_commit deferrable initially deferred
        for each row execute function sleep_at_commit();`)
  })
  afterAll(async () => {
    await Promise.all(proxies.map((proxy) => proxy.restore()))
    await Promise.all(databases.map(async (database) => database.close?.()))
    await Promise.all(proxies.map((proxy) => proxy.close()))
    await outside.end()
  })

  return {
    connect,
    outside,
    send,
    /** The adapter under test with one connection for work, on the server or through a proxy. */
    open(through: { readonly url: string } = { url }) {
      const database = open({ url: through.url, max: 1, connect })
      databases.push(database)
      return database
    },
    async proxy(options?: TcpProxyOptions) {
      const proxy = await startTcpProxy(url, options)
      proxies.push(proxy)
      return proxy
    },
    unique: () => `${name}-${++n}`,
    put: (tx: Tx, id: string) => send(tx, insertThing, [id]),
    /** The same, as a statement that is sent last. */
    putLast: (id: string) => ({ text: insertThing, values: [id] }),
    stored: async (id: string) => (await outside.query('select 1 from thing where id = $1', [id])).rowCount! > 0,
    pidOf: async (tx: Tx) => Number((await send(tx, 'select pg_backend_pid() as pid'))[0].pid),
    /** Waits until this statement runs, and tells by which backend. */
    running: (text: string) =>
      until(async () => {
        const found = await outside.query(
          `select pid from pg_stat_activity where datname = current_database() and state = 'active' and query = $1`,
          [text],
        )
        return found.rows[0]?.pid as number | undefined
      }),
  }
}

const insertThing = 'insert into thing (id) values ($1::text)'

export type ContractBench<Tx> = Awaited<ReturnType<typeof contractBench<Tx>>>
