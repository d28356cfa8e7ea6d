import { defineOperation } from 'safepoint'
import { z } from 'zod'
import { accountOf } from '../accounts/accounts.ts'
import type { NotMerged } from './cart.ts'
import { announceCart } from './change-cart.ts'
import { closeImportedCarts } from './imported-carts.queries.ts'
import { mergeIntoCart } from './merge-into-cart.ts'
import { takeUpCart } from './merge-lines.queries.ts'

export interface Tidied {
  /** Carts that were folded into the active one. */
  readonly carts: number
  /** Lines of it that were written. */
  readonly lines: number
  /** What the limits of a cart and of a line left behind, in carts that are closed. */
  readonly notMerged: readonly NotMerged[]
}

/**
 * Folds the carts that an import has brought into the account's active one, once: summed by variant, up to the limits, what is
 * no longer sold included (it is shown as unavailable). Without any it writes nothing.
 */
export const tidyCart = defineOperation({
  name: 'cart.tidy',
  input: z.strictObject({}),
  onDisconnect: 'finish',
  onCancel: 'The imported carts stay as they are until the cart is next looked at.',
  keep: 'The carts it folds in stay readable as merged ones, and a line that is not wanted is removed like any other.',
  async run({ tx, scope }): Promise<Tidied> {
    const accountId = accountOf(scope)
    const { carts, lines } = await closeImportedCarts(tx, accountId)
    if (carts === 0) return { carts, lines: 0, notMerged: [] }
    const { id: cartId, version } = await takeUpCart(tx, accountId, undefined)
    const { changes, notMerged } = await mergeIntoCart(tx, { cartId, lines, unsold: true })
    announceCart(tx, accountId, version, cartId)
    return { carts, lines: changes.length, notMerged }
  },
})
