import { conflict, refuse, type AtomicContext, type SqlTransaction } from 'safepoint'
import { accountOf } from '../accounts/accounts.ts'
import { announce } from '../announce.ts'
import { findCart, getCart, revertLines, writeLines } from './cart.queries.ts'
import { cartTopic, lineLimit, type Cart, type LineChange, type RecordedChange } from './cart.ts'

/** The shop's currency is what an empty cart's total is in. */
export interface CartOptions {
  readonly currency: string
}

type Changing = Pick<AtomicContext<SqlTransaction>, 'tx' | 'scope' | 'note'>

/** The end of every change of a cart: reads it, tells the account's other devices once it has committed, and notes what was done. */
export async function finishChange(
  ctx: Changing,
  done: { readonly changes: readonly LineChange[]; readonly currency: string },
): Promise<Cart> {
  const { tx, scope } = ctx
  const accountId = accountOf(scope)
  const { cart } = (await findCart(tx, accountId, done.currency)) ?? {}
  if (!cart) throw conflict('The cart was ordered in the same moment.')
  if (cart.itemsCount > lineLimit)
    throw refuse('cart_full', 'A cart has a limit of lines.', { details: { limit: lineLimit } })
  announceCart(tx, accountId, cart.version, cart.id)
  ctx.note({ cartId: cart.id, changes: done.changes } satisfies RecordedChange)
  return cart
}

/**
 * Tells the account's devices of its cart's version, once the transaction has committed. With the cart's id they are told
 * without another look at the database.
 */
export function announceCart(tx: SqlTransaction, accountId: string, version: number, cartId?: string): void {
  announce(tx, cartTopic(accountId), JSON.stringify({ version, cartId }))
}

/**
 * Takes a change back. An addition is taken from what is there now; a change or removal only as long as its lines are as it
 * left them. Refuses with `undo_outdated` where somebody has gone on from there.
 */
export const revertChange =
  ({ currency, exactly }: CartOptions & { readonly exactly: boolean }) =>
  async (ctx: Changing, recorded: RecordedChange): Promise<Cart> => {
    const accountId = accountOf(ctx.scope)
    // What was gone already was not taken out, and is not put back.
    if (recorded.changes.length === 0) return (await getCart(ctx.tx, accountId, currency)).cart
    const reverted = await revertLines(ctx.tx, { accountId, ...recorded, exactly })
    if (!reverted) throw refuse('undo_outdated', 'The cart has gone on since.')
    return finishChange(ctx, { changes: [], currency })
  }

export const noSuchLine = () => refuse('cart_item_not_found', 'There is no such line in the cart.')

/**
 * Takes lines out of the active cart: the one named, or all. What is gone already, by whoever's hand, is as it should be: the
 * cart is answered and nothing is written, so that a removal sent twice is one. Throws `precondition_failed`.
 */
export async function removeLines(
  ctx: Changing & Pick<AtomicContext<SqlTransaction>, 'ifMatch'>,
  { itemId, currency }: CartOptions & { readonly itemId: string | undefined },
): Promise<Cart> {
  const accountId = accountOf(ctx.scope)
  const done = await writeLines(ctx.tx, { accountId, itemId, quantity: 0, ifMatch: ctx.ifMatch })
  if (done) return finishChange(ctx, { changes: done.changes, currency })
  return noteUnchanged(ctx, currency)
}

/** The end of what turned out to change nothing: its undo will change nothing either. */
export async function noteUnchanged(ctx: Changing, currency: string): Promise<Cart> {
  const { cart } = await getCart(ctx.tx, accountOf(ctx.scope), currency)
  ctx.note({ cartId: cart.id, changes: [] } satisfies RecordedChange)
  return cart
}
