import {
  sqlState,
  type Database,
  type Result,
  type SqlTransaction,
  type Statement,
  type Subscription,
  type TransactionEnd,
  type TransactionOptions,
} from '../database.ts'
import { engineError } from '../errors.ts'
import { listenWith } from './pg-listen.ts'
import { wire, type PgClient, type PgDriver, type PgPool, type WireStatement } from './pg-driver.ts'
import { sendFlight } from './pg-flight.ts'
import { watchSilence } from './pg-silence.ts'
import { PgTransaction } from './pg-transaction.ts'

export interface PgDatabaseOptions {
  readonly driver: PgDriver
  /** Of the primary, or of a pooler before it. */
  readonly url: string
  /** Way round a pooler, for LISTEN. Default: `url`. */
  readonly directUrl?: string
  /** Connections for work. Default 10. */
  readonly max?: number
  /** Connections kept for cancels and for stopping statements. Default 3. */
  readonly urgentMax?: number
  /**
   * `false` behind a pooler in transaction mode: no named statements, settings travel with each transaction, and the
   * backend's pid is read inside it.
   */
  readonly prepared?: boolean
  /** Milliseconds. Defaults: connect 1500, listen 10 000, statement 30 000, lock 10 000, idle in transaction 30 000. */
  readonly timeouts?: {
    readonly connect?: number
    /** How often the LISTEN connection is asked whether it is there; not answered until the next time, it is made anew. */
    readonly listen?: number
    readonly statement?: number
    readonly lock?: number
    readonly idleInTransaction?: number
  }
}

const urgentLockTimeout = 2000
/** How much later than a statement's own time-out its answer may come, in milliseconds. */
const silencePatience = 5000

/**
 * The adapter for `pg`. It owns two pools, of pipelined connections: BEGIN travels with the first statement, and the gate
 * with COMMIT.
 *
 *     const database = pgDatabase({ driver: pg, url: process.env.DATABASE_URL })
 */
export function pgDatabase(options: PgDatabaseOptions): Database<SqlTransaction> & { close(): Promise<void> } {
  const { driver, url, directUrl = url, prepared = true } = options
  const timeouts = {
    connect: 1500,
    listen: 10_000,
    statement: 30_000,
    lock: 10_000,
    idleInTransaction: 30_000,
    ...options.timeouts,
  }
  const settings = (lockTimeout: number): Record<string, string> => ({
    synchronous_commit: 'on',
    default_transaction_isolation: 'read committed',
    statement_timeout: String(timeouts.statement),
    lock_timeout: String(lockTimeout),
    idle_in_transaction_session_timeout: String(timeouts.idleInTransaction),
  })
  const lane = (max: number, lockTimeout: number, silence: number | undefined, name: string) => {
    const pool = new driver.Pool({
      connectionString: url,
      max,
      pipeline: true,
      connectionTimeoutMillis: timeouts.connect,
      application_name: name,
      keepAlive: true,
      // A server that has gone silent answers nothing, not even its own time-outs: the connection is given up. In the lane for work
      // only where nothing else bounds the wait (COMMIT, a statement by itself): a timer for each statement is not free.
      ...(silence !== undefined && { query_timeout: silence }),
      ...(prepared && {
        options: Object.entries(settings(lockTimeout))
          .map(([setting, value]) => `-c ${setting}=${value.replaceAll(' ', '\\ ')}`)
          .join(' '),
      }),
    })
    // An idle connection that breaks is replaced by the pool; one in use reports through its statements.
    pool.on('error', () => {})
    pool.on('connect', (client: PgClient) => client.on('error', () => {}))
    return { pool, first: prepared ? undefined : localSettings(settings(lockTimeout)) }
  }
  const work = lane(options.max ?? 10, timeouts.lock, undefined, 'safepoint')
  const urgent = lane(
    options.urgentMax ?? 3,
    urgentLockTimeout,
    urgentLockTimeout + silencePatience / 5,
    'safepoint-cancel',
  )

  /** Of a COMMIT, or of a statement by itself, in the lane for work; the urgent lane's connections have their own for each. */
  const silence = watchSilence(timeouts.statement + silencePatience)

  const connect = async (pool: PgPool) => {
    try {
      return await pool.connect()
    } catch (cause) {
      throw engineError('unavailable', 'The database cannot be reached.', { cause, retryAfterMs: 1000 })
    }
  }

  const query = async <Row>(
    statement: Statement,
    { urgent: isUrgent = false, behind }: { readonly urgent?: boolean; readonly behind?: Statement | undefined } = {},
  ): Promise<Result<Row>> => {
    const { pool, first } = isUrgent ? urgent : work
    if (first && isUrgent) {
      const end = await transaction({ urgent: true }, (tx) => tx.query<Row>(statement))
      if (behind) void query(behind, { urgent: true }).catch(() => undefined)
      if (end.end === 'committed') return end.value
      throw end.error
    }
    const client = await connect(pool)
    return new Promise((resolve, reject) => {
      const stream = client.connection?.stream
      let broken: Error | undefined
      let waiting = behind ? 2 : 1
      const answered = (error: Error | undefined) => {
        if (error && sqlState(error) === undefined) broken ??= error
        if (--waiting === 0) client.release(broken)
      }
      const settle = (error: Error | undefined, results: Result[]) => {
        answered(error)
        if (error) reject(error)
        else resolve(results.at(-1) as Result<Row>)
      }
      // Behind one Sync without a BEGIN they are one transaction of their own, in which the settings count.
      const statements = first ? [wire(first, false), wire(statement, false)] : [wire(statement, prepared)]
      stream?.cork?.()
      sendFlight(driver, client, statements, settle, isUrgent ? undefined : silence)
      if (behind) sendFlight(driver, client, [wire(behind, prepared)], answered, isUrgent ? undefined : silence)
      stream?.uncork?.()
    })
  }

  const openings = new Map<string, readonly WireStatement[]>()
  /** BEGIN, the settings where they travel with the transaction, and what the caller wants to go first. */
  const openingOf = (
    { isolation, readOnly, first }: TransactionOptions<any>,
    settings: Statement | undefined,
  ): readonly WireStatement[] => {
    // Where the connection's settings are not ours its default could be another one (SPEC.md section 6: a cancel is READ COMMITTED).
    const level = isolation ?? (settings && 'read committed')
    const text = `begin${level ? ` isolation level ${level}` : ''}${readOnly ? ' read only' : ''}`
    let opening = openings.get(text)
    if (!opening) {
      const begin = wire({ name: `sp_${text.replaceAll(' ', '_')}`, text, values: [], silent: true }, prepared)
      openings.set(text, (opening = settings ? [begin, { ...wire(settings, false), flush: true }] : [begin]))
    }
    return first && first.length > 0 ? opening.concat(first.map((statement) => wire(statement, prepared))) : opening
  }

  const stopRunning = async (pid: number): Promise<void> => {
    await query({ text: 'select pg_cancel_backend($1::int)', values: [pid] }, { urgent: true })
  }

  const transaction = async <T>(
    options: TransactionOptions<T>,
    run: (tx: SqlTransaction) => Promise<T>,
  ): Promise<TransactionEnd<T>> => {
    const { pool, first } = options.urgent ? urgent : work
    const client = await connect(pool)
    const { end, reusable } = await new PgTransaction(client, {
      driver,
      prepared,
      silence: options.urgent ? undefined : silence,
      opening: openingOf(options, first),
      stopRunning,
    }).run(options, run)
    client.release(reusable ? undefined : true)
    return end
  }

  let closing: Promise<unknown> | undefined

  return {
    query,
    transaction,
    sql: (tx) => tx,
    listen: (channel, onMessage, onState): Promise<Subscription> =>
      listenWith(
        () =>
          new driver.Client({
            connectionString: directUrl,
            application_name: 'safepoint-listen',
            keepAlive: true,
            connectionTimeoutMillis: timeouts.connect,
          }),
        channel,
        timeouts.listen,
        onMessage,
        onState,
      ),
    async close() {
      await (closing ??= Promise.all([work.pool.end(), urgent.pool.end()]))
    },
  }
}

/** One statement that sets the transaction's own settings and tells which backend a pooler gave us. */
function localSettings(settings: Record<string, string>): Statement {
  const names = Object.keys(settings).filter((name) => name !== 'default_transaction_isolation')
  const calls = names.map((name, index) => `set_config('${name}', $${index + 1}::text, true)`)
  return {
    text: `select ${calls.join(', ')}, pg_backend_pid() as backend_pid`,
    values: names.map((name) => settings[name]),
  }
}
