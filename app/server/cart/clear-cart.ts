import { defineOperation } from 'safepoint'
import { z } from 'zod'
import { recordChange, type Cart } from './cart.ts'
import { removeLines, revertChange, type CartOptions } from './change-cart.ts'

/** Takes all lines out of the active cart. */
export const clearCart = ({ currency }: CartOptions) =>
  defineOperation({
    name: 'cart.clear',
    input: z.strictObject({}),
    onDisconnect: 'finish',
    onCancel:
      'The cart stays as it is. Once it is empty, undoing puts the lines back, unless one of them was added again.',
    undo: { record: recordChange, run: revertChange({ currency, exactly: true }) },
    run: (ctx): Promise<Cart> => removeLines(ctx, { itemId: undefined, currency }),
  })
