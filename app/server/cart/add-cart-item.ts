import { defineOperation, expectVersion, refuse } from 'safepoint'
import { accountOf } from '../accounts/accounts.ts'
import { isId } from '../http.ts'
import { addToCart, findCartStanding } from './cart.queries.ts'
import { addition } from './cart.schema.ts'
import { quantityLimit, recordChange, type Cart } from './cart.ts'
import { finishChange, revertChange, type CartOptions } from './change-cart.ts'

/** Puts some of a variant into the active cart: one data-modifying statement, one read, whatever the cart's size. */
export const addCartItem = ({ currency }: CartOptions) =>
  defineOperation({
    name: 'cart.add-item',
    input: addition,
    errors: {
      product_not_found: 'There is no such product, or it has no such variant.',
      product_unavailable: 'It is no longer sold.',
      quantity_limit: `A line has at most ${quantityLimit} units.`,
      cart_full: 'The cart has as many lines as it may have.',
    },
    onDisconnect: 'finish',
    onCancel: 'Nothing is added. Once it is added, undoing takes the same quantity out again.',
    undo: { record: recordChange, run: revertChange({ currency, exactly: false }) },
    async run(ctx, { productId, variantId, quantity }): Promise<Cart> {
      const { tx, scope, ifMatch } = ctx
      const accountId = accountOf(scope)
      if (!isId(productId) || (variantId !== undefined && !isId(variantId)))
        throw refuse('product_not_found', 'There is no such product.')
      const done = await addToCart(tx, { accountId, productId, variantId, quantity, ifMatch })
      if (done.added) return finishChange(ctx, { changes: [done.added], currency })
      switch (done.because) {
        case 'no such product':
          throw refuse('product_not_found', 'There is no such product.')
        case 'not sold':
          throw refuse('product_unavailable', 'It is no longer sold.')
        case 'too many':
          throw refuse('quantity_limit', 'A line has a limit.', { details: { limit: quantityLimit } })
        case 'other version':
          // A cart that is not there yet has no version that anybody could have seen.
          expectVersion((await findCartStanding(tx, accountId))?.version ?? 0, ifMatch)
          throw refuse('conflict', 'The cart has changed in the same moment.', { retryable: true })
      }
    },
  })
