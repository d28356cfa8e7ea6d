import {
  answerFromRow,
  answerOf,
  renderFailure,
  renderResult,
  renderUndoInput,
  type Answer,
  type Rendered,
} from './answer.ts'
import { isTransient, sqlState, uniqueViolation, type TransactionEnd } from './database.ts'
import type { Engine } from './engine.ts'
import { parseInput } from './parse-input.ts'
import { engineError, isSafepointError } from './errors.ts'
import { insideAtomic } from './inside-atomic.ts'
import {
  Failure,
  type AtomicContext,
  type AtomicOperation,
  type OperationContext,
  type ResponseHead,
} from './operation.ts'
import { findRow, translate } from './read-row.ts'
import { exhausted, triedOften, waitToRunAgain } from './retry.ts'
import type { Run } from './run.ts'
import type { OperationRow } from './sql/operation-row.ts'
import { gateConstraint, settleOperation } from './sql/settle-operation.ts'
import type { StopSource } from './stop-source.ts'

interface Attempt {
  readonly end: TransactionEnd<unknown>
  readonly rendered: Rendered | undefined
  readonly failure: Failure | undefined
}

/** How often a commit whose answer was lost is asked about under the same key before it is called indeterminate. */
const asks = 3

/** Runs an atomic operation: its statements, the gate and COMMIT are one transaction. */
export async function runAtomic(
  engine: Engine,
  operation: AtomicOperation<any>,
  run: Run,
  stop: StopSource,
): Promise<Answer<any>> {
  /** Why an earlier COMMIT of this run went unanswered. It may still be under way: only the row, or a gate that is won, tells its end. */
  let lost: { readonly cause: unknown } | undefined
  /** What is thrown where there is no row. Beside a COMMIT of unknown end no error may say that nothing was done (I3). */
  const unlessLost = (error: unknown): unknown => (lost ? indeterminate(run, lost.cause) : error)
  const readRow = async (): Promise<Answer<any> | undefined> => {
    if (!run.keyGiven && !lost) return undefined
    const row = await findRow(engine, run.scope, run.key).catch((error: unknown) => {
      throw unlessLost(error)
    })
    return row && answerToRun(row, run, operation)
  }
  if (run.lookUpFirst) {
    const found = await readRow()
    if (found) return found
  }
  const tries = operation.tries ?? engine.attempts
  let unknowns = 0
  for (let attempt = 1; ;) {
    let made: Attempt
    try {
      made = await attemptOnce(engine, operation, run, attempt, stop)
    } catch (error) {
      // Nothing was begun: the input is not valid, or there is no connection to be had. A row still outranks that.
      const found = isUnavailable(error) ? undefined : await readRow()
      if (found) return found
      throw unlessLost(error)
    }
    const { end } = made
    if (end.end === 'committed') return answerOf(made.rendered!, run, operation, false)
    if (end.end === 'unknown') {
      lost = { cause: end.error }
      const row = await findRow(engine, run.scope, run.key).catch(() => undefined)
      if (row) return answerToRun(row, run, operation)
      if (++unknowns < asks && !stop.aborted) continue
      throw unlessLost(end.error)
    }
    if (made.failure) return storeFailure(engine, operation, run, made.failure, unlessLost)
    // Rolled back. The row outranks the handler: somebody may have committed, or cancelled, this key meanwhile.
    const { error } = end
    const found = await readRow()
    if (found) return found
    if (end.interrupted || stop.aborted) throw unlessLost(reasonOf(stop))
    if (!isWorthAnotherRun(error)) throw unlessLost(triedOften(translate(error), attempt))
    if (attempt >= tries) throw unlessLost(exhausted(error, attempt))
    // Woken early when it is to stop: the next run is then interrupted before it begins, and the row is asked what that means.
    await waitToRunAgain(engine, { operation: operation.name, key: run.key, attempt, error }, stop).catch(
      () => undefined,
    )
    attempt++
  }
}

async function attemptOnce(
  engine: Engine,
  operation: AtomicOperation<any>,
  run: Run,
  attempt: number,
  stop: StopSource,
): Promise<Attempt> {
  const input = await parseInput(operation.input, run.input)
  const context = new AtomicRun(run, attempt, stop)
  let rendered: Rendered | undefined
  let failure: Failure | undefined
  const end = await engine.database.transaction<unknown>(
    {
      ...(operation.isolation && { isolation: operation.isolation }),
      signal: stop,
      last(result) {
        if (result instanceof Failure) {
          failure = result
          return 'rollback'
        }
        rendered = renderResult(result, context.head, operation)
        const undoInput = renderUndoInput(operation, { input, result, operationId: run.id, noted: context.noted })
        const gate = settleOperation(run, operation.name, rendered, undoInput)
        return run.beforeGate ? [...run.beforeGate, gate] : [gate]
      },
    },
    (tx) => {
      context.tx = tx
      const running = insideAtomic.run(true, () => operation.run(context, input))
      // An adapter may gather what the handler asks in one go. Computed behind that the fingerprint costs nothing: the first
      // statements are on their way.
      void behindThis.then(() => run.fingerprint)
      return running
    },
  )
  return { end, rendered, failure }
}

/** Cheaper than `queueMicrotask`, which makes a resource for each call. */
const behindThis = Promise.resolve()

/** What an atomic handler is told, and what it says besides its result. */
class AtomicRun implements AtomicContext<any> {
  tx: any
  head: ResponseHead = {}
  noted: unknown
  readonly attempt: number
  readonly #run: Run
  readonly #stop: StopSource

  constructor(run: Run, attempt: number, stop: StopSource) {
    this.attempt = attempt
    this.#run = run
    this.#stop = stop
  }

  get operationId() {
    return this.#run.id
  }
  get scope() {
    return this.#run.scope
  }
  get key() {
    return this.#run.key
  }
  get actor() {
    return this.#run.actor
  }
  get ifMatch() {
    return this.#run.ifMatch
  }
  get signal() {
    return this.#stop.signal
  }
  // Functions that do not need `this`, so that a handler may take them apart; made when it does.
  get safepoint() {
    return () => this.#stop.throwIfAborted()
  }
  get respond() {
    return (head: ResponseHead) => void (this.head = { ...this.head, ...head })
  }
  get note() {
    return (noted: unknown) => void (this.noted = noted)
  }
  get fail() {
    return refusal
  }
}

const refusal: OperationContext['fail'] = (code, message, details) => new Failure(code, message, details)

/** A returned refusal: its statements are rolled back, the outcome is a transaction of its own, and a tombstone wins. */
async function storeFailure(
  engine: Engine,
  operation: AtomicOperation<any>,
  run: Run,
  failure: Failure,
  unlessLost: (error: unknown) => unknown,
): Promise<Answer<any>> {
  const rendered = renderFailure(failure)
  try {
    await engine.database.query(settleOperation(run, operation.name, rendered, undefined))
  } catch (error) {
    const row = await findRow(engine, run.scope, run.key).catch((failed: unknown) => {
      throw unlessLost(failed)
    })
    if (row) return answerToRun(row, run, operation)
    throw unlessLost(translate(error))
  }
  return answerOf(rendered, run, operation, false)
}

/** The row's answer; not a replay where it is this run's own, whose COMMIT went unanswered. */
async function answerToRun(row: OperationRow, run: Run, operation: AtomicOperation<any>): Promise<Answer<any>> {
  const answer = await answerFromRow(row, run.fingerprint, operation)
  return row.id === run.id ? { ...answer, replayed: false } : answer
}

const indeterminate = ({ key }: Run, cause: unknown) =>
  engineError('indeterminate', 'The connection was lost while the outcome was being committed.', {
    cause,
    retryAfterMs: 1000,
    details: { operation: { key } },
  })

/** A signal that spoke of a cancel without one in the row was forged or astray: it decides nothing (I12), the key may be tried again. */
function reasonOf({ reason }: StopSource): unknown {
  if (!isSafepointError(reason) || reason.code !== 'cancelled') return reason
  return engineError('interrupted', 'A signal stopped this run, but nobody has cancelled it: send it again.', {
    cause: reason,
    retryAfterMs: 100,
  })
}

function isWorthAnotherRun(error: unknown): boolean {
  const lostGate =
    sqlState(error) === uniqueViolation && (error as { constraint?: string }).constraint === gateConstraint
  return lostGate || isTransient(error) || (isSafepointError(error) && error.code === 'conflict' && error.retryable)
}

const isUnavailable = (error: unknown) => isSafepointError(error) && error.code === 'unavailable'
