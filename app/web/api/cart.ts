import { useEffect, useSyncExternalStore } from 'react'
import { pantry } from './pantry.ts'

export type { CartState } from '../../client/cart-manager.ts'
export type { LeftOut } from '../../client/merge-guest-cart.ts'
export type { Cart, CartItem } from '../../client/model.ts'

const { cart: manager } = pantry

/** The cart of whoever uses this browser, a guest's too, with what was asked for already in it. Read again on coming back. */
export function useCart() {
  useEffect(() => {
    const read = () => {
      if (document.visibilityState === 'visible') void manager.getCart().catch(() => {})
    }
    read()
    document.addEventListener('visibilitychange', read)
    return () => document.removeEventListener('visibilitychange', read)
  }, [])
  return useSyncExternalStore(manager.subscribe, manager.state)
}

/** For a press of a button: what does not succeed is taken back, and is in the cart's `trouble`. */
const actions = {
  /** Resolves to whether it succeeded. */
  add: (productId: string, variantId: string, quantity = 1) =>
    succeeds(manager.addItem(productId, variantId, quantity)),
  setQuantity: (itemId: string, quantity: number) => succeeds(manager.updateItem(itemId, quantity)),
  remove: (itemId: string) => succeeds(manager.removeItem(itemId)),
  clear: () => succeeds(manager.clear()),
  /** Something outside has changed it: a checkout, say. */
  readAgain: () => void manager.getCart(true).catch(() => {}),
  dismissLeftOut: () => manager.dismissLeftOut(),
}

export const useCartActions = () => actions

const succeeds = (change: Promise<unknown>): Promise<boolean> =>
  change.then(
    () => true,
    () => false,
  )
