import { isTransient, type Isolation } from './database.ts'
import { engineError, isSafepointError, SafepointError } from './errors.ts'
import type { Hold } from './engine.ts'
import { changed, mayCall } from './hold.ts'
import { insideAtomic } from './inside-atomic.ts'
import { outsideOf } from './operation-step.ts'
import { attemptCall, contextOf, lostLease, messageOf, parse, stepKey, stringify } from './provider-call.ts'
import { translate } from './read-row.ts'
import { backOff, durableAttempts, exhausted, sleep, waitToRunAgain } from './retry.ts'
import type { CallContext, OutsideStep, Step, TransactionStep } from './operation.ts'
import { attemptStep, beginStep, stepConstraint } from './sql/begin-step.ts'
import type { StepRow } from './sql/find-steps.ts'
import { recordAnswer } from './sql/record-answer.ts'

const leavesOf = (step: Step<any>): 'undo' | 'keep' | 'cleanup' =>
  step.keep !== undefined ? 'keep' : 'cleanup' in step && step.cleanup ? 'cleanup' : 'undo'

/** One run of a durable handler. */
export interface Turn {
  /** The handler has ended: what it has left behind begins nothing any more. */
  over: boolean
  /** How often it has called each step. */
  readonly calls: Map<string, number>
  readonly underWay: Set<Promise<unknown>>
}

/** The functions a durable handler calls its declared steps by. */
export function stepCalls(hold: Hold, turn: Turn): Record<string, (request: unknown) => Promise<unknown>> {
  const entries = Object.entries(hold.operation.steps as Record<string, Step<any>>).map(([name, step]) => [
    name,
    (request: unknown) => {
      const call = turn.calls.get(name) ?? 0
      turn.calls.set(name, call + 1)
      const running: Promise<unknown> = runStep(hold, turn, name, step, call, request).finally(() =>
        turn.underWay.delete(running),
      )
      turn.underWay.add(running)
      // A handler that has gone on without it is told so when it returns; the process must not end of it.
      running.catch(() => undefined)
      return running
    },
  ])
  return Object.fromEntries(entries)
}

async function runStep(
  hold: Hold,
  turn: Turn,
  name: string,
  step: Step<any>,
  call: number,
  asked: unknown,
): Promise<unknown> {
  hold.controller.signal.throwIfAborted()
  const row = hold.recorded.find((candidate) => candidate.name === name && candidate.call === call)
  if (row && row.state === 'done') return parse(row.response)
  // What a handler was told stands: asked again the provider might say yes, and the handler has gone another way since.
  if (row?.refusal) throw errorOf(row.refusal)
  // The recorded request, never a recomputed one.
  const request = row ? parse(row.request) : (parse(stringify(asked) ?? null) as unknown)
  if (step.form === 'transaction') return runTransactionStep(hold, name, step, call, request)
  const outside = step.form === 'operation' ? outsideOf(hold, name, step, call) : step
  return runOutsideStep(hold, turn, name, outside, call, request, row)
}

async function runTransactionStep(
  hold: Hold,
  name: string,
  step: TransactionStep<any, any, any>,
  call: number,
  request: unknown,
): Promise<unknown> {
  const { engine, scope, key, epoch } = hold
  for (let attempt = 1; ; attempt++) {
    const end = await engine.database.transaction<unknown>(
      {
        ...(step.isolation && { isolation: step.isolation as Isolation }),
        signal: hold.controller.signal,
        last: (response) => [
          beginStep({
            scope,
            key,
            epoch,
            name,
            call,
            leaves: leavesOf(step),
            timeout: 0,
            request: stringify(request),
            done: { response: stringify(response) },
          }),
        ],
      },
      (tx) => insideAtomic.run(true, () => step.run(tx, request, { operationId: hold.id, scope })),
    )
    if (end.end === 'committed') {
      changed(hold)
      return parse(stringify(end.value) ?? null)
    }
    if (end.end === 'rolled back') {
      if (end.interrupted) throw end.error
      // An earlier COMMIT of it went unanswered, and had arrived after all.
      if ((end.error as { constraint?: unknown })?.constraint === stepConstraint) {
        const { rows } = await engine.database.query<StepRow>(findStep(hold, name, call))
        if (rows[0]) return parse(rows[0].response)
      }
      const error = translate(end.error)
      const again = isSafepointError(error) && error.retryable && error.code !== 'interrupted'
      const lost = isTransient(end.error) || (again && error.code === 'conflict')
      if (attempt >= durableAttempts || !(again || lost)) throw lost ? exhausted(end.error, attempt) : error
      if (lost) {
        const run = { operation: hold.operation.name, key, attempt, error: end.error }
        await waitToRunAgain(engine, run, hold.controller.signal)
        continue
      }
    } else {
      // Committed or not: the unique index on (name, call) tells, and then the recorded answer stands.
      const steps = await hold.engine.database.query<StepRow>(findStep(hold, name, call)).catch(() => undefined)
      const found = steps?.rows[0]
      if (found) return parse(found.response)
      if (attempt >= durableAttempts) throw translate(end.error)
    }
    await sleep(backOff(attempt), hold.controller.signal)
  }
}

async function runOutsideStep(
  hold: Hold,
  turn: Turn,
  name: string,
  step: OutsideStep<any, any>,
  call: number,
  request: unknown,
  row: StepRow | undefined,
): Promise<unknown> {
  const { engine, scope, key, epoch } = hold
  let position = row?.position
  let attempts = row?.attempts ?? 0
  let mustSettle = row?.state === 'begun'
  // Once an attempt's outcome is unknown, only an answer about the key can make it known.
  let uncertain = mustSettle
  const tries = (step.tries ?? 3) + attempts
  for (;;) {
    if (turn.over) throw new Error(notAwaitedMessage)
    if (mustSettle) {
      const settled = await settleForward(
        hold,
        turn,
        name,
        step,
        call,
        request,
        position!,
        row?.since_attempt ?? 0,
        attempts < tries,
      )
      if (settled.found) return settled.response
      mustSettle = false
    }
    const fence =
      position === undefined
        ? beginStep({
            scope,
            key,
            epoch,
            name,
            call,
            leaves: leavesOf(step),
            timeout: step.timeout,
            request: stringify(request),
          })
        : attemptStep(scope, key, epoch, position, 'running', step.timeout)
    const { rows } = await engine.database.query<{ position?: number; attempt?: number }>(fence)
    position ??= rows[0]!.position!
    attempts++
    // In the same tick as the call starts: the stop flag and the lease (I11).
    if (turn.over || !mayCall(hold)) {
      // Nobody knows it better than we do: there is nothing to be settled, and no human to be asked.
      if (!uncertain)
        await engine.database.query(recordAnswer(scope, key, position, epoch, { kind: 'absent', payload: undefined }))
      throw hold.controller.signal.reason ?? lostLease()
    }
    const outcome = await callOut(
      hold,
      step,
      (context) => step.call(request, context),
      stepKey(hold.id, name, call),
      attempts,
    )
    if ('value' in outcome) {
      const { rowCount } = await engine.database.query(
        recordAnswer(scope, key, position, epoch, { kind: 'answer', payload: stringify(outcome.value) ?? 'null' }),
      )
      if (rowCount === 0) throw answeredTooLate(hold, name)
      changed(hold)
      hold.controller.signal.throwIfAborted()
      return parse(stringify(outcome.value) ?? null)
    }
    const { error } = outcome
    const promised = isSafepointError(error) && error.effect === 'none'
    // "Not executed, try again" speaks of this attempt alone; a final refusal speaks of the key.
    const effect = promised && !(uncertain && error.retryable) ? 'none' : 'unknown'
    uncertain ||= effect === 'unknown'
    const refused = effect === 'none' && isSafepointError(error) && (!error.retryable || attempts >= tries)
    await engine.database.query(
      recordAnswer(scope, key, position, epoch, {
        kind: refused ? 'refused' : effect === 'none' ? 'absent' : 'error',
        payload: refused ? textOf(error) : JSON.stringify({ message: messageOf(error) }),
      }),
    )
    hold.controller.signal.throwIfAborted()
    if (refused) throw error
    if (effect === 'none') {
      // This attempt did nothing: the next one may.
    } else if (step.settle?.repeat && attempts < tries) {
      // The provider honours the key: the same request again tells what became of the first.
    } else {
      mustSettle = true
      row = undefined
    }
    await sleep(
      isSafepointError(error) && error.retryAfterMs ? error.retryAfterMs : backOff(attempts, 50),
      hold.controller.signal,
    )
  }
}

/** A call whose answer is not known, of an operation that goes on: found, surely absent, repeatable, or nobody knows. */
async function settleForward(
  hold: Hold,
  turn: Turn,
  name: string,
  step: OutsideStep<any, any>,
  call: number,
  request: unknown,
  position: number,
  since: number,
  mayRepeat: boolean,
): Promise<{ found: true; response: unknown } | { found: false }> {
  const { settle } = step
  if (mayRepeat && settle?.repeat && since < settle.repeat.window) return { found: false }
  if (!settle?.find) {
    throw engineError('indeterminate', `Nobody can tell what became of step ${name}.`, { retryable: false })
  }
  const { signal } = hold.controller
  return findUntilQuiet(hold, step, name, call, request, position, since, signal, () => turn.over)
}

/** Asks the provider until it knows, or until the quiet time is over: only then does "absent" count. */
export async function findUntilQuiet(
  hold: Hold,
  step: OutsideStep<any, any>,
  name: string,
  call: number,
  request: unknown,
  position: number,
  since: number,
  signal: AbortSignal,
  isOver: () => boolean,
): Promise<{ found: true; response: unknown } | { found: false }> {
  const { engine, scope, key, epoch } = hold
  const quietAt = performance.now() + Math.max(0, step.timeout + engine.lease - since)
  for (let attempt = 1; ; attempt++) {
    const quiet = performance.now() >= quietAt
    const asked = await attemptCall(step.timeout, signal, (callSignal) =>
      step.settle!.find!(request, contextOf(hold, stepKey(hold.id, name, call), callSignal, attempt)),
    )
    if (isOver()) throw lostLease()
    if ('value' in asked && asked.value !== undefined) {
      await engine.database.query(
        recordAnswer(scope, key, position, epoch, { kind: 'answer', payload: stringify(asked.value) ?? 'null' }),
      )
      return { found: true, response: asked.value }
    }
    if ('value' in asked && quiet) {
      await engine.database.query(recordAnswer(scope, key, position, epoch, { kind: 'absent', payload: undefined }))
      return { found: false }
    }
    if ('error' in asked && quiet && attempt > 20) throw asked.error
    await sleep(Math.min(Math.max(5, quietAt - performance.now()), 25 * 2 ** Math.min(attempt, 6)), signal)
  }
}

/** One forward call, counted among those a stop waits for. */
async function callOut(
  hold: Hold,
  step: OutsideStep<any, any>,
  call: (context: CallContext) => Promise<unknown>,
  key: string,
  attempt: number,
): Promise<{ value: unknown } | { error: unknown }> {
  const running = attemptCall(step.timeout, hold.controller.signal, (signal) =>
    call(contextOf(hold, key, signal, attempt)),
  )
  hold.calls.add(running)
  try {
    return await running
  } finally {
    hold.calls.delete(running)
  }
}

/** What a handler was told by a step that had no effect, so that a later run of it is told the same. */
function textOf({ code, message, retryable, retryAfterMs, currentVersion, details }: SafepointError): string {
  const told = { code, message, retryable, retryAfterMs, currentVersion }
  try {
    return JSON.stringify({ ...told, details })
  } catch {
    return JSON.stringify(told)
  }
}

function errorOf(refusal: string): SafepointError {
  const { code, message, ...options } = JSON.parse(refusal) as SafepointError
  return new SafepointError(code, message, { ...options, effect: 'none' })
}

/** Somebody else acts for the operation by now, and may have concluded that there was nothing: a human reads the log. */
function answeredTooLate(hold: Hold, step: string): Error {
  hold.over = true
  hold.engine.log.error(
    { operation: hold.operation.name, scope: hold.scope, key: hold.key, step },
    'a provider answered after the operation had been taken over; the answer is kept as evidence',
  )
  return lostLease()
}

export const notAwaitedMessage = 'The handler returned before all of its steps had ended: await each of them.'

const findStep = (hold: Hold, name: string, call: number) => ({
  name: 'sp_find_step',
  text: `select position, state, response from safepoint.step where scope = $1::text and key = $2::text and name = $3::text and call = $4::integer`,
  values: [hold.scope, hold.key, name, call],
})
