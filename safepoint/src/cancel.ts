import { sqlState, uniqueViolation } from './database.ts'
import type { Engine } from './engine.ts'
import { nameOf } from './keys.ts'
import { storable } from './storable.ts'
import { topics } from './topics.ts'
import { engineError } from './errors.ts'
import { isDurable } from './operation.ts'
import { undoOffer } from './answer.ts'
import type { CancelAnswer } from './protocol.ts'
import { findRow, translate } from './read-row.ts'
import type { CancelOptions } from './options.ts'
import { cancelEventConstraint, cancelOperation, findCancelEvent } from './sql/cancel-operation.ts'
import { findSteps, type StepRow } from './sql/find-steps.ts'
import type { OperationRow } from './sql/operation-row.ts'
import { tellCancelled } from './sql/tell-cancelled.ts'
import { uuidv7 } from './uuid.ts'

/** The other side of the gate. The row decides; the signal sent afterwards only makes the loser stop sooner (I12). */
export async function cancel(
  engine: Engine,
  scope: string,
  key: string,
  options: CancelOptions,
): Promise<CancelAnswer> {
  const flight = engine.flights.get(nameOf(scope, key))
  const acknowledged = awaitStopped(engine, scope, key)
  try {
    const { row, eventId } = await decide(engine, scope, key, options)
    // Still at work after the decision, and not stopped by anything else: it is this cancel that interrupts it.
    const interrupts = flight !== undefined && engine.flights.get(nameOf(scope, key)) === flight && !flight.stop.aborted
    if (row.state === 'cancelled' || row.state === 'undoing') {
      // Elsewhere the statement behind the decision has told it, where the bus is the database's own.
      engine.bus.publish(topics.cancel, signalOf(scope, key), { onlyHere: engine.bus.notification !== undefined })
      engine.bus.publish(topics.changed(scope, key))
    }
    const mayBeActing = (row.state === 'undoing' || row.state === 'cancelled') && (row.begun ?? 0) > 0 && !row.stopped
    const stopped = !mayBeActing || (await acknowledged.within(engine.stopWait))
    return await answer(engine, row, eventId, stopped, interrupts)
  } finally {
    acknowledged.forget()
  }
}

const signalOf = (scope: string, key: string) => JSON.stringify([scope, key])

async function decide(
  engine: Engine,
  scope: string,
  key: string,
  options: CancelOptions,
): Promise<{ row: OperationRow; eventId: string }> {
  const eventId = uuidv7()
  const statement = cancelOperation({
    scope,
    key,
    id: uuidv7(),
    eventId,
    actor: options.actor && storable(options.actor),
    reason: options.reason && storable(options.reason),
    requestKey: options.requestKey,
    payload: options.payload === undefined ? undefined : JSON.stringify(options.payload),
  })
  const notification = engine.bus.notification?.(topics.cancel, signalOf(scope, key))
  const behind = notification && tellCancelled(scope, key, notification)
  for (let attempt = 1; ; attempt++) {
    try {
      const { rows } = await engine.database.query<OperationRow>(statement, { urgent: true, behind })
      return { row: rows[0]!, eventId }
    } catch (error) {
      const state = sqlState(error)
      if (state === uniqueViolation && (error as { constraint?: string }).constraint === cancelEventConstraint) {
        // The same cancel, sent again: one event, and the answer is read from the row as it stands now.
        const { rows } = await engine.database.query<{ id: string; key: string }>(
          findCancelEvent(scope, options.requestKey!),
          { urgent: true },
        )
        if (rows[0] && rows[0].key !== key)
          throw engineError('key_reused', 'This idempotency key was used to cancel something else.')
        const row = rows[0] && (await findRow(engine, scope, key))
        if (row) return { row, eventId: rows[0]!.id }
        // A cancel always has a row, unless it was refused and what it met has been withdrawn since.
        throw notCancellable(key, undefined)
      } else if (state === '40001' || state === '40P01') {
        if (attempt < 5) continue
      } else if (state === undefined) {
        const known = translate(error) as { code?: string }
        // Without a SQLSTATE the connection broke: before it was had (`unavailable`), or with the answer under way.
        if (known.code === 'unavailable' && error === known) throw error
        throw engineError('indeterminate', 'The answer to the cancel was lost: send it again.', {
          cause: error,
          retryAfterMs: 500,
        })
      }
      throw engineError('unavailable', 'The cancel could not be decided in time: send it again.', {
        cause: error,
        retryAfterMs: 500,
      })
    }
  }
}

async function answer(
  engine: Engine,
  row: OperationRow,
  eventId: string,
  stopped: boolean,
  interrupts: boolean,
): Promise<CancelAnswer> {
  const operation = row.name === null ? undefined : engine.operations.get(row.name)
  switch (row.state) {
    case 'cancelled':
      return {
        eventId,
        outcome: 'cancelled',
        ...(row.cancels > 1 ? { repeat: true } : (interrupts || row.epoch !== null) && { interrupted: true }),
        // The call of a step that stays, or is swept, may still start until its holder is heard of (I11).
        ...((!stopped || ((row.begun ?? 0) > 0 && row.cleanup)) && { stopped }),
        ...(!stopped && row.begun_step && { step: row.begun_step }),
        ...(row.cleanup && { cleanup: row.cleanup }),
        ...(row.reason && { reason: row.reason }),
      }
    case 'undoing': {
      const { rows: steps } = await engine.database.query<StepRow>(findSteps(row.scope, row.key), { urgent: true })
      const toUndo = steps.filter((step) => step.leaves === 'undo')
      return {
        eventId,
        outcome: 'undoing',
        target: row.target!,
        stopped,
        ...(!stopped && row.begun_step && { step: row.begun_step }),
        progress: {
          undone: toUndo.filter((step) => step.state === 'undone' || step.state === 'absent').length,
          total: toUndo.length,
        },
        kept: steps
          .filter((step) => step.leaves === 'keep')
          .map((step) => ({
            step: step.name,
            why: (operation && isDurable(operation) && operation.steps[step.name]?.keep) || 'kept',
          })),
        ...(row.cancels > 1 && { repeat: true as const }),
      }
    }
    case 'succeeded':
      return {
        eventId,
        outcome: 'too_late',
        state: 'succeeded',
        ...(row.body && row.body.length > 0 && { result: parse(row.body) }),
        undo: row.undone_key ? { available: false } : undoOffer(operation),
        ...(row.undone_key && row.undone_at && { undone: { key: row.undone_key, at: row.undone_at.toISOString() } }),
      }
    case 'failed':
      return {
        eventId,
        outcome: 'too_late',
        state: 'failed',
        ...(row.body && { error: parse(row.body) as { code: string } }),
      }
    case 'needs_attention':
      return { eventId, outcome: 'needs_attention', ...(row.begun_step && { step: row.begun_step }) }
    case 'running':
      throw notCancellable(row.key, operation?.uncancellable)
  }
}

const notCancellable = (key: string, why: string | undefined) =>
  engineError('not_cancellable', why ?? 'This operation takes no cancel.', { details: { operation: { key } } })

/** Listens for the holder's acknowledgement from before the cancel is decided, so that none is missed. */
function awaitStopped(engine: Engine, scope: string, key: string) {
  let heard = false
  let tell: ((stopped: boolean) => void) | undefined
  const forget = engine.bus.subscribe(topics.stopped, (data) => {
    if (data !== JSON.stringify([scope, key])) return
    heard = true
    tell?.(true)
  })
  return {
    forget,
    within: (milliseconds: number) =>
      heard
        ? Promise.resolve(true)
        : new Promise<boolean>((resolve) => {
            const timer = setTimeout(() => resolve(false), milliseconds)
            tell = (stopped) => {
              clearTimeout(timer)
              resolve(stopped)
            }
          }),
  }
}

function parse(body: Uint8Array): unknown {
  return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString())
}
