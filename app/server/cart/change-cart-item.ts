import { defineOperation, refuse } from 'safepoint'
import { accountOf } from '../accounts/accounts.ts'
import { isId } from '../http.ts'
import { writeLines } from './cart.queries.ts'
import { quantityChange } from './cart.schema.ts'
import { recordChange, type ChangedCart } from './cart.ts'
import { finishChange, revertChange, type CartOptions } from './change-cart.ts'

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
    async run({ tx, scope, ifMatch }, { id, quantity }): Promise<ChangedCart> {
      const done = isId(id)
        ? await writeLines(tx, { accountId: accountOf(scope), itemId: id, quantity, ifMatch })
        : undefined
      if (!done) throw refuse('cart_item_not_found', 'There is no such line in the cart.')
      return finishChange({ tx, scope }, { changes: done.changes, currency })
    },
  })
