import { answerFromRow, renderFailure, renderResult, renderUndoInput, type Answer } from './answer.ts'
import { isAway, isTransient, lostState, sqlState } from './database.ts'
import type { Engine, Hold } from './engine.ts'
import { nameOf } from './keys.ts'
import { parseInput } from './parse-input.ts'
import { isSafepointError } from './errors.ts'
import { changed, hasLease, letGo, stop } from './hold.ts'
import { Failure, Finish, type DurableContext, type DurableOperation, type ResponseHead } from './operation.ts'
import type { Progress } from './protocol.ts'
import { insideAtomic } from './inside-atomic.ts'
import { findRow, translate } from './read-row.ts'
import { backOff, describe, durableAttempts, exhausted, sleep, triedOften, waitToRunAgain } from './retry.ts'
import { markUndone, refuseOperation, succeedOperation, withdrawOperation } from './sql/end-operation.ts'
import { releaseLease } from './sql/lease.ts'
import { findSteps, type StepRow } from './sql/find-steps.ts'
import type { OperationRow } from './sql/operation-row.ts'
import { unlessAborted } from './provider-call.ts'
import { notAwaitedMessage, stepCalls, type Turn } from './steps.ts'
import { sweep, undoSteps } from './undo.ts'

/** What is recorded as the input of a durable operation, so that another process can go on with it. */
export interface RecordedInput {
  readonly input: unknown
  readonly ifMatch?: number
  readonly undoes?: string
}

/** Makes the hold of a claimed row; `drive` brings it to an end. */
export function takeHold(
  engine: Engine,
  operation: DurableOperation<any, any, any, any>,
  row: Pick<OperationRow, 'scope' | 'key' | 'id' | 'actor' | 'fingerprint'> & {
    readonly epoch: number
    readonly input: string | null
  },
  leaseSentAt: number,
): Hold {
  const recorded: RecordedInput = row.input === null ? { input: undefined } : JSON.parse(row.input)
  const hold: Hold = {
    engine,
    operation,
    scope: row.scope,
    key: row.key,
    id: row.id,
    epoch: row.epoch,
    actor: row.actor ?? undefined,
    fingerprint: row.fingerprint!,
    input: recorded.input,
    ifMatch: recorded.ifMatch,
    undoes: recorded.undoes,
    controller: new AbortController(),
    recorded: [],
    leaseUntil: leaseSentAt + engine.lease,
    calls: new Set(),
    acknowledged: false,
    over: false,
  }
  engine.holds.set(nameOf(row.scope, row.key), hold)
  return hold
}

/**
 * Brings an operation to an end, as far as this epoch may: forward, or back. Resolves with the answer, or with `undefined`
 * when it is no longer ours to end.
 */
export async function drive(hold: Hold): Promise<Answer<any> | undefined> {
  const { engine, scope, key } = hold
  try {
    for (let attempt = 1; ; attempt++) {
      try {
        const row = await findRow(engine, scope, key)
        if (!row || row.epoch !== hold.epoch) return undefined
        if (engine.closing.aborted && (row.state === 'running' || row.state === 'undoing' || row.cleanup === 'pending'))
          return await giveBack(hold)
        if (row.state === 'running') {
          if (hold.controller.signal.aborted) return await giveBack(hold)
          await forward(hold)
          continue
        }
        if (row.state === 'undoing') {
          stop(hold, row.reason ?? 'cancelled')
          await undoSteps(hold)
          continue
        }
        if (row.cleanup === 'pending') {
          stop(hold, row.reason ?? 'cancelled')
          await sweep(hold)
          continue
        }
        if (row.state === 'cancelled') stop(hold, row.reason ?? 'cancelled')
        return row.state === 'needs_attention' ? undefined : await answerFromRow(row, hold.fingerprint, hold.operation)
      } catch (error) {
        if (error instanceof Withdrawn) throw error.cause
        if (!hasLease(hold)) return undefined
        if (sqlState(error) === lostState) continue
        const known = translate(error)
        if (!isAway(error) && !(isSafepointError(known) && known.retryable)) {
          engine.log.error(
            { operation: hold.operation.name, key, err: error },
            'a durable operation met an error of the engine; it is tried again',
          )
        }
        await sleep(backOff(attempt, 50))
      }
    }
  } finally {
    letGo(hold)
    if (engine.holds.get(nameOf(scope, key)) === hold) engine.holds.delete(nameOf(scope, key))
    changed(hold)
  }
}

/** Stopped without a decision in the row, as at shutdown: another process goes on, and need not wait for the lease's end. */
async function giveBack(hold: Hold): Promise<undefined> {
  await Promise.allSettled([...hold.calls])
  await hold.engine.database.query(releaseLease(hold.scope, hold.key, hold.epoch))
  return undefined
}

/** Runs the handler with what is recorded, and settles what it returned. Throws when the row is no longer running. */
async function forward(hold: Hold): Promise<void> {
  const { engine, operation, scope, key } = hold
  const { rows } = await engine.database.query<StepRow>(findSteps(scope, key))
  hold.recorded = rows
  const { signal } = hold.controller
  let head: ResponseHead = {}
  let noted: unknown
  let returned: unknown
  let input: unknown
  const turn: Turn = { over: false, calls: new Map(), underWay: new Set() }
  try {
    input = await parseInput(operation.input as any, hold.input)
    const context: DurableContext<any, any> = {
      operationId: hold.id,
      scope,
      key,
      actor: hold.actor,
      signal,
      attempt: hold.epoch,
      ifMatch: hold.ifMatch,
      safepoint: () => signal.throwIfAborted(),
      respond: (given) => void (head = { ...head, ...given }),
      note: (value) => void (noted = value),
      fail: (code, message, details) => new Failure(code, message, details),
      steps: stepCalls(hold, turn) as any,
      read: (work) => readOnly(hold, work),
      finish: (work) => new Finish(work),
      progress: (progress) => tellProgress(hold, progress),
    }
    // A handler that ignores its signal is not waited for: it can begin no step and commit nothing any more.
    returned = await unlessAborted(operation.run(context, input), signal)
    if (!(returned instanceof Failure)) checkSteps(hold, turn)
  } catch (error) {
    // A step under way ends by itself: two runs of the handler never overlap, nor does one with its undo.
    turn.over = true
    await Promise.allSettled([...turn.underWay])
    if (signal.aborted) return
    if (sqlState(error) === lostState || isAway(error) || isUnavailable(error) || !hasLease(hold)) throw error
    if (await withdraw(hold)) throw new Withdrawn(translate(error))
    returned = refusalOf(hold, error)
  }
  const finish = returned instanceof Finish ? returned : new Finish<any, unknown>(async () => returned)
  await settle(hold, finish, input, () => ({ head, noted }))
}

/** An operation must not succeed beside a step that its handler does not know of: its effect would belong to nobody. */
function checkSteps({ recorded }: Hold, { calls, underWay }: Turn): void {
  if (underWay.size > 0) throw new Error(notAwaitedMessage)
  const forgotten = recorded.find(
    ({ name, call, leaves, state }) =>
      leaves === 'undo' && (state === 'done' || state === 'begun') && call >= (calls.get(name) ?? 0),
  )
  if (forgotten)
    throw new Error(
      `The handler went another way than before it was taken over: it did not call step ${forgotten.name} again.`,
    )
}

/** The last transaction: the handler's statements and the gate, committed together or not at all. */
async function settle(
  hold: Hold,
  finish: Finish<any, unknown>,
  input: unknown,
  said: () => { readonly head: ResponseHead; readonly noted: unknown },
): Promise<void> {
  const { engine, operation, scope, key } = hold
  for (let attempt = 1; ; attempt++) {
    let refusal: Failure | undefined
    const end = await engine.database.transaction<unknown>(
      {
        signal: hold.controller.signal,
        last(result) {
          if (result instanceof Failure) {
            refusal = result
            return 'rollback'
          }
          const { head, noted } = said()
          const gate = succeedOperation(hold, {
            ...renderResult(result, head, operation),
            undoInput: renderUndoInput(operation, { input, result, operationId: hold.id, noted }),
          })
          return hold.undoes === undefined ? [gate] : [markUndone(scope, hold.undoes, key), gate]
        },
      },
      (tx) => insideAtomic.run(true, () => finish.work(tx)),
    )
    if (end.end === 'committed') return
    if (end.end === 'unknown') return
    if (end.interrupted) return
    if (!refusal && sqlState(end.error) === lostState) throw end.error
    if (!refusal) {
      const again =
        isTransient(end.error) || (isSafepointError(end.error) && end.error.code === 'conflict' && end.error.retryable)
      if (isAway(end.error)) throw end.error
      if (again && attempt < durableAttempts) {
        const run = { operation: operation.name, key, attempt, error: end.error }
        await waitToRunAgain(engine, run)
        continue
      }
      const told = again ? exhausted(end.error, attempt) : triedOften(end.error, attempt)
      if (await withdraw(hold)) throw new Withdrawn(translate(told))
      refusal = refusalOf(hold, told)
    }
    const { body } = renderFailure(refusal)
    await engine.database.query(refuseOperation(hold, body, refusal.code))
    changed(hold)
    return
  }
}

/** The handler threw before its first step: there is nothing to undo, and nothing to remember. */
class Withdrawn extends Error {
  constructor(reason: unknown) {
    super('The handler threw before its first step.', { cause: reason })
  }
}

async function withdraw(hold: Hold): Promise<boolean> {
  const { rows } = await hold.engine.database.query(withdrawOperation(hold))
  return rows.length > 0
}

const isUnavailable = (error: unknown) => isSafepointError(error) && error.code === 'unavailable'

/** What a handler's throw comes to once a step has begun: its row is written, so that it ends as a refusal, and what it has done is undone. */
function refusalOf(hold: Hold, error: unknown): Failure {
  const known = translate(error)
  if (isSafepointError(known)) {
    const { retryable, retryAfterMs, currentVersion, attempts } = known
    return new Failure(known.code, known.message, {
      ...known.details,
      ...(retryable && retryAfterMs !== undefined && { retryAfterMs }),
      ...(currentVersion !== undefined && { currentVersion }),
      ...(attempts !== undefined && { attempts }),
    })
  }
  hold.engine.log.error(
    { operation: hold.operation.name, key: hold.key, err: error },
    `a durable handler threw: ${describe(error)}`,
  )
  return new Failure('internal', 'The operation failed on our side; what it had done is undone.')
}

async function readOnly<T>(hold: Hold, work: (tx: any) => Promise<T>): Promise<T> {
  const end = await hold.engine.database.transaction<T>({ readOnly: true, signal: hold.controller.signal }, work)
  if (end.end === 'committed') return end.value
  throw translate(end.error)
}

/** Best effort, and never more than one statement under way. */
const telling = new WeakMap<Hold, { latest: string | undefined }>()

/** Throws a TypeError, to the handler, for what is no JSON. */
function tellProgress(hold: Hold, progress: Progress): void {
  const text = JSON.stringify(progress)
  const current = telling.get(hold)
  if (current) {
    current.latest = text
    return
  }
  const state: { latest: string | undefined } = { latest: text }
  telling.set(hold, state)
  void (async () => {
    while (state.latest && !hold.over) {
      const { latest } = state
      state.latest = undefined
      await hold.engine.database
        .query({
          name: 'sp_tell_progress',
          text: `update safepoint.operation set progress = $4::text
            where scope = $1::text and key = $2::text and epoch = $3::integer and state = 'running'`,
          values: [hold.scope, hold.key, hold.epoch, latest],
        })
        .catch(() => undefined)
      changed(hold)
    }
    telling.delete(hold)
  })()
}
