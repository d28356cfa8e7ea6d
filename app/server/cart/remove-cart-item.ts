import { defineOperation, refuse } from 'safepoint'
import { accountOf } from '../accounts/accounts.ts'
import { isId } from '../http.ts'
import { writeLines } from './cart.queries.ts'
import { removal } from './cart.schema.ts'
import { recordChange, type ChangedCart } from './cart.ts'
import { finishChange, revertChange, type CartOptions } from './change-cart.ts'

/** Takes a line out of the active cart. */
export const removeCartItem = ({ currency }: CartOptions) =>
  defineOperation({
    name: 'cart.remove-item',
    input: removal,
    errors: { cart_item_not_found: 'There is no such line in the active cart.' },
    onDisconnect: 'finish',
    onCancel: 'The line stays. Once it is removed, undoing puts it back, unless the same variant was added again.',
    undo: { record: recordChange, run: revertChange({ currency, exactly: true }) },
    async run({ tx, scope, ifMatch }, { id }): Promise<ChangedCart> {
      const done = isId(id)
        ? await writeLines(tx, { accountId: accountOf(scope), itemId: id, quantity: 0, ifMatch })
        : undefined
      if (!done) throw refuse('cart_item_not_found', 'There is no such line in the cart.')
      return finishChange({ tx, scope }, { changes: done.changes, currency })
    },
  })
