import { useMutation, useQueries, useQuery, useQueryClient } from '@tanstack/react-query'
import type { Wish } from '../../client/model.ts'
import { useAccountId } from './accounts.ts'
import { productQuery, type Product } from './catalog.ts'
import { pantry } from './pantry.ts'

export type { Wish } from '../../client/model.ts'

const wishlistKey = ['wishlist'] as const

/** The latest first; none for a guest. */
export function useWishlist() {
  const account = useAccountId()
  return useQuery({
    queryKey: [...wishlistKey, account],
    queryFn: () => pantry.wishlist.list(),
    enabled: account !== undefined,
  })
}

/** Shown at once; where it was refused, what the shop has is shown again. */
export function useWish() {
  const account = useAccountId()
  const queries = useQueryClient()
  const queryKey = [...wishlistKey, account]
  return useMutation({
    mutationFn: async ({ product: { id }, wanted }: { readonly product: Wished; readonly wanted: boolean }) => {
      if (wanted) await pantry.wishlist.add(id)
      else await pantry.wishlist.remove(id)
    },
    async onMutate({ product: { id, name, image, price }, wanted }) {
      // An answer that was on its way would take away what is shown now.
      await queries.cancelQueries({ queryKey })
      queries.setQueryData<readonly Wish[]>(queryKey, (held = []) => {
        const others = held.filter(({ productId }) => productId !== id)
        const wish = { productId: id, name, image, price, available: true, addedAt: new Date().toISOString() }
        return wanted ? [wish, ...others] : others
      })
    },
    onSettled: () => queries.invalidateQueries({ queryKey: wishlistKey }),
  })
}

type Wished = Pick<Product, 'id' | 'name' | 'image' | 'price'>

/** Each as it is sold now, in the order of the wishes; null: it is not; undefined: nobody knows yet. */
export function useWishedProducts(wishes: readonly Wish[]): ReadonlyArray<Product | null | undefined> {
  return useQueries({
    queries: wishes.map(({ productId }) => productQuery(productId)),
    combine: (found) => found.map(({ data }) => data),
  })
}
