import { isTransient, type Isolation } from './database.ts'
import { engineError, isSafepointError } from './errors.ts'
import { changed, mayCall, type Hold } from './hold.ts'
import { insideAtomic } from './inside-atomic.ts'
import { translate } from './read-row.ts'
import { backOff, durableAttempts, exhausted, sleep, waitToRunAgain } from './retry.ts'
import type { CallContext, OperationStep, OutsideStep, Step, TransactionStep } from './operation.ts'
import { attemptStep, beginStep } from './sql/begin-step.ts'
import type { StepRow } from './sql/find-steps.ts'
import { recordAnswer } from './sql/record-answer.ts'

const leavesOf = (step: Step<any>): 'undo' | 'keep' | 'cleanup' =>
  step.keep !== undefined ? 'keep' : 'cleanup' in step && step.cleanup ? 'cleanup' : 'undo'

/** The provider's idempotency key of a step: the same on every attempt, by whichever process. Letters, digits and hyphens. */
export const stepKey = (operationId: string, name: string, call: number): string => `${operationId}-${name}-${call}`

/** The functions a durable handler calls its declared steps by. */
export function stepCalls(hold: Hold): Record<string, (request: unknown) => Promise<unknown>> {
  const calls = new Map<string, number>()
  const entries = Object.entries(hold.operation.steps as Record<string, Step<any>>).map(([name, step]) => [
    name,
    (request: unknown) => {
      const call = calls.get(name) ?? 0
      calls.set(name, call + 1)
      return runStep(hold, name, step, call, request)
    },
  ])
  return Object.fromEntries(entries)
}

async function runStep(hold: Hold, name: string, step: Step<any>, call: number, asked: unknown): Promise<unknown> {
  hold.controller.signal.throwIfAborted()
  const row = hold.recorded.find((candidate) => candidate.name === name && candidate.call === call)
  if (row && row.state === 'done') return parse(row.response)
  // The recorded request, never a recomputed one.
  const request = row ? parse(row.request) : (parse(stringify(asked) ?? null) as unknown)
  if (step.form === 'transaction') return runTransactionStep(hold, name, step, call, request)
  const outside = step.form === 'operation' ? outsideOf(hold, name, step, call) : step
  return runOutsideStep(hold, name, outside, call, request, row)
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
    if (mustSettle) {
      const settled = await settleForward(
        hold,
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
    if (!mayCall(hold)) throw hold.controller.signal.reason ?? lostLease()
    const outcome = await callOut(
      hold,
      step,
      (context) => step.call(request, context),
      stepKey(hold.id, name, call),
      attempts,
    )
    if ('value' in outcome) {
      await engine.database.query(
        recordAnswer(scope, key, position, epoch, { kind: 'answer', payload: stringify(outcome.value) ?? 'null' }),
      )
      changed(hold)
      hold.controller.signal.throwIfAborted()
      return parse(stringify(outcome.value) ?? null)
    }
    const { error } = outcome
    const promised = isSafepointError(error) && error.effect === 'none'
    // "Not executed, try again" speaks of this attempt alone; a final refusal speaks of the key.
    const effect = promised && !(uncertain && error.retryable) ? 'none' : 'unknown'
    uncertain ||= effect === 'unknown'
    await engine.database.query(
      recordAnswer(scope, key, position, epoch, {
        kind: effect === 'none' ? 'absent' : 'error',
        payload: JSON.stringify({ message: messageOf(error) }),
      }),
    )
    hold.controller.signal.throwIfAborted()
    if (effect === 'none') {
      if (!(isSafepointError(error) && error.retryable) || attempts >= tries) throw error
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
  const response = await findUntilQuiet(hold, step, name, call, request, position, since, hold.controller.signal)
  return response.found ? response : { found: false }
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
): Promise<{ found: true; response: unknown } | { found: false }> {
  const { engine, scope, key, epoch } = hold
  const quietAt = performance.now() + Math.max(0, step.timeout + engine.lease - since)
  for (let attempt = 1; ; attempt++) {
    const quiet = performance.now() >= quietAt
    const asked = await attemptCall(step.timeout, signal, (callSignal) =>
      step.settle!.find!(request, contextOf(hold, stepKey(hold.id, name, call), callSignal, attempt)),
    )
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

/** Settles when the call does: a call that ignores its signal is waited for, since it may still take effect. */
export async function attemptCall(
  timeout: number,
  stopSignal: AbortSignal | undefined,
  call: (signal: AbortSignal) => Promise<unknown>,
): Promise<{ value: unknown } | { error: unknown }> {
  const controller = new AbortController()
  const onStop = () => controller.abort(stopSignal?.reason)
  if (stopSignal?.aborted) onStop()
  else stopSignal?.addEventListener('abort', onStop, { once: true })
  const timer = setTimeout(
    () => controller.abort(engineError('timeout', `The call took longer than ${timeout} ms.`)),
    timeout,
  )
  try {
    return { value: await call(controller.signal) }
  } catch (error) {
    return { error }
  } finally {
    clearTimeout(timer)
    stopSignal?.removeEventListener('abort', onStop)
  }
}

export function contextOf(hold: Hold, key: string, signal: AbortSignal, attempt: number): CallContext {
  return { key, signal, attempt, scope: hold.scope, operationId: hold.id }
}

/** Another operation as a step: run under a key derived from this one's; found by that key; undone by its own cancel or undo. */
export function outsideOf(
  hold: Hold,
  name: string,
  step: OperationStep<any, any, any>,
  call: number,
): OutsideStep<any, any> {
  const key = `~${stepKey(hold.id, name, call)}`
  const { engine, scope, actor } = hold
  const child = step.operation()
  const undo = async () => {
    const verdict = await engine.cancel(scope, key, { reason: 'undone by its parent', ...(actor && { actor }) })
    if (verdict.outcome === 'too_late' && verdict.state === 'succeeded' && child.undo && !verdict.undone)
      await engine.undo(scope, key, { actor })
    else if (verdict.outcome === 'undoing') await engine.untilEnded(scope, key)
  }
  return {
    form: 'outside',
    timeout: child.deadline ?? 600_000,
    settle: { repeat: { window: Number.POSITIVE_INFINITY } },
    call: async (request) => {
      const answer = await engine.run(child, request, { scope, key, actor })
      if (answer.outcome === 'succeeded') return answer.result
      if (answer.outcome === 'failed') {
        throw engineError('internal', answer.error.message, {
          effect: 'none',
          details: { ...answer.error.details, code: answer.error.code },
        })
      }
      throw engineError('interrupted', `The operation of step ${name} was ${answer.outcome}.`, {
        effect: answer.outcome === 'cancelled' ? 'none' : 'unknown',
      })
    },
    ...(step.keep !== undefined ? { keep: step.keep } : { undo }),
  } as OutsideStep<any, any>
}

const findStep = (hold: Hold, name: string, call: number) => ({
  name: 'sp_find_step',
  text: `select position, state, response from safepoint.step where scope = $1::text and key = $2::text and name = $3::text and call = $4::integer`,
  values: [hold.scope, hold.key, name, call],
})

export const lostLease = () => engineError('interrupted', 'The lease of this operation has ended here.')

export function stringify(value: unknown): string | undefined {
  return value === undefined ? undefined : JSON.stringify(value)
}

export function parse(text: string | null): any {
  return text === null ? undefined : JSON.parse(text)
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
