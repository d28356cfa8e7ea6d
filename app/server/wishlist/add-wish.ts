import { conflict, defineOperation, refuse, type AtomicContext, type SqlTransaction } from 'safepoint'
import { accountOf } from '../accounts/accounts.ts'
import { isId } from '../http.ts'
import { deleteWish, insertWish, listWishes } from './wishlist.queries.ts'
import { wishInput } from './wishlist.schema.ts'
import { wishLimit, type Wish } from './wishlist.ts'

interface Recorded {
  readonly productId: string
  /** `null`: it was there before. */
  readonly madeAt: string | null
}

/** Puts a product on the wishlist; what is there already stays as it is. */
export const addWish = defineOperation({
  name: 'wishlist.add',
  input: wishInput,
  errors: {
    product_not_found: 'There is no such product, or it is no longer sold.',
    wishlist_full: `A wishlist has at most ${wishLimit} products.`,
  },
  onDisconnect: 'finish',
  onCancel: 'Nothing is put on the list. Once it is there, undoing takes it off again.',
  undo: {
    record: ({ result, noted }: { readonly result: Wish; readonly noted: string | null }): Recorded => ({
      productId: result.productId,
      madeAt: noted,
    }),
    async run({ tx, scope }: AtomicContext<SqlTransaction>, { productId, madeAt }: Recorded) {
      // What was there before, or was taken off and put there again, is not this operation's to remove.
      if (madeAt !== null) await deleteWish(tx, { accountId: accountOf(scope), productId, since: madeAt })
      return { productId }
    },
  },
  async run(ctx, { productId }): Promise<Wish> {
    const { tx, scope } = ctx
    const accountId = accountOf(scope)
    const done = isId(productId) ? await insertWish(tx, { accountId, productId }) : undefined
    if (!done) throw refuse('product_not_found', 'There is no such product.')
    if (done.madeAt !== null && done.before >= wishLimit)
      throw refuse('wishlist_full', 'A wishlist has a limit.', { details: { limit: wishLimit } })
    const [wish] = await listWishes(tx, accountId, productId)
    if (!wish) throw conflict('It was taken off the list in the same moment.')
    ctx.note(done.madeAt)
    if (done.madeAt !== null) ctx.respond({ status: 201 })
    return wish
  },
})
