import { engineError, isSafepointError } from './errors.ts'
import type { Hold } from './engine.ts'
import { changed, hasLease } from './hold.ts'
import type { OutsideStep, Step, TransactionStep } from './operation.ts'
import { insideAtomic } from './inside-atomic.ts'
import { backOff, sleep } from './retry.ts'
import { lostState, sqlState } from './database.ts'
import { attemptStep } from './sql/begin-step.ts'
import { askHuman, finishCleanup, finishUndo } from './sql/end-operation.ts'
import { findSteps, type StepRow } from './sql/find-steps.ts'
import { failUndo, recordAnswer, recordUndone } from './sql/record-answer.ts'
import { outsideOf } from './operation-step.ts'
import { attemptCall, contextOf, messageOf, parse, stepKey, stringify } from './provider-call.ts'
import { findUntilQuiet } from './steps.ts'

/**
 * How often a transaction is tried before a human is asked. A provider is asked until the operation's undo deadline, which ends
 * in `needs_attention` too (I6).
 */
const undoTries = 8

/** How often a cleanup is tried, in about five minutes, before a human is asked: nobody waits for it. */
const cleanupTries = 64

/** Undoes the steps of an operation in reverse order, each at most once in effect (I8), and ends it. */
export async function undoSteps(hold: Hold): Promise<void> {
  const { engine, scope, key } = hold
  await Promise.allSettled([...hold.calls])
  const { rows } = await engine.database.query<StepRow>(findSteps(scope, key))
  let stuck: string | undefined
  for (const row of rows.toReversed()) {
    if (row.leaves !== 'undo' || row.state === 'undone' || row.state === 'absent') continue
    if (row.state === 'needs_attention') {
      stuck ??= row.name
      if (hold.operation.undoOrder === 'ordered') break
      continue
    }
    try {
      checkOpen(hold)
      await undoStep(hold, row)
      changed(hold)
    } catch (error) {
      if (sqlState(error) === lostState || !(error instanceof UndoFailed)) throw error
      stuck ??= row.name
      engine.log.error(
        { operation: hold.operation.name, key, step: row.name, err: error.cause },
        'an undo failed for good; a human must look',
      )
      await engine.database.query(failUndo(scope, key, row.position, hold.epoch, error.message))
      if (hold.operation.undoOrder === 'ordered') break
    }
  }
  await engine.database.query(stuck === undefined ? finishUndo(hold) : askHuman(hold, stuck))
  changed(hold)
}

class UndoFailed extends Error {}

/** This process is on its way out: another goes on from here. */
function checkOpen({ engine }: Hold): void {
  if (engine.closing.aborted) throw engineError('interrupted', 'The server is shutting down.')
}

async function undoStep(hold: Hold, row: StepRow): Promise<void> {
  const step = (hold.operation.steps as Record<string, Step<any>>)[row.name]
  if (!step) throw new UndoFailed(`This version of the code has no step ${row.name}.`)
  if (step.form === 'transaction') return undoTransactionStep(hold, step, row)
  return undoOutsideStep(hold, step.form === 'operation' ? outsideOf(hold, row.name, step, row.call) : step, row)
}

async function undoTransactionStep(hold: Hold, step: TransactionStep<any, any, any>, row: StepRow): Promise<void> {
  const { engine, scope, key, epoch } = hold
  const done = { request: parse(row.request), response: parse(row.response) }
  for (let attempt = 1; ; attempt++) {
    const end = await engine.database.transaction(
      { last: () => [recordUndone(scope, key, row.position, epoch)] },
      (tx) => insideAtomic.run(true, () => step.undo!(tx, done, { operationId: hold.id, scope })),
    )
    if (end.end === 'committed') return
    // Lost or of unknown outcome: read again from the top, where a recorded undo is skipped.
    if (end.end === 'unknown' || sqlState(end.error) === lostState) throw end.error
    if (attempt >= undoTries) throw new UndoFailed(messageOf(end.error), { cause: end.error })
    await pause(hold, attempt)
  }
}

async function undoOutsideStep(hold: Hold, step: OutsideStep<any, any>, row: StepRow): Promise<void> {
  const { engine, scope, key, epoch } = hold
  const request = parse(row.request)
  const settled =
    row.state === 'done'
      ? { happened: true, response: parse(row.response) }
      : await settleBackward(hold, step, row, request)
  if (!settled.happened) return
  const undo = step.undo ?? step.cleanup
  if (!undo) throw new UndoFailed(`This version of the code cannot undo step ${row.name}.`)
  for (let attempt = row.undo_attempts + 1; ; attempt++) {
    await engine.database.query(attemptStep(scope, key, epoch, row.position, 'undoing', step.timeout))
    const outcome = await attemptCall(step.timeout, undefined, (signal) =>
      undo(
        { request, response: settled.response },
        contextOf(hold, `${stepKey(hold.id, row.name, row.call)}-undo`, signal, attempt),
      ),
    )
    if (!('error' in outcome)) {
      await engine.database.query(
        recordAnswer(scope, key, row.position, epoch, { kind: 'undone', payload: stringify(outcome.value) }),
      )
      return
    }
    const { error } = outcome
    await engine.database.query(
      recordAnswer(scope, key, row.position, epoch, {
        kind: 'undo error',
        payload: JSON.stringify({ message: messageOf(error) }),
      }),
    )
    const hopeless = isSafepointError(error) && error.effect === 'none' && !error.retryable
    if (hopeless) throw new UndoFailed(messageOf(error), { cause: error })
    await pause(hold, attempt)
  }
}

/** What became of a call whose answer was lost, of an operation that goes back: close, else find, else repeat, else a human. */
async function settleBackward(
  hold: Hold,
  step: OutsideStep<any, any>,
  row: StepRow,
  request: unknown,
): Promise<{ happened: false } | { happened: true; response: unknown }> {
  const { engine, scope, key, epoch } = hold
  const { settle } = step
  const record = (kind: 'answer' | 'absent' | 'undone', payload: string | undefined) =>
    engine.database.query(recordAnswer(scope, key, row.position, epoch, { kind, payload }))
  const key_ = stepKey(hold.id, row.name, row.call)
  if (settle?.close) {
    const closed = await persist(hold, step, (signal, attempt) =>
      settle.close!(request, contextOf(hold, key_, signal, attempt)),
    )
    if (closed === refusedForGood) throw new UndoFailed(`The provider refuses to close step ${row.name}.`)
    // Not absent: an answer that is still under way must not make it look as if it stood.
    await record('undone', undefined)
    return { happened: false }
  }
  if (settle?.find) {
    const never = new AbortController().signal
    const isOver = () => engine.closing.aborted || !hasLease(hold)
    const found = await findUntilQuiet(
      hold,
      step,
      row.name,
      row.call,
      request,
      row.position,
      row.since_attempt,
      never,
      isOver,
    )
    return found.found ? { happened: true, response: found.response } : { happened: false }
  }
  if (settle?.repeat && row.since_attempt < settle.repeat.window) {
    // A settling call, not a forward one: the provider answers what it did the first time.
    const response = await persist(hold, step, (signal, attempt) =>
      step.call(request, contextOf(hold, key_, signal, attempt)),
    )
    if (response === refusedForGood) {
      await record('absent', undefined)
      return { happened: false }
    }
    await record('answer', stringify(response) ?? 'null')
    return { happened: true, response }
  }
  throw new UndoFailed(`Nobody can tell what became of step ${row.name}.`)
}

const refusedForGood = Symbol('the provider says that nothing happened')

async function persist(
  hold: Hold,
  step: OutsideStep<any, any>,
  call: (signal: AbortSignal, attempt: number) => Promise<unknown>,
  tries = Number.POSITIVE_INFINITY,
): Promise<unknown> {
  for (let attempt = 1; ; attempt++) {
    const outcome = await attemptCall(step.timeout, undefined, (signal) => call(signal, attempt))
    if (!('error' in outcome)) return outcome.value
    const { error } = outcome
    if (isSafepointError(error) && error.effect === 'none' && !error.retryable) return refusedForGood
    if (attempt >= tries) throw new UndoFailed(messageOf(error), { cause: error })
    await pause(hold, attempt)
  }
}

/** Waits before another try, unless the operation is no longer ours. */
async function pause(hold: Hold, attempt: number): Promise<void> {
  await sleep(backOff(attempt, 50, 5000))
  checkOpen(hold)
  if (!hasLease(hold)) throw engineError('interrupted', 'The lease of this operation has ended here.')
}

async function sweepInTransaction(hold: Hold, work: (tx: any) => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const end = await hold.engine.database.transaction({}, (tx) => insideAtomic.run(true, () => work(tx)))
    if (end.end === 'committed') return
    if (end.end === 'unknown') throw end.error
    if (attempt >= undoTries) throw new UndoFailed(messageOf(end.error), { cause: end.error })
    await pause(hold, attempt)
  }
}

/** Removes what nobody sees or pays for, after the answer has been given. */
export async function sweep(hold: Hold): Promise<void> {
  const { engine, scope, key } = hold
  await Promise.allSettled([...hold.calls])
  const { rows } = await engine.database.query<StepRow>(findSteps(scope, key))
  let failed = false
  for (const row of rows.toReversed()) {
    if (row.leaves !== 'cleanup' || row.state === 'undone' || row.state === 'absent') continue
    const step = (hold.operation.steps as Record<string, Step<any>>)[row.name]
    const outside = step && step.form !== 'operation' ? step : undefined
    try {
      if (!outside?.cleanup) throw new UndoFailed(`This version of the code cannot sweep step ${row.name}.`)
      if (outside.form === 'transaction') {
        const done = { request: parse(row.request), response: parse(row.response) }
        await sweepInTransaction(hold, (tx) => outside.cleanup!(tx, done, { operationId: hold.id, scope }))
      } else {
        const request = parse(row.request)
        const swept = await persist(
          hold,
          outside,
          (signal, attempt) =>
            outside.cleanup!(
              { request, response: parse(row.response) },
              contextOf(hold, `${stepKey(hold.id, row.name, row.call)}-cleanup`, signal, attempt),
            ),
          cleanupTries,
        )
        if (swept === refusedForGood) throw new UndoFailed(`The provider refuses to sweep step ${row.name}.`)
      }
      await engine.database.query(
        recordAnswer(scope, key, row.position, hold.epoch, { kind: 'undone', payload: undefined }),
      )
    } catch (error) {
      if (!(error instanceof UndoFailed)) throw error
      failed = true
    }
  }
  await engine.database.query(finishCleanup(hold, failed ? 'needs_attention' : 'done'))
  changed(hold)
}
