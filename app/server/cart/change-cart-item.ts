import { defineOperation } from 'safepoint'
import { accountOf } from '../accounts/accounts.ts'
import { isId } from '../http.ts'
import { writeLines } from './cart.queries.ts'
import { quantityChange } from './cart.schema.ts'
import { recordChange, type Cart } from './cart.ts'
import { finishChange, noSuchLine, removeLines, revertChange, type CartOptions } from './change-cart.ts'

/** Sets the quantity of a line; 0 removes it. */
export const changeCartItem = ({ currency }: CartOptions) =>
  defineOperation({
    name: 'cart.change-item',
    input: quantityChange,
    errors: { cart_item_not_found: 'There is no such line in the active cart.' },
    onDisconnect: 'finish',
    onCancel:
      'The line stays as it is. Once it is changed, undoing sets the quantity it had, unless it was changed again.',
    undo: { record: recordChange, run: revertChange({ currency, exactly: true }) },
    async run(ctx, { id, quantity }): Promise<Cart> {
      if (!isId(id)) throw noSuchLine()
      if (quantity === 0) return removeLines(ctx, { itemId: id, currency })
      const { tx, scope, ifMatch } = ctx
      const done = await writeLines(tx, { accountId: accountOf(scope), itemId: id, quantity, ifMatch })
      if (!done) throw noSuchLine()
      return finishChange(ctx, { changes: done.changes, currency })
    },
  })
