import { defineOperation } from 'safepoint'
import { accountOf } from '../accounts/accounts.ts'
import { guestCart } from './cart.schema.ts'
import { recordChange, type MergedCart } from './cart.ts'
import { finishChange, noteUnchanged, revertChange, type CartOptions } from './change-cart.ts'
import { mergeIntoCart } from './merge-into-cart.ts'
import { takeUpCart } from './merge-lines.queries.ts'

/**
 * Takes a guest's cart, which lives in the browser, into the account's own: quantities of a variant are added up. What does not
 * fit does not hold up the rest; it is answered as `notMerged`. Its key is the guest cart's, so that a cart is merged once,
 * however many tabs log in.
 */
export const mergeCart = ({ currency }: CartOptions) =>
  defineOperation({
    name: 'cart.merge',
    input: guestCart,
    onDisconnect: 'finish',
    onCancel:
      'Nothing is merged; the cart of before the login is still in the browser. Once it is merged, undoing takes the same quantities out again.',
    undo: { record: recordChange, run: revertChange({ currency, exactly: false }) },
    async run(ctx, { items }): Promise<MergedCart> {
      if (items.length === 0) return { ...(await noteUnchanged(ctx, currency)), notMerged: [] }
      const { tx, scope, ifMatch } = ctx
      const { id: cartId } = await takeUpCart(tx, accountOf(scope), ifMatch)
      const lines = items.map(({ productId, variantId, quantity }) => ({ productId, variantId, quantity }))
      const { changes, notMerged } = await mergeIntoCart(tx, { cartId, lines })
      const cart = await finishChange(ctx, { changes, currency })
      return { ...cart, notMerged }
    },
  })
