import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useSyncExternalStore } from 'react'
import { useAccountId } from './accounts.ts'
import { useCartActions } from './cart.ts'
import { productsKey } from './catalog.ts'
import { ordersKey } from './orders.ts'
import { pantry } from './pantry.ts'

export type { CheckoutState, PlacedOrder, Running, Told } from '../../client/checkout-state.ts'
export type { PayWay } from '../../client/checkout.ts'
export type { PaymentPage } from '../../client/model.ts'
export type { Verdict } from 'safepoint/client'

/** The running checkout, and what can be done to it. */
export function useCheckout() {
  return { state: useSyncExternalStore(pantry.checkout.subscribe, pantry.checkout.state), checkout: pantry.checkout }
}

/**
 * Once signed in: takes up what an earlier page left open; `recall: false` where an order is shown anyway. And whatever a
 * checkout ends in, cart, orders and stock are read again.
 */
export function useCheckoutUpkeep({ recall }: { readonly recall: boolean }): void {
  const account = useAccountId()
  const queries = useQueryClient()
  const { readAgain } = useCartActions()
  useEffect(() => {
    // A failure leaves the requests where they are: the next page, or the next sign-in, takes them up.
    if (account !== undefined) void pantry.resume({ recall }).catch(() => {})
    // Only what was there when the page was opened matters: an order that is looked at later changes nothing.
    // oxlint-disable-next-line react-hooks/exhaustive-deps
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
      readAgain()
      void queries.invalidateQueries({ queryKey: ordersKey })
      void queries.invalidateQueries({ queryKey: productsKey })
    })
  }, [queries, readAgain])
}
