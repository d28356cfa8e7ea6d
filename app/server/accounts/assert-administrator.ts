import { refuse } from 'safepoint'
import type { Reader } from '../database.ts'
import { accountOf } from './accounts.ts'
import { findAccount } from './accounts.queries.ts'

/**
 * For what does not come through a route of the administration, such as an undo: throws `forbidden` unless the account whose
 * scope this is still is an administrator's.
 */
export async function assertAdministrator(tx: Reader, scope: string): Promise<void> {
  const account = await findAccount(tx, accountOf(scope))
  if (account?.role !== 'admin') throw refuse('forbidden', 'This account is no administrator any more.')
}
