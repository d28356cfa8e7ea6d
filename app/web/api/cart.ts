import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import type { Cart } from '../../client/model.ts'
import { useAccountId } from './accounts.ts'
import { pantry } from './pantry.ts'

export type { Cart, CartItem } from '../../client/model.ts'

export const cartKey = ['cart'] as const

export function useCart() {
  const account = useAccountId()
  return useQuery({ queryKey: [...cartKey, account], queryFn: () => pantry.getCart(), enabled: account !== undefined })
}

/** Writes to the cart go one after the other, so that each answer is newer than the one before. */
function useCartWrite<Input>(write: (input: Input) => Promise<Cart>) {
  const account = useAccountId()
  const queries = useQueryClient()
  return useMutation({
    mutationFn: write,
    scope: { id: 'cart' },
    onSuccess: (cart) => {
      const queryKey = [...cartKey, account]
      void queries.cancelQueries({ queryKey })
      queries.setQueryData<Cart>(queryKey, (held) =>
        held !== undefined && held.id === cart.id && held.version > cart.version ? held : cart,
      )
    },
    onError: () => void queries.invalidateQueries({ queryKey: cartKey }),
  })
}

export const useAddToCart = () =>
  useCartWrite((item: { readonly productId: string; readonly variantId: string; readonly quantity: number }) =>
    pantry.addToCart(item),
  )

export const useSetQuantity = () =>
  useCartWrite(({ id, quantity }: { readonly id: string; readonly quantity: number }) =>
    pantry.changeCartItem(id, quantity),
  )

export const useRemoveItem = () => useCartWrite(({ id }: { readonly id: string }) => pantry.removeCartItem(id))
