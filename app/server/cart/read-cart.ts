import { isSafepointError } from 'safepoint'
import { scopeOf } from '../accounts/accounts.ts'
import type { Pantry } from '../pantry.ts'
import { getCart } from './cart.queries.ts'
import type { Cart } from './cart.ts'
import { tidyCart } from './tidy-cart.ts'

/**
 * The active cart as its owner is shown it: made on first access, and with what an import has brought folded in at the first
 * look. Otherwise a read, of one statement. (A write does not fold: to set a line to 2 means 2, whatever an import had of it.)
 */
export async function readCart({ database, safepoint, currency }: Pantry, accountId: string): Promise<Cart> {
  const { cart, imported } = await getCart(database, accountId, currency)
  if (!imported) return cart
  try {
    await safepoint.run(tidyCart, {}, { scope: scopeOf(accountId), actor: accountId })
  } catch (error) {
    // Others write to the cart right now: the next look folds.
    if (isSafepointError(error) && error.retryable) return cart
    throw error
  }
  return (await getCart(database, accountId, currency)).cart
}
