import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useSyncExternalStore } from 'react'
import { useAccountId } from './accounts.ts'
import { cartKey } from './cart.ts'
import { productsKey } from './catalog.ts'
import { pantry } from './pantry.ts'

export type { CheckoutState, PlacedOrder, Running, Told } from '../../client/checkout-state.ts'

/** The running checkout, and what can be done to it. */
export function useCheckout() {
  return { state: useSyncExternalStore(pantry.checkout.subscribe, pantry.checkout.state), checkout: pantry.checkout }
}

/** Once signed in: takes up what an earlier page left open. And whatever a checkout ends in, cart and stock are read again. */
export function useCheckoutUpkeep(): void {
  const account = useAccountId()
  const queries = useQueryClient()
  useEffect(() => {
    // A failure leaves the requests where they are: the next page, or the next sign-in, takes them up.
    if (account !== undefined) void pantry.resume().catch(() => {})
  }, [account])
  useEffect(() => {
    let seen = ''
    return pantry.checkout.subscribe(() => {
      const state = pantry.checkout.state()
      const now =
        state.status === 'told' ? `${state.told.kind} ${'basket' in state.told ? state.told.basket : ''}` : state.status
      // `idle` again and again: the end of something that was left to itself.
      if (now === seen && state.status !== 'idle') return
      seen = now
      if (state.status === 'running') return
      void queries.invalidateQueries({ queryKey: cartKey })
      void queries.invalidateQueries({ queryKey: productsKey })
    })
  }, [queries])
}
