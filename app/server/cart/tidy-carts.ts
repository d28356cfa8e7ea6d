import { refuse } from 'safepoint'
import { emailKeyOf, scopeOf } from '../accounts/accounts.ts'
import type { Pantry } from '../pantry.ts'
import { listImportedAccounts } from './imported-carts.queries.ts'
import { tidyCart, type Tidied } from './tidy-cart.ts'

export interface TidiedAccount extends Tidied {
  readonly accountId: string
  readonly email: string
}

/**
 * After an import: folds imported carts into the active ones, account after account, and tells of each as it is done. Of one
 * account where `email` is given. Safe to break off and to run again, also while the shop is open.
 */
export async function* tidyCarts(
  { safepoint, database }: Pick<Pantry, 'safepoint' | 'database'>,
  { email, actor = 'command line' }: { readonly email?: string | undefined; readonly actor?: string } = {},
): AsyncGenerator<TidiedAccount> {
  const emailKey = email === undefined ? undefined : emailKeyOf(email)
  for (let after: string | undefined; ;) {
    const accounts = await listImportedAccounts(database, { emailKey, after })
    for (const { id, email: address } of accounts) {
      const answer = await safepoint.run(tidyCart, {}, { scope: scopeOf(id), actor })
      if (answer.outcome !== 'succeeded')
        throw refuse('conflict', `The carts of ${address} were not folded in: ${answer.outcome}.`)
      yield { accountId: id, email: address, ...answer.result }
    }
    after = accounts.at(-1)?.id
    if (after === undefined) return
  }
}
