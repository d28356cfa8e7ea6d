import type { Engine } from './engine.ts'
import { checkKey } from './keys.ts'
import { storable } from './storable.ts'
import { topics } from './topics.ts'
import { engineError } from './errors.ts'
import { findView } from './operation-view.ts'
import type { OperationView } from './protocol.ts'
import { findRow } from './read-row.ts'
import { resolveOperation } from './sql/resolve-operation.ts'

/** A human's decision about an operation that could not be undone. Anything else than `needs_attention` is refused. */
export async function resolve(
  engine: Engine,
  scope: string,
  key: string,
  decision: 'retry' | 'cancelled' | 'failed',
  { actor, reason }: { readonly actor: string; readonly reason: string },
): Promise<OperationView> {
  checkKey(key)
  const { rows } = await engine.database.query(
    resolveOperation(scope, key, decision, storable(`${decision} by ${actor}: ${reason}`)),
  )
  if (rows.length === 0) {
    const row = await findRow(engine, scope, key)
    if (!row) throw engineError('unknown_operation', 'There is no trace of this operation.')
    throw engineError('conflict', 'Only an operation that needs attention can be resolved.', {
      details: { state: row.state, operation: { key } },
    })
  }
  engine.bus.publish(topics.changed(scope, key))
  return findView(engine, scope, key)
}
