import { answerFromRow, inProgress, type Answer } from './answer.ts'
import { sqlState, uniqueViolation } from './database.ts'
import { drive, takeHold, type RecordedInput } from './durable.ts'
import type { Engine, Flight } from './engine.ts'
import { nameOf } from './keys.ts'
import { inJson, parseInput } from './parse-input.ts'
import { topics } from './topics.ts'
import { engineError, isSafepointError } from './errors.ts'
import { fingerprint } from './fingerprint.ts'
import { isDurable, type AnyOperation, type DisconnectPolicy, type DurableOperation } from './operation.ts'
import { untilEnded } from './operation-view.ts'
import { findRow, translate } from './read-row.ts'
import { longestTimer } from './check-milliseconds.ts'
import { runAtomic } from './run-atomic.ts'
import { Run } from './run.ts'
import type { RunOptions } from './options.ts'
import { cancelUnbegun } from './sql/end-operation.ts'
import { recordInboxConflict } from './sql/record-inbox-conflict.ts'
import { startOperation } from './sql/start-operation.ts'
import { StopSource } from './stop-source.ts'
import { gateConstraint } from './sql/settle-operation.ts'
import { uuidv7 } from './uuid.ts'

const defaults = { atomicDeadline: 30_000, durableDeadline: 600_000, undoFor: 600_000, wait: 10_000 }

/**
 * Starts a run of a key, or attaches to the one that is under way in this process. What is wrong with the call itself (`input_invalid`,
 * `key_reused`) is thrown before there is a promise: whoever calls it is an async function.
 */
export function startRun(
  engine: Engine,
  operation: AnyOperation,
  input: unknown,
  options: RunOptions & { readonly undoes?: string },
): Promise<Answer<any>> {
  const run = new Run(operation, options.key ?? uuidv7(), input, options)
  const name = nameOf(run.scope, run.key)
  const under = engine.flights.get(name)
  if (under) {
    if (Buffer.compare(under.run.fingerprint, run.fingerprint) !== 0) {
      throw engineError('key_reused', 'This idempotency key was used for another request.', {
        details: { operation: { key: run.key } },
      })
    }
    return attach(engine, under, options, true)
  }
  const flight: Flight = {
    operation,
    run,
    stop: new StopSource(),
    startedAt: performance.now(),
    promise: undefined as never,
    attached: 0,
    deadlineAt: 0,
  }
  engine.flights.set(name, flight)
  flight.promise = isDurable(operation)
    ? runDurable(engine, operation, run, flight, options)
    : runAtomic(engine, operation, run, flight.stop)
  // Before anybody is told, as nobody listens earlier.
  const forget = () => void engine.flights.delete(name)
  flight.promise.then(forget, forget)
  return attach(engine, flight, options, false)
}

/** Of an inbox operation: records what came under a known event id with another payload. */
export async function startInbox(
  engine: Engine,
  operation: AnyOperation,
  input: unknown,
  options: RunOptions,
): Promise<Answer<any>> {
  try {
    return await startRun(engine, operation, input, options)
  } catch (error) {
    if (options.key !== undefined && isSafepointError(error) && error.code === 'key_reused') {
      const payload = options.fingerprintOf ?? input
      const print = fingerprint(operation.name, payload, options.ifMatch)
      await engine.database.query(recordInboxConflict(options.scope, options.key, print, JSON.stringify(payload)))
      engine.log.warn(
        { operation: operation.name, scope: options.scope, key: options.key },
        'an event id came again with another payload',
      )
    }
    throw error
  }
}

/**
 * A far deadline is the poll's to arm, when it comes near ({@link watchOver}): a timer for each operation, armed and cleared, was
 * among the costliest things the engine did for one.
 */
function armDeadline(engine: Engine, flight: Flight, limit: number): ReturnType<typeof setTimeout> | undefined {
  return engine.watched && limit > 2 * engine.poll ? undefined : setTimeout(() => expire(flight), limit)
}

/** Rolls an atomic operation back once the last of its callers is out of time; the answer waits for the rollback. */
export function expire(flight: Flight): void {
  if (performance.now() + 5 < flight.deadlineAt) return
  flight.stop.abort(
    engineError('timeout', `${flight.operation.name} took too long; nothing was done.`, { retryAfterMs: 1000 }),
  )
}

const policyOf = (operation: AnyOperation, { onDisconnect }: RunOptions): DisconnectPolicy =>
  operation.inbox ? 'finish' : (onDisconnect ?? operation.onDisconnect ?? 'finish')

/** Waits with the others. Each caller keeps its own deadline and its own connection; the last one to leave decides. */
function attach(engine: Engine, flight: Flight, options: RunOptions, late: boolean): Promise<Answer<any>> {
  const { operation } = flight
  const durable = isDurable(operation)
  const policy = policyOf(operation, options)
  flight.attached++
  const limit = durable
    ? Math.min(options.wait ?? operation.wait ?? defaults.wait, longestTimer)
    : (operation.deadline ?? defaults.atomicDeadline)
  flight.deadlineAt = Math.max(flight.deadlineAt, performance.now() + limit)
  const deadline = durable ? undefined : armDeadline(engine, flight, limit)
  // Nobody can leave, and nobody is out of time before the poll says so.
  if (!durable && !deadline && !options.disconnect && !late) return flight.promise
  return new Promise((resolve, reject) => {
    let left = false
    const leave = () => {
      if (left) return
      left = true
      flight.attached--
      if (flight.attached === 0) abandoned(engine, flight, policy)
    }
    const giveUp = () => {
      end()
      if (late) reject(inProgress(flight.run.key, 'running'))
      else resolve(pendingAnswer(engine, flight))
    }
    const timer = durable ? setTimeout(giveUp, limit) : deadline
    const end = () => {
      clearTimeout(timer)
      options.disconnect?.removeEventListener('abort', leave)
    }
    if (options.disconnect?.aborted) leave()
    else options.disconnect?.addEventListener('abort', leave, { once: true })
    flight.promise.then(
      (answer) => {
        end()
        resolve(late ? replayOf(engine, flight, answer) : answer)
      },
      (error) => {
        end()
        reject(error)
      },
    )
  })
}

/** The answer of another's run. What is `fresh` is minted for each answer, so that nobody is given another's. */
async function replayOf(engine: Engine, flight: Flight, answer: Answer<any>): Promise<Answer<any>> {
  const { run, operation } = flight
  if (answer.outcome === 'succeeded' && operation.fresh) {
    const row = await findRow(engine, run.scope, run.key)
    if (row) return answerFromRow(row, run.fingerprint, operation)
  }
  return answer.replayed ? answer : { ...answer, replayed: true }
}

async function pendingAnswer(engine: Engine, { run, operation }: Flight): Promise<Answer<any>> {
  const row = await findRow(engine, run.scope, run.key).catch(() => undefined)
  if (!row) throw inProgress(run.key, 'running')
  if (row.state !== 'running' && row.state !== 'undoing') return answerFromRow(row, run.fingerprint, operation)
  return {
    key: row.key,
    operationId: row.id,
    name: operation.name,
    replayed: false,
    outcome: 'pending',
    state: row.state,
  }
}

/** The last caller has gone. */
function abandoned(engine: Engine, flight: Flight, policy: DisconnectPolicy): void {
  if (policy === 'finish' || flight.operation.uncancellable) return
  engine.log.info(
    { operation: flight.operation.name, key: flight.run.key, reason: 'client_disconnect' },
    'the client has gone',
  )
  if (!isDurable(flight.operation)) {
    flight.stop.abort(
      engineError('interrupted', 'The client went away; nothing was done.', {
        details: { reason: 'client_disconnect' },
      }),
    )
    return
  }
  void leaveDurable(engine, flight, policy).catch((error: unknown) =>
    engine.log.warn(
      { operation: flight.operation.name, key: flight.run.key, err: error },
      'the disconnect could not be acted on; the operation goes on',
    ),
  )
}

async function leaveDurable(engine: Engine, { run: { scope, key } }: Flight, policy: DisconnectPolicy): Promise<void> {
  if (!engine.holds.has(nameOf(scope, key))) return
  if (policy === 'cancel') {
    await engine.cancel(scope, key, { reason: 'client_disconnect' })
    return
  }
  const { rows } = await engine.database.query(cancelUnbegun(scope, key, 'client_disconnect'), { urgent: true })
  if (rows.length > 0) engine.bus.publish(topics.cancel, JSON.stringify([scope, key]))
}

async function runDurable(
  engine: Engine,
  operation: DurableOperation<any, any, any, any>,
  run: Run,
  flight: Flight,
  options: RunOptions & { readonly undoes?: string },
): Promise<Answer<any>> {
  for (;;) {
    const answer = await startOrJoin(engine, operation, run, flight, options)
    // Whoever ran it has left nothing: the key is free, and this one is the first now.
    if (answer) return answer
  }
}

/** `undefined`: it was somebody else's, and is withdrawn. */
async function startOrJoin(
  engine: Engine,
  operation: DurableOperation<any, any, any, any>,
  run: Run,
  flight: Flight,
  options: RunOptions & { readonly undoes?: string },
): Promise<Answer<any> | undefined> {
  const { scope, key } = run
  if (run.lookUpFirst) {
    const row = await findRow(engine, scope, key)
    if (row) return untilAnswered(engine, operation, run)
  }
  await parseInput(operation.input, run.input)
  const recorded: RecordedInput = {
    input: run.input,
    ...(run.ifMatch !== undefined && { ifMatch: run.ifMatch }),
    ...(options.undoes !== undefined && { undoes: options.undoes }),
  }
  const input = inJson(() => JSON.stringify(recorded))
  const sentAt = performance.now()
  try {
    await engine.database.query(
      startOperation({
        scope,
        key,
        id: run.id,
        name: operation.name,
        fingerprint: run.fingerprint,
        actor: run.actor,
        holder: engine.holder,
        lease: engine.lease,
        deadline: operation.deadline ?? defaults.durableDeadline,
        undoFor: operation.undoDeadline ?? defaults.undoFor,
        input,
        uncancellable: operation.uncancellable !== undefined,
      }),
    )
  } catch (error) {
    const taken =
      sqlState(error) === uniqueViolation && (error as { constraint?: string }).constraint === gateConstraint
    // Without a SQLSTATE the answer was lost: the row tells whether it was written.
    const row =
      taken || sqlState(error) === undefined ? await findRow(engine, scope, key).catch(() => undefined) : undefined
    if (!row && taken) return undefined
    if (!row) throw unlessSent(run, error)
    if (row.id !== run.id) return untilAnswered(engine, operation, run)
  }
  const { id, fingerprint } = run
  const hold = takeHold(
    engine,
    operation,
    { scope, key, id, fingerprint, actor: run.actor ?? null, epoch: 1, input },
    sentAt,
  )
  // The client may have gone while the row was being written.
  if (flight.attached === 0) {
    const policy = policyOf(operation, options)
    if (policy !== 'finish' && !operation.uncancellable)
      await leaveDurable(engine, flight, policy).catch(() => undefined)
  }
  const answer = (await drive(hold)) ?? (await untilAnswered(engine, operation, run))
  if (!answer) throw engineError('unavailable', 'The operation could not be started.', { retryAfterMs: 1000 })
  return answer.outcome === 'cancelled' ? answer : { ...answer, replayed: false }
}

/** An error of the statement that starts it. Where only its answer was lost it may still be written, and then be taken over. */
function unlessSent(run: Run, error: unknown): unknown {
  const known = translate(error)
  if (known === error || !isSafepointError(known) || known.code !== 'unavailable' || sqlState(error) !== undefined)
    return known
  return engineError('indeterminate', 'The connection was lost while the operation was being started.', {
    cause: error,
    retryAfterMs: 1000,
    details: { operation: { key: run.key } },
  })
}

const unlessAway = (key: string) => (error: unknown) => {
  throw isSafepointError(error) && error.code === 'unavailable' ? inProgress(key, 'running') : error
}

/**
 * Waits for whoever runs what has a row; `in_progress` when that needs a human, `undefined` when it was withdrawn without a trace.
 * Where it cannot be read any more nobody may say that nothing was done.
 */
async function untilAnswered(engine: Engine, operation: AnyOperation, run: Run): Promise<Answer<any> | undefined> {
  const row = await findRow(engine, run.scope, run.key).catch(unlessAway(run.key))
  if (row && (row.state === 'running' || row.state === 'undoing')) {
    if (row.fingerprint && Buffer.compare(row.fingerprint, run.fingerprint) !== 0)
      return answerFromRow(row, run.fingerprint, operation)
    await untilEnded(engine, run.scope, run.key, engine.closing).catch(unlessAway(run.key))
    // Handed back: whoever asks again will be told by another process.
    if (engine.closing.aborted) throw inProgress(run.key, row.state)
    return untilAnswered(engine, operation, run)
  }
  return row && answerFromRow(row, run.fingerprint, operation)
}
