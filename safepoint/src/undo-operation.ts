import type { Answer } from './answer.ts'
import type { Engine } from './engine.ts'
import { checkKey } from './keys.ts'
import { engineError } from './errors.ts'
import type { AnyOperation } from './operation.ts'
import { findRow } from './read-row.ts'
import type { StandardSchema } from './standard-schema.ts'
import { startRun } from './start.ts'

interface UndoInput {
  readonly recorded: unknown
}

/** What was recorded by the operation itself is not checked again. */
const recordedInput: StandardSchema<any, UndoInput> = {
  '~standard': { version: 1, vendor: 'safepoint', validate: (value) => ({ value: value as UndoInput }) },
}

const made = new WeakMap<AnyOperation, AnyOperation>()

/** The operation that undoes another, `undefined` when that one stays. */
export function undoOperationOf(operation: AnyOperation): AnyOperation | undefined {
  const { undo } = operation
  if (!undo) return undefined
  let undoing = made.get(operation)
  if (!undoing) {
    undoing = {
      name: `${operation.name}.undo`,
      input: recordedInput,
      keep: 'An undo is final; the operation can be done again under a new key.',
      uncancellable: 'An undo takes no cancel.',
      onDisconnect: 'finish',
      lookUpFirst: true,
      ...('steps' in undo && { steps: undo.steps }),
      ...('undoOrder' in undo && undo.undoOrder && { undoOrder: undo.undoOrder }),
      run: (ctx: any, input: UndoInput) => undo.run(ctx, input.recorded),
    } as AnyOperation
    made.set(operation, undoing)
  }
  return undoing
}

/** An operation of its own, keyed by the undone one's id: two undos are one. */
export async function undo(
  engine: Engine,
  scope: string,
  key: string,
  options: { readonly actor?: string | undefined; readonly disconnect?: AbortSignal },
): Promise<Answer> {
  checkKey(key)
  const row = await findRow(engine, scope, key)
  if (!row) throw engineError('unknown_operation', 'There is no trace of this operation.')
  const operation = row.name === null ? undefined : engine.operations.get(row.name)
  const reference = { operation: { key }, state: row.state }
  if (row.state !== 'succeeded') {
    throw engineError('not_undoable', 'Only what has succeeded can be undone.', { details: reference })
  }
  const undoing = operation && undoOperationOf(operation)
  if (!undoing) {
    throw engineError('not_undoable', operation?.keep ?? 'This version of the server does not know the operation.', {
      details: { ...reference, ...(operation?.keep !== undefined && { keep: operation.keep }) },
    })
  }
  const undoKey = await undoKeyOf(engine, scope, row.id)
  if (row.undo_input === null && !row.undone_key) {
    throw engineError('key_expired', 'What the undo needs to know is no longer kept.', { details: reference })
  }
  const input: UndoInput = { recorded: row.undo_input === null ? undefined : JSON.parse(row.undo_input) }
  return startRun(engine, undoing, input, { scope, key: undoKey, fingerprintOf: row.id, undoes: key, ...options })
}

/** The key of the undo: one, unless an earlier undo was refused and left the operation as it was. */
async function undoKeyOf(engine: Engine, scope: string, id: string): Promise<string> {
  const first = `~undo:${id}`
  for (let attempt = 1, key = first; ; key = `${first}:${++attempt}`) {
    const earlier = await findRow(engine, scope, key)
    if (earlier?.state !== 'failed' && earlier?.state !== 'cancelled') return key
  }
}
