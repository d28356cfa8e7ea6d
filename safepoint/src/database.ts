/** One SQL statement. A `name` lets the adapter prepare it once per connection (where that is allowed). */
export interface Statement {
  readonly name?: string
  readonly text: string
  readonly values?: readonly unknown[]
  /** It answers no rows: an adapter need not ask what they look like. */
  readonly silent?: boolean
}

export interface Result<Row = Record<string, any>> {
  readonly rows: Row[]
  /** Rows touched, as the command tag says. */
  readonly rowCount: number
  /** The command tag's verb, such as `INSERT` or `COMMIT`. */
  readonly command: string
}

/** What a handler writes through: any statement, within the engine's transaction. Closed when the handler returns. */
export interface SqlTransaction {
  query<Row = Record<string, any>>(statement: Statement): Promise<Result<Row>>
  query<Row = Record<string, any>>(text: string, values?: readonly unknown[]): Promise<Result<Row>>
}

export type Isolation = 'read committed' | 'repeatable read' | 'serializable'

/** The part of an AbortSignal that an adapter uses. */
export interface StopSignal {
  readonly aborted: boolean
  readonly reason: unknown
  addEventListener(type: 'abort', listener: () => void, options?: { once?: boolean }): void
  removeEventListener(type: 'abort', listener: () => void): void
}

export interface TransactionOptions<T> {
  readonly isolation?: Isolation
  readonly readOnly?: boolean
  /** Sent in one flight with BEGIN and the work's first statement. */
  readonly first?: readonly Statement[]
  /**
   * Sent in one flight with COMMIT once the work has returned, so that a statement which fails turns the COMMIT behind it
   * into a ROLLBACK. `rollback` instead of statements rolls back.
   */
  readonly last?: (value: T) => readonly Statement[] | 'rollback'
  /**
   * When it fires before `last` was sent, the running statement is stopped, the transaction is rolled back and the answer
   * does not wait for the work. Once `last` was sent nothing interrupts.
   */
  readonly signal?: StopSignal
  /** Uses the capacity kept for cancels, with a lock time-out. */
  readonly urgent?: boolean
}

/** How a transaction ended. `committed` means that the server answered COMMIT with the command tag `COMMIT`. */
export type TransactionEnd<T> =
  | { readonly end: 'committed'; readonly value: T; readonly results: readonly Result[] }
  /** Nothing is committed: the ROLLBACK was acknowledged, or the COMMIT was never sent. */
  | { readonly end: 'rolled back'; readonly error: unknown; readonly interrupted: boolean }
  /** The connection was lost after the COMMIT was sent: read again to learn what happened. */
  | { readonly end: 'unknown'; readonly error: unknown }

export interface Subscription {
  close(): Promise<void>
}

/**
 * What an adapter fills. The engine asks for nothing else of a database layer.
 *
 * Errors of the server reach the engine as thrown values with the five-character SQLSTATE in `code`; an error of the
 * connection carries no SQLSTATE.
 */
export interface Database<Tx = SqlTransaction> {
  /** One statement, committed by itself, on the primary. `urgent` as in {@link TransactionOptions}. */
  query<Row = Record<string, any>>(
    statement: Statement,
    options?: {
      readonly urgent?: boolean
      /** Sent right behind, as a transaction of its own, once this one's is decided. What becomes of it is not told. */
      readonly behind?: Statement | undefined
    },
  ): Promise<Result<Row>>
  /** Never throws for what the database or the work did: see {@link TransactionEnd}. Throws only when none could be begun. */
  transaction<T>(options: TransactionOptions<T>, work: (tx: Tx) => Promise<T>): Promise<TransactionEnd<T>>
  /**
   * LISTEN on a connection of its own that bypasses a pooler and reconnects by itself. `onState` tells when notifications
   * may have been missed. Absent: the engine polls.
   */
  listen?(
    channel: string,
    onMessage: (payload: string) => void,
    onState?: (state: 'listening' | 'lost') => void,
  ): Promise<Subscription>
  /** The plain SQL view of `tx`, for the engine's own statements inside an author's transaction. */
  sql(tx: Tx): SqlTransaction
  close?(): Promise<void>
}

/** The SQLSTATE of a server's error, or `undefined` for anything else (a lost connection, a programming error). */
export function sqlState(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  const { code } = error
  // Node's own errors have codes too, and `EPIPE` looks like one of PostgreSQL's.
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !('syscall' in error) ? code : undefined
}

/** The SQLSTATE raised by a conditional statement of the engine that met no row (`safepoint.lost()`). */
export const lostState = 'SP001'

/** 23505, unique_violation. */
export const uniqueViolation = '23505'

/** Serialization failure and deadlock: the same transaction may succeed when it is run again. */
export function isTransient(error: unknown): boolean {
  const state = sqlState(error)
  return state === '40001' || state === '40P01'
}

const awayStates = new Set([
  '57P01',
  '57P02',
  '57P03',
  '53300',
  '53200',
  '25006',
  '08000',
  '08003',
  '08006',
  '08001',
  '08004',
])
const awayErrors = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EHOSTUNREACH'])

/** Whether an error says that the database could not be reached, or is going away, rather than that the statement was wrong. */
export function isAway(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false
  const { code, message, syscall } = error as { code?: unknown; message?: unknown; syscall?: unknown }
  // Of a Unix socket that is not there; any other missing file is no news about the database.
  if (code === 'ENOENT') return syscall === 'connect'
  if (typeof code === 'string' && (awayStates.has(code) || awayErrors.has(code))) return true
  return (
    typeof message === 'string' &&
    /connection (terminated|error)|timeout exceeded when trying to connect|^timeout expired$|not queryable/i.test(
      message,
    )
  )
}
