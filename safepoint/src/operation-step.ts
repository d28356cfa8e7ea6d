import { engineError, isSafepointError } from './errors.ts'
import type { Hold } from './engine.ts'
import type { OperationStep, OutsideStep } from './operation.ts'
import { stepKey, unlessAborted } from './provider-call.ts'
import { findRow } from './read-row.ts'

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
  const timeout = child.deadline ?? 600_000
  const undo = async () => {
    const verdict = await engine
      .cancel(scope, key, { reason: 'undone by its parent', ...(actor && { actor }) })
      .catch((error: unknown) => {
        if (!isSafepointError(error) || error.code !== 'not_cancellable') throw error
      })
    if (!verdict || verdict.outcome === 'undoing') await engine.untilEnded(scope, key)
    let row = await findRow(engine, scope, key)
    if (row?.state === 'succeeded' && child.undo && !row.undone_key) {
      const answer = await engine.undo(scope, key, { actor })
      if (answer.outcome === 'pending') await engine.untilEnded(scope, answer.key)
      row = await findRow(engine, scope, key)
    }
    const isBack = row?.state === 'succeeded' ? !child.undo || row.undone_key : row?.state !== 'needs_attention'
    if (!isBack)
      throw engineError('internal', `The operation of step ${name} could not be taken back.`, { effect: 'none' })
  }
  return {
    form: 'outside',
    timeout,
    // To go back it is cancelled, which also keeps it from ever being done, and not brought to its end first.
    settle: { repeat: { window: Number.POSITIVE_INFINITY }, ...(step.keep === undefined && { close: undo }) },
    // A stop does not wait for the child, which goes on by itself until the parent has decided about it.
    call: async (request, { signal }) => {
      const answer = await unlessAborted(engine.run(child, request, { scope, key, actor, wait: timeout }), signal)
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
