import { defineOperation } from 'safepoint'
import { z } from 'zod'
import { accountOf } from '../accounts/accounts.ts'
import { getCart, writeLines } from './cart.queries.ts'
import { recordChange, type ChangedCart } from './cart.ts'
import { finishChange, revertChange, type CartOptions } from './change-cart.ts'

/** Takes all lines out of the active cart. */
export const clearCart = ({ currency }: CartOptions) =>
  defineOperation({
    name: 'cart.clear',
    input: z.strictObject({}),
    onDisconnect: 'finish',
    onCancel:
      'The cart stays as it is. Once it is empty, undoing puts the lines back, unless one of them was added again.',
    undo: { record: recordChange, run: revertChange({ currency, exactly: true }) },
    async run({ tx, scope, ifMatch }): Promise<ChangedCart> {
      const accountId = accountOf(scope)
      const done = await writeLines(tx, { accountId, itemId: undefined, quantity: 0, ifMatch })
      if (!done) await getCart(tx, accountId, currency)
      return finishChange({ tx, scope }, { changes: done?.changes ?? [], currency })
    },
  })
