import { defineOperation, refuse, type AtomicContext, type SqlTransaction } from 'safepoint'
import { accountOf } from '../accounts/accounts.ts'
import { isId } from '../http.ts'
import { deleteWish, restoreWish } from './wishlist.queries.ts'
import { wishInput } from './wishlist.schema.ts'

interface Removed {
  readonly productId: string
  readonly removed: true
}

interface Recorded {
  readonly productId: string
  /** `null`: it was not on the list. */
  readonly since: string | null
}

/** Takes a product off the wishlist; what is not on it is off it. */
export const removeWish = defineOperation({
  name: 'wishlist.remove',
  input: wishInput,
  errors: { product_not_found: 'This cannot be the id of a product.' },
  onDisconnect: 'finish',
  onCancel: 'The product stays on the list. Once it is off, undoing puts it back.',
  undo: {
    record: ({ result, noted }: { readonly result: Removed; readonly noted: string | null }): Recorded => ({
      productId: result.productId,
      since: noted,
    }),
    async run({ tx, scope }: AtomicContext<SqlTransaction>, { productId, since }: Recorded) {
      if (since !== null) await restoreWish(tx, { accountId: accountOf(scope), productId, since })
      return { productId }
    },
  },
  async run(ctx, { productId }): Promise<Removed> {
    const { tx, scope } = ctx
    if (!isId(productId)) throw refuse('product_not_found', 'There is no such product.')
    ctx.note((await deleteWish(tx, { accountId: accountOf(scope), productId })) ?? null)
    return { productId, removed: true }
  },
})
