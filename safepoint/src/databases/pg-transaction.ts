import {
  sqlState,
  type Result,
  type SqlTransaction,
  type Statement,
  type TransactionEnd,
  type TransactionOptions,
} from '../database.ts'
import { wire, type PgClient, type PgDriver, type WireStatement } from './pg-driver.ts'
import { sendFlight } from './pg-flight.ts'
import type { SilenceWatch } from './pg-silence.ts'

interface Opening {
  readonly prepared: boolean
  readonly driver: PgDriver
  /** Bounds how long COMMIT may go unanswered. */
  readonly silence: SilenceWatch | undefined
  /** BEGIN, and the statements that go with it. */
  readonly opening: readonly WireStatement[]
  readonly stopRunning: (pid: number) => Promise<void>
}

export interface OpenTransaction {
  run<T>(
    options: TransactionOptions<T>,
    work: (tx: SqlTransaction) => Promise<T>,
  ): Promise<{ readonly end: TransactionEnd<T>; readonly reusable: boolean }>
}

interface Asked {
  readonly statement: WireStatement
  readonly resolve: (result: Result<any>) => void
  readonly reject: (error: unknown) => void
}

type Interruption = { readonly interrupted: true; readonly reason: unknown }

/** How long a statement may take to notice that it is to stop before its connection is given up, in milliseconds. */
const stopPatience = 5000

/** One transaction on one pipelined connection. BEGIN waits for the first statement, so that both travel together. */
export function openTransaction(client: PgClient, opening: Opening): OpenTransaction {
  let begun = false
  /** BEGIN has been answered. */
  let open = false
  let held: Asked[] = []
  let unsettled = 0
  let closed = false
  let beginning: unknown
  let backendPid = opening.prepared ? client.processID : undefined
  let onIdle: (() => void) | undefined
  let broken: unknown

  const send = (
    statements: readonly WireStatement[],
    settle: (error: Error | undefined, results: Result[]) => void,
    silence?: SilenceWatch,
  ) => {
    unsettled++
    const settleOne = (error: Error | undefined, results: Result[]) => {
      unsettled--
      if (error && (sqlState(error) === undefined || fatal(error))) broken ??= error
      settle(error, results)
      if (unsettled === 0) onIdle?.()
    }
    sendFlight(opening.driver, client, statements, settleOne, silence)
  }
  /** BEGIN and what goes first, to be sent together with `statements`. */
  const opened = (statements: readonly WireStatement[]): readonly WireStatement[] => {
    begun = true
    return opening.opening.concat(statements)
  }
  const noteOpening = (error: Error | undefined, results: Result[]) => {
    if (error && results.length < opening.opening.length) beginning ??= error
    backendPid ??= results[1]?.rows?.[0]?.backend_pid
  }

  const sendOne = ({ statement, resolve, reject }: Asked) =>
    send([statement], (error, results) => (error ? reject(error) : resolve(results[0]!)))

  /**
   * What was asked in one go leaves with BEGIN; what is asked later waits until BEGIN is answered. Sent behind it with a Sync of its
   * own it would commit by itself where BEGIN failed, and overtake the first statement where the connection knows neither.
   */
  const sendOpening = () => {
    const first = held
    held = []
    unsettled -= first.length
    if (closed) return first.forEach(({ reject }) => reject(new Error(closedMessage)))
    const statements = opened(first.map(({ statement }) => statement))
    send(statements, (error, results) => {
      noteOpening(error, results)
      first.forEach(({ resolve, reject }, n) => {
        const result = results[opening.opening.length + n]
        if (result) resolve(result)
        else reject(error)
      })
      open = true
      const refused = beginning ?? (closed ? new Error(closedMessage) : undefined)
      unsettled -= held.length
      for (const one of held) {
        if (refused) one.reject(refused)
        else sendOne(one)
      }
      held = []
    })
  }

  const tx: SqlTransaction = {
    query<Row>(statement: Statement | string, values?: readonly unknown[]): Promise<Result<Row>> {
      const asked: Statement = typeof statement === 'string' ? { text: statement, values: values ?? [] } : statement
      if (closed) return Promise.reject(new Error(closedMessage))
      if (isTransactionControl(asked.text)) {
        return Promise.reject(
          new Error("A handler cannot begin, commit or roll back: its transaction is the engine's."),
        )
      }
      return new Promise((resolve, reject) => {
        const one: Asked = { statement: wire(asked, opening.prepared), resolve, reject }
        if (open) return sendOne(one)
        unsettled++
        if (held.push(one) === 1 && !begun) void thisTick.then(sendOpening)
      })
    },
  }

  const idle = () =>
    unsettled === 0 ? Promise.resolve() : new Promise<void>((resolve) => (onIdle = () => unsettled === 0 && resolve()))

  /** Stops what runs, rolls back, and says whether the connection may be used again: only when all of it was answered. */
  const rollBack = async (): Promise<boolean> => {
    if (!begun) return broken === undefined
    const drained = idle().then(() => true)
    if (unsettled > 0 && backendPid != null) {
      const deadline = performance.now() + stopPatience
      while (performance.now() < deadline && broken === undefined) {
        // The request may arrive between two statements: ask again until everything sent has been answered.
        await opening.stopRunning(backendPid).catch(() => undefined)
        if (await Promise.race([drained, delay(25).then(() => false)])) break
      }
      if (unsettled > 0) return false
    } else {
      await drained
    }
    if (broken !== undefined) return false
    return new Promise((resolve) => {
      const silent = setTimeout(() => resolve(false), stopPatience)
      send([rollback], (error) => {
        clearTimeout(silent)
        resolve(!error && broken === undefined)
      })
    })
  }

  const commit = async <T>(
    value: T,
    statements: readonly Statement[],
  ): Promise<{ end: TransactionEnd<T>; reusable: boolean }> => {
    const last = statements
      .map((statement) => wire(statement, opening.prepared))
      .concat(opening.prepared ? namedCommit : plainCommit)
    const ahead = begun ? 0 : opening.opening.length
    const [error, results] = await new Promise<[Error | undefined, Result[]]>((resolve) =>
      send(begun ? last : opened(last), (error, results) => resolve([error, results]), opening.silence),
    )
    const tag = error ? undefined : results.at(-1)?.command
    if (tag === 'COMMIT') return { end: { end: 'committed', value, results: results.slice(ahead, -1) }, reusable: true }
    if (error && (sqlState(error) === undefined || fatal(error)))
      return { end: { end: 'unknown', error }, reusable: false }
    // Refused, by a statement or by COMMIT itself: nothing is committed. Behind one Sync the COMMIT was skipped, so say ROLLBACK.
    const reusable = await rollBack()
    return {
      end: {
        end: 'rolled back',
        error: error ?? new Error('The transaction had been aborted by a failed statement.'),
        interrupted: false,
      },
      reusable,
    }
  }

  return {
    async run(options, work) {
      const { signal } = options
      const outcome = await new Promise<{ value: any } | { error: unknown } | Interruption>((resolve) => {
        if (signal?.aborted) return resolve({ interrupted: true, reason: signal.reason })
        const onAbort = () => resolve({ interrupted: true, reason: signal?.reason })
        signal?.addEventListener('abort', onAbort, { once: true })
        const settle = (outcome: { value: any } | { error: unknown }) => {
          signal?.removeEventListener('abort', onAbort)
          resolve(outcome)
        }
        try {
          work(tx).then(
            (value) => settle({ value }),
            (error) => settle({ error }),
          )
        } catch (error) {
          settle({ error })
        }
      })
      closed = true
      const rolledBack = async (error: unknown, interrupted: boolean) => {
        const reusable = await rollBack()
        return { end: { end: 'rolled back', error: beginning ?? error, interrupted } as const, reusable }
      }
      if ('interrupted' in outcome) return rolledBack(outcome.reason, true)
      if ('error' in outcome) return rolledBack(outcome.error, false)
      if (unsettled > 0)
        return rolledBack(
          new Error('The handler returned before all of its statements were answered: await each of them.'),
          false,
        )
      if (signal?.aborted) return rolledBack(signal.reason, true)
      if (begun && client.getTransactionStatus?.() === 'I') {
        return rolledBack(
          new Error('The handler ended its transaction by itself; what it committed is not protected.'),
          false,
        )
      }
      let last: readonly Statement[] | 'rollback'
      try {
        last = options.last?.(outcome.value) ?? []
      } catch (error) {
        return rolledBack(error, false)
      }
      if (last === 'rollback') {
        const reusable = await rollBack()
        return { end: { end: 'rolled back', error: undefined, interrupted: false }, reusable }
      }
      return commit(outcome.value, last)
    },
  }
}

const closedMessage = "The transaction is over: a handler's `tx` is closed when the handler returns or is stopped."

const plainCommit: WireStatement = { text: 'commit', values: [], queryMode: 'extended', silent: true }
const namedCommit: WireStatement = { name: 'sp_commit', text: 'commit', values: [], silent: true }
const rollback: WireStatement = { text: 'rollback' }

/** BEGIN, COMMIT, END, ABORT, PREPARE TRANSACTION and ROLLBACK (but not ROLLBACK TO a savepoint). */
const controlWord =
  /^(?:begin|start\s+transaction|commit|end|abort|prepare\s+transaction|rollback(?!\s+(?:work\s+|transaction\s+)?to\b))\b/i

/** Whether a statement ends or begins a transaction, behind any white space, empty statements and comments, which PostgreSQL nests. */
function isTransactionControl(text: string): boolean {
  let at = 0
  for (;;) {
    while (/[\s;]/.test(text.charAt(at))) at++
    if (text.startsWith('--', at)) {
      const length = text.slice(at).search(/[\n\r]/)
      if (length < 0) return false
      at += length
    } else if (text.startsWith('/*', at)) {
      let depth = 0
      do {
        const [open, close] = [text.startsWith('/*', at), text.startsWith('*/', at)]
        depth += open ? 1 : close ? -1 : 0
        at += open || close ? 2 : 1
      } while (depth > 0 && at < text.length)
    } else return controlWord.test(at === 0 ? text : text.slice(at))
  }
}

function fatal(error: unknown): boolean {
  const severity = (error as { severity?: unknown }).severity
  return severity === 'FATAL' || severity === 'PANIC'
}

/** Cheaper than `queueMicrotask`, which makes a resource for each call. */
const thisTick = Promise.resolve()

const delay = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))
