import { isAway, sqlState } from './database.ts'
import type { Engine } from './engine.ts'
import { engineError, isSafepointError } from './errors.ts'
import { findOperation } from './sql/find-operation.ts'
import type { OperationRow } from './sql/operation-row.ts'

/** The row of a key, read on the primary; it outranks whatever a handler did or threw. */
export async function findRow(engine: Engine, scope: string, key: string): Promise<OperationRow | undefined> {
  try {
    const { rows } = await engine.database.query<OperationRow>(findOperation(scope, key))
    return rows[0]
  } catch (error) {
    throw translate(error)
  }
}

/** Gives a driver's error the engine's code where it has one; anything else stays what it is, an internal error. */
export function translate(error: unknown): unknown {
  if (isSafepointError(error)) return error
  if (isAway(error))
    return engineError('unavailable', 'The database cannot be reached.', { cause: error, retryAfterMs: 1000 })
  switch (sqlState(error)) {
    case '57014':
    case '55P03':
    case '25P03':
      return engineError('timeout', 'The database did not get to it in time; nothing was done.', {
        cause: error,
        retryAfterMs: 1000,
      })
    case '22021':
    case '22P05':
      return engineError('input_invalid', 'The input has characters that cannot be stored.', { cause: error })
    default:
      return error
  }
}
