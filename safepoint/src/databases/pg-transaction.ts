import {
  sqlState,
  type Result,
  type SqlTransaction,
  type Statement,
  type StopSignal,
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

interface Asked {
  readonly statement: WireStatement
  readonly resolve: (result: Result<any>) => void
  readonly reject: (error: unknown) => void
}

type Outcome<T> =
  | { readonly value: T }
  | { readonly error: unknown }
  | { readonly interrupted: true; readonly reason: unknown }

interface Ended<T> {
  readonly end: TransactionEnd<T>
  readonly reusable: boolean
}

/** How long a statement may take to notice that it is to stop before its connection is given up, in milliseconds. */
const stopPatience = 5000

/**
 * One transaction on one pipelined connection. BEGIN waits for the first statement, so that both travel together. A class, because
 * the closures of a function that keeps all this are made anew for each transaction.
 */
export class PgTransaction {
  readonly #client: PgClient
  readonly #opening: Opening
  #begun = false
  /** BEGIN has been answered. */
  #open = false
  #closed = false
  #held: Asked[] = []
  #unsettled = 0
  #onIdle: (() => void) | undefined
  #backendPid: number | null | undefined
  /** What BEGIN, and what went with it, has been answered so far. */
  #begunWith: readonly Result[] = []
  /** Why BEGIN failed, or what went with it. */
  #beginning: unknown
  /** Why the connection is of no more use. */
  #broken: unknown

  constructor(client: PgClient, opening: Opening) {
    this.#client = client
    this.#opening = opening
    this.#backendPid = opening.prepared ? client.processID : undefined
  }

  /** Never throws: see {@link TransactionEnd}. `reusable`: another transaction may have the connection. */
  async run<T>(options: TransactionOptions<T>, work: (tx: SqlTransaction) => Promise<T>): Promise<Ended<T>> {
    const { signal } = options
    const outcome = await this.#outcomeOf(work, signal)
    this.#closed = true
    if ('interrupted' in outcome) return this.#rolledBack(outcome.reason, true)
    if ('error' in outcome) return this.#rolledBack(outcome.error)
    // The work has caught that: no transaction was opened, so that none can be committed.
    if (this.#beginning !== undefined) return this.#rolledBack(this.#beginning)
    if (this.#unsettled > 0)
      return this.#rolledBack(
        new Error('The handler returned before all of its statements were answered: await each of them.'),
      )
    if (signal?.aborted) return this.#rolledBack(signal.reason, true)
    if (this.#begun && this.#client.getTransactionStatus?.() === 'I') {
      return this.#rolledBack(
        new Error('The handler ended its transaction by itself; what it committed is not protected.'),
      )
    }
    let last: readonly Statement[] | 'rollback'
    try {
      last = options.last?.(outcome.value) ?? []
    } catch (error) {
      return this.#rolledBack(error)
    }
    return last === 'rollback' ? this.#rolledBack(undefined) : this.#commit(outcome.value, last)
  }

  /** How the work ended, or that it is to stop: then it is not waited for. */
  #outcomeOf<T>(work: (tx: SqlTransaction) => Promise<T>, signal: StopSignal | undefined): Promise<Outcome<T>> {
    if (signal?.aborted) return Promise.resolve({ interrupted: true, reason: signal.reason })
    const tx: SqlTransaction = {
      query: <Row>(statement: Statement | string, values?: readonly unknown[]) => {
        const answer = this.#ask<Row>(
          typeof statement === 'string' ? { text: statement, values: values ?? [] } : statement,
        )
        // The transaction's end tells that a statement failed. The process must not end of one that nobody awaits: the second of two
        // asked in one go, where the first fails or a cancel stops them both.
        answer.catch(nothing)
        return answer
      },
    }
    return new Promise((resolve) => {
      const onAbort = () => {
        this.#closed = true
        resolve({ interrupted: true, reason: signal?.reason })
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      const settle = (outcome: Outcome<T>) => {
        signal?.removeEventListener('abort', onAbort)
        resolve(outcome)
      }
      try {
        Promise.resolve(work(tx)).then(
          (value) => settle({ value }),
          (error: unknown) => settle({ error }),
        )
      } catch (error) {
        settle({ error })
      }
    })
  }

  #ask<Row>(statement: Statement): Promise<Result<Row>> {
    if (this.#closed) return Promise.reject(new Error(closedMessage))
    // Without a transaction it would commit by itself.
    if (this.#beginning !== undefined) return Promise.reject(this.#beginning)
    if (isTransactionControl(statement.text)) {
      return Promise.reject(new Error("A handler cannot begin, commit or roll back: its transaction is the engine's."))
    }
    return new Promise((resolve, reject) => {
      const asked: Asked = { statement: wire(statement, this.#opening.prepared), resolve, reject }
      if (this.#open) return this.#sendOne(asked)
      this.#unsettled++
      if (this.#held.push(asked) === 1 && !this.#begun) void thisTick.then(() => this.#sendOpening())
    })
  }

  #send(
    statements: readonly WireStatement[],
    settle: (error: Error | undefined, results: Result[]) => void,
    silence?: SilenceWatch,
  ): readonly Result[] {
    this.#unsettled++
    const settleOne = (error: Error | undefined, results: Result[]) => {
      this.#unsettled--
      if (error && (sqlState(error) === undefined || fatal(error))) this.#broken ??= error
      settle(error, results)
      if (this.#unsettled === 0) this.#onIdle?.()
    }
    return sendFlight(this.#opening.driver, this.#client, statements, settleOne, silence)
  }

  #sendOne({ statement, resolve, reject }: Asked): void {
    this.#send([statement], (error, results) => (error ? reject(error) : resolve(results[0]!)))
  }

  /**
   * What was asked in one go leaves with BEGIN; what is asked later waits until BEGIN is answered. Sent behind it with a Sync of its
   * own it would commit by itself where BEGIN failed, and overtake the first statement where the connection knows neither.
   */
  #sendOpening(): void {
    const first = this.#takeHeld()
    if (this.#closed) return first.forEach(({ reject }) => reject(new Error(closedMessage)))
    this.#begun = true
    const { opening } = this.#opening
    const statements = [...opening]
    for (const { statement } of first) statements.push(statement)
    this.#begunWith = this.#send(statements, (error, results) => {
      if (error && results.length < opening.length) this.#beginning ??= error
      first.forEach(({ resolve, reject }, n) => {
        const result = results[opening.length + n]
        if (result) resolve(result)
        else reject(error)
      })
      this.#open = true
      const refused = this.#beginning ?? (this.#closed ? new Error(closedMessage) : undefined)
      for (const asked of this.#takeHeld()) {
        if (refused) asked.reject(refused)
        else this.#sendOne(asked)
      }
    })
  }

  #takeHeld(): readonly Asked[] {
    const held = this.#held
    this.#held = []
    this.#unsettled -= held.length
    return held
  }

  async #commit<T>(value: T, last: readonly Statement[]): Promise<Ended<T>> {
    const { prepared, opening, silence } = this.#opening
    const statements = this.#begun ? [] : [...opening]
    const ahead = statements.length
    for (const statement of last) statements.push(wire(statement, prepared))
    statements.push(prepared ? namedCommit : plainCommit)
    this.#begun = true
    const [error, results] = await new Promise<[Error | undefined, Result[]]>((resolve) =>
      this.#send(statements, (error, results) => resolve([error, results]), silence),
    )
    const tag = error ? undefined : results.at(-1)?.command
    if (tag === 'COMMIT') return { end: { end: 'committed', value, results: results.slice(ahead, -1) }, reusable: true }
    if (error && (sqlState(error) === undefined || fatal(error)))
      return { end: { end: 'unknown', error }, reusable: false }
    // Refused, by a statement or by COMMIT itself: nothing is committed. Behind one Sync the COMMIT was skipped, so say ROLLBACK.
    return this.#rolledBack(error ?? new Error('The transaction had been aborted by a failed statement.'))
  }

  async #rolledBack(error: unknown, interrupted = false): Promise<Ended<never>> {
    const reusable = await this.#rollBack()
    return { end: { end: 'rolled back', error: this.#beginning ?? error, interrupted }, reusable }
  }

  /** Stops what runs, rolls back, and says whether the connection may be used again: only when all of it was answered. */
  async #rollBack(): Promise<boolean> {
    if (!this.#begun) return this.#broken === undefined
    const drained = this.#idle()
    let deadline = Number.POSITIVE_INFINITY
    while (this.#unsettled > 0 && performance.now() < deadline && this.#broken === undefined) {
      // Behind a pooler it is known once BEGIN has been answered.
      const pid = this.#backendPid ?? this.#begunWith[1]?.rows[0]?.backend_pid
      if (pid != null) {
        if (deadline === Number.POSITIVE_INFINITY) deadline = performance.now() + stopPatience
        // The request may arrive between two statements: ask again until everything sent has been answered.
        await this.#opening.stopRunning(pid).catch(() => undefined)
      }
      await Promise.race([drained, delay(25)])
    }
    if (this.#unsettled > 0 || this.#broken !== undefined) return false
    return new Promise((resolve) => {
      const silent = setTimeout(() => resolve(false), stopPatience)
      this.#send([rollback], (error) => {
        clearTimeout(silent)
        resolve(!error && this.#broken === undefined)
      })
    })
  }

  #idle(): Promise<void> {
    if (this.#unsettled === 0) return Promise.resolve()
    return new Promise((resolve) => (this.#onIdle = () => this.#unsettled === 0 && resolve()))
  }
}

const closedMessage = "The transaction is over: a handler's `tx` is closed when the handler returns or is stopped."

const plainCommit: WireStatement = { text: 'commit', values: [], queryMode: 'extended', silent: true }
const namedCommit: WireStatement = { name: 'sp_commit', text: 'commit', values: [], silent: true }
const rollback: WireStatement = { text: 'rollback' }

/**
 * BEGIN, START TRANSACTION, COMMIT, END, ABORT, PREPARE TRANSACTION and ROLLBACK (but not ROLLBACK TO a savepoint). PREPARE with a
 * comment behind it is taken for one of them.
 */
const controlWord =
  /^(?:(?:begin|start|commit|end|abort|prepare\s+transaction|rollback(?!\s+(?:work\s+|transaction\s+)?to\b))\b|prepare\s*(?:--|\/\*))/i

/** What their first letters may be: most statements begin with another, and no pattern is needed. */
const controlLetters: ReadonlySet<number> = new Set(Buffer.from('abcepsrABCEPSR'))
const [semicolon, dash, slash] = Buffer.from(';-/')

/** Whether a statement ends or begins a transaction, behind any white space, empty statements and comments, which PostgreSQL nests. */
function isTransactionControl(text: string): boolean {
  let at = 0
  for (;;) {
    let code = text.charCodeAt(at)
    while (code <= 0x20 || code === semicolon) code = text.charCodeAt(++at)
    if (code === dash && text.startsWith('--', at)) {
      const length = text.slice(at).search(/[\n\r]/)
      if (length < 0) return false
      at += length
    } else if (code === slash && text.startsWith('/*', at)) {
      let depth = 0
      do {
        const [open, close] = [text.startsWith('/*', at), text.startsWith('*/', at)]
        depth += open ? 1 : close ? -1 : 0
        at += open || close ? 2 : 1
      } while (depth > 0 && at < text.length)
    } else return controlLetters.has(code) && controlWord.test(at === 0 ? text : text.slice(at))
  }
}

function fatal(error: unknown): boolean {
  const severity = (error as { severity?: unknown }).severity
  return severity === 'FATAL' || severity === 'PANIC'
}

/** Cheaper than `queueMicrotask`, which makes a resource for each call. */
const thisTick = Promise.resolve()

const nothing = () => {}

const delay = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))
