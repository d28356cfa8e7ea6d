import { defineOperation } from 'safepoint'
import { isId } from '../http.ts'
import { removal } from './cart.schema.ts'
import { recordChange, type Cart } from './cart.ts'
import { noSuchLine, removeLines, revertChange, type CartOptions } from './change-cart.ts'

/** Takes a line out of the active cart; one that is gone already is as it should be. */
export const removeCartItem = ({ currency }: CartOptions) =>
  defineOperation({
    name: 'cart.remove-item',
    input: removal,
    errors: { cart_item_not_found: 'This cannot be the id of a line.' },
    onDisconnect: 'finish',
    onCancel: 'The line stays. Once it is removed, undoing puts it back, unless the same variant was added again.',
    undo: { record: recordChange, run: revertChange({ currency, exactly: true }) },
    async run(ctx, { id }): Promise<Cart> {
      if (!isId(id)) throw noSuchLine()
      return removeLines(ctx, { itemId: id, currency })
    },
  })
