import { conflict, refuse, type SqlTransaction } from 'safepoint'
import { accountOf } from '../accounts/accounts.ts'
import { announce } from '../announce.ts'
import { findCart, revertLines } from './cart.queries.ts'
import {
  cartTopic,
  lineLimit,
  withChanges,
  type Cart,
  type ChangedCart,
  type LineChange,
  type RecordedChange,
} from './cart.ts'

/** The shop's currency is what an empty cart's total is in. */
export interface CartOptions {
  readonly currency: string
}

interface Changing {
  readonly tx: SqlTransaction
  readonly scope: string
}

/** The end of every change of a cart: reads it, tells the account's other devices once it has committed, and keeps what was done. */
export async function finishChange(
  { tx, scope }: Changing,
  done: { readonly changes: readonly LineChange[]; readonly currency: string },
): Promise<ChangedCart> {
  const accountId = accountOf(scope)
  const cart = await findCart(tx, accountId, done.currency)
  if (!cart) throw conflict('The cart was ordered in the same moment.')
  if (cart.itemsCount > lineLimit)
    throw refuse('cart_full', 'A cart has a limit of lines.', { details: { limit: lineLimit } })
  announceCart(tx, accountId, cart.version)
  return withChanges(cart, done.changes)
}

/** Tells the account's devices of its cart's version, once the transaction has committed. */
export function announceCart(tx: SqlTransaction, accountId: string, version: number): void {
  announce(tx, cartTopic(accountId), JSON.stringify({ version }))
}

/**
 * Takes a change back. An addition is taken from what is there now; a change or removal only as long as its lines are as it
 * left them. Refuses with `undo_outdated` where somebody has gone on from there.
 */
export const revertChange =
  ({ currency, exactly }: CartOptions & { readonly exactly: boolean }) =>
  async ({ tx, scope }: Changing, recorded: RecordedChange): Promise<Cart> => {
    const reverted = await revertLines(tx, { accountId: accountOf(scope), ...recorded, exactly })
    if (!reverted) throw refuse('undo_outdated', 'The cart has gone on since.')
    return finishChange({ tx, scope }, { changes: [], currency })
  }
