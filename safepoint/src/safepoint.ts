import { hostname } from 'node:os'
import type { Answer } from './answer.ts'
import { cancel } from './cancel.ts'
import type { Database } from './database.ts'
import type { Engine } from './engine.ts'
import { checkClientKey, checkKey, derivedPrefix } from './keys.ts'
import { engineError } from './errors.ts'
import { letGo, stop as stopHold, untilOver } from './hold.ts'
import type { AnyOperation, InputOf, ResultOf } from './operation.ts'
import { checkMilliseconds, longestTime } from './check-milliseconds.ts'
import type { CancelOptions, Log, RunOptions, TransactionRetry } from './options.ts'
import { findView, untilEnded, watchView } from './operation-view.ts'
import type { CancelAnswer, OperationView } from './protocol.ts'
import { watchOver } from './recover.ts'
import { resolve } from './resolve.ts'
import { insideAtomic } from './inside-atomic.ts'
import { defaultAttempts, sleep } from './retry.ts'
import { postgresBus } from './signals/postgres.ts'
import type { SignalBus } from './signals/signal-bus.ts'
import { startInbox, startRun } from './start.ts'
import { undo, undoOperationOf } from './undo-operation.ts'
import { uuidv7 } from './uuid.ts'

export interface SafepointOptions<Tx> {
  readonly database: Database<Tx>
  readonly operations: readonly AnyOperation<Tx>[]
  /** Default: PostgreSQL's LISTEN/NOTIFY over `database`. */
  readonly bus?: SignalBus
  /** How long a holder may be silent before a durable operation is taken over, in milliseconds. Default 10 000. */
  readonly lease?: number
  /** How often running work looks at its row, in milliseconds. Default 500. */
  readonly poll?: number
  /** How long a cancel waits for the holder's acknowledgement, in milliseconds. Default 40. */
  readonly stopWait?: number
  /**
   * After how many milliseconds from its end what an operation was asked and answered is stripped, of its steps and its undo too; that
   * it was, and how it ended, is never forgotten. At least 24 h; default 30 days.
   */
  readonly retention?: number
  /**
   * How often a whole transaction is run, in all, on a serialization failure, a deadlock or a `conflict`: 1 to 10, default 3. An
   * operation's own `tries` outranks it. Between them full jitter, at most 3 s; after them 409 `conflict` with `attempts`.
   */
  readonly attempts?: number
  /** Told before each further run of a transaction: a place to count from. Every one is logged besides. Must not throw. */
  readonly onRetry?: (retry: TransactionRetry) => void
  /** Whether this process takes over what dead ones left. Default true. */
  readonly recover?: boolean
  readonly log?: Log
}

export interface Safepoint<Tx> {
  readonly operations: ReadonlyMap<string, AnyOperation<Tx>>
  readonly bus: SignalBus
  readonly database: Database<Tx>
  /**
   * Runs an operation under its key, once in effect (I1), and answers how it ended: `succeeded`, `failed`, `cancelled`, or of a durable
   * one `pending` after its `wait`. Throws what its handler threw, and `key_invalid`, `key_reused`, `key_expired`, `in_progress`, `input_invalid`,
   * `conflict`, `precondition_failed`, `interrupted`; `unavailable` and `timeout`, which say that nothing was done; `indeterminate`, which says
   * that nobody knows yet. A `retryable` one may be sent again under the same key. A TypeError: not registered here, or inside an
   * atomic handler.
   */
  run<O extends AnyOperation<Tx>>(operation: O, input: InputOf<O>, options: RunOptions): Promise<Answer<ResultOf<O>>>
  /**
   * Cancels, and tells the truth (I2, I3), also of what has not arrived. Throws `unavailable` and `indeterminate` (nothing was told: repeat
   * it), `not_cancellable` where the definition says so, `key_invalid`, and `key_reused` for a `requestKey` that cancelled something else.
   */
  cancel(scope: string, key: string, options?: CancelOptions): Promise<CancelAnswer>
  /**
   * Runs the declared undo of a succeeded operation; two undos are one (I8). Answers and throws as `run`, and `unknown_operation`,
   * `not_undoable` (it has not succeeded, or stays: `details.keep` says why), `key_expired` (retention has taken what the undo needs).
   */
  undo(
    scope: string,
    key: string,
    options?: { readonly actor?: string; readonly disconnect?: AbortSignal },
  ): Promise<Answer>
  /** State and result of a key; `none` where there is no trace of it, which is never final. Throws `key_invalid`, `unavailable`. */
  find(scope: string, key: string): Promise<OperationView>
  /** The view now and after each change, until it is terminal or `signal` fires. Throws as `find`. */
  watch(scope: string, key: string, options?: { readonly signal?: AbortSignal }): AsyncIterable<OperationView>
  /**
   * A human's decision about an operation in `needs_attention`: try the undo again, or say how it ended. Throws `unknown_operation`, and
   * `conflict` where it needs none.
   */
  resolve(
    scope: string,
    key: string,
    decision: 'retry' | 'cancelled' | 'failed',
    options: { readonly actor: string; readonly reason: string },
  ): Promise<OperationView>
  /** Listens for signals and takes over what dead processes left. Called again it is the same start. */
  start(): Promise<void>
  /**
   * Takes nothing new, waits up to `grace` milliseconds (default 10 000) for what runs here, then rolls back atomic operations and
   * hands the leases of durable ones back. For good: another engine is made for another start. The database stays its owner's to close.
   */
  stop(options?: { readonly grace?: number }): Promise<void>
}

/** One day. */
const shortestRetention = 24 * 3600_000

/**
 * Wires an engine. Nothing connects before `start()` or the first run.
 *
 *     const safepoint = createSafepoint({ database: pgDatabase({ driver: pg, url }), operations: [placeOrder] })
 *     await safepoint.start()
 *     const answer = await safepoint.run(placeOrder, { cartId }, { scope: 'user:7', key: request.key })
 */
export function createSafepoint<Tx>(options: SafepointOptions<Tx>): Safepoint<Tx> {
  const { retention = 30 * shortestRetention, lease = 10_000, poll = 500, stopWait = 40 } = options
  if (retention < shortestRetention) throw new TypeError('Responses are kept for at least 24 hours.')
  checkMilliseconds('createSafepoint', { lease, poll })
  checkMilliseconds('createSafepoint', { stopWait }, { least: 0 })
  checkMilliseconds('createSafepoint', { retention }, { most: longestTime })
  const { attempts = defaultAttempts } = options
  if (!Number.isInteger(attempts) || attempts < 1 || attempts > 10)
    throw new TypeError('A transaction is run 1 to 10 times.')
  const operations = registerOperations(options.operations)
  const closing = new AbortController()
  const engine: Engine<Tx> = {
    database: options.database,
    operations,
    bus: options.bus ?? postgresBus(options.database),
    log: options.log ?? silent,
    holder: `${hostname()}:${process.pid}:${uuidv7().slice(-12)}`,
    lease,
    poll,
    stopWait,
    retention,
    attempts,
    onRetry: options.onRetry,
    flights: new Map(),
    watched: false,
    closing: closing.signal,
    holds: new Map(),
    run: (operation, input, runOptions) =>
      (operation.inbox ? startInbox : startRun)(engine, operation, input, runOptions),
    cancel: (scope, key, cancelOptions = {}) => cancel(engine, scope, key, cancelOptions),
    undo: (scope, key, undoOptions = {}) => undo(engine, scope, key, undoOptions),
    untilEnded: (scope, key, signal) => untilEnded(engine, scope, key, signal),
  }
  const watcher = watchOver(engine, { recover: options.recover ?? true })
  let starting: Promise<void> | undefined
  let stopping: Promise<void> | undefined
  const checkOpen = () => {
    if (insideAtomic.getStore())
      throw new TypeError('Inside an atomic handler another operation is called as a function with the same `tx`.')
    if (stopping) throw engineError('unavailable', 'This server is shutting down.', { retryAfterMs: 1000 })
  }
  const stopAll = async (grace: number) => {
    watcher.drain()
    await starting?.catch(() => undefined)
    const flights = () => [...engine.flights.values()].map(({ promise }) => promise)
    await settledWithin(grace, flights())
    closing.abort()
    const reason = engineError('interrupted', 'The server is shutting down.', { retryAfterMs: 1000 })
    for (const flight of engine.flights.values()) flight.stop.abort(reason)
    for (const hold of engine.holds.values()) stopHold(hold, 'shutdown')
    await settledWithin(handBackTime, [...flights(), ...[...engine.holds.values()].map((hold) => untilOver(hold))])
    for (const hold of engine.holds.values()) letGo(hold)
    await watcher.close()
    await engine.bus.close()
  }

  return {
    operations,
    bus: engine.bus,
    database: options.database,
    async run(operation, input, runOptions) {
      checkOpen()
      if (operations.get(operation.name) !== operation)
        throw new TypeError(`The operation ${operation.name} is not registered here.`)
      if (runOptions.key !== undefined) checkClientKey(runOptions.key)
      return engine.run(operation, input, runOptions)
    },
    async cancel(scope, key, cancelOptions = {}) {
      checkKey(key)
      if (cancelOptions.requestKey !== undefined) checkKey(cancelOptions.requestKey)
      if (key.startsWith(derivedPrefix)) {
        throw engineError('not_cancellable', 'An undo, or a part of another operation, takes no cancel of its own.', {
          details: { operation: { key } },
        })
      }
      return engine.cancel(scope, key, cancelOptions)
    },
    async undo(scope, key, undoOptions) {
      checkOpen()
      return engine.undo(scope, key, undoOptions)
    },
    find: (scope, key) => findView(engine, scope, key),
    watch: (scope, key, watchOptions = {}) => watchView(engine, scope, key, watchOptions.signal),
    resolve: (scope, key, decision, by) => resolve(engine, scope, key, decision, by),
    async start() {
      if (stopping) throw new TypeError('An engine that was stopped is not started again: make another one.')
      await (starting ??= engine.bus.start().then(() => watcher.start()))
    },
    stop: ({ grace = 10_000 } = {}) => (stopping ??= stopAll(grace)),
  }
}

/** How long giving leases back may take at shutdown, in milliseconds; what is not given back runs out. */
const handBackTime = 2000

/** Waits for all of them, or for so many milliseconds. */
async function settledWithin(milliseconds: number, promises: ReadonlyArray<Promise<unknown>>): Promise<void> {
  const patience = new AbortController()
  await Promise.race([Promise.allSettled(promises), sleep(milliseconds, patience.signal).catch(() => undefined)])
  patience.abort()
}

const silent: Log = { info: () => {}, warn: () => {}, error: () => {} }

/** The given operations and, for each that can be undone, the operation that undoes it. */
function registerOperations<Tx>(given: readonly AnyOperation<Tx>[]): Map<string, AnyOperation<Tx>> {
  const operations = new Map<string, AnyOperation<Tx>>()
  for (const operation of given) {
    for (const one of [operation, undoOperationOf(operation)]) {
      if (!one) continue
      if (operations.has(one.name)) throw new TypeError(`Two operations are named ${one.name}.`)
      operations.set(one.name, one)
    }
  }
  return operations
}
