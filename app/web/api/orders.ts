import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import type { Verdict } from 'safepoint/client'
import { useEffect, useSyncExternalStore } from 'react'
import { isDecided, readStanding } from '../../client/order-standing.ts'
import type { Order } from '../../client/model.ts'
import { useAccountId } from './accounts.ts'
import { useCartActions } from './cart.ts'
import { pantry } from './pantry.ts'

export { canCancel, isDecided, readStanding, type Standing } from '../../client/order-standing.ts'
export type { GatewayOffer, Order, OrderChange, OrderWithHistory } from '../../client/model.ts'

export const ordersKey = ['orders'] as const

export function useOrders() {
  const account = useAccountId()
  return useInfiniteQuery({
    queryKey: [...ordersKey, account],
    queryFn: ({ pageParam }) => pantry.orders.list(pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.nextCursor ?? undefined,
    enabled: account !== undefined,
  })
}

/** Milliseconds between two looks at an order that is not decided yet; its events come sooner. */
const lookEvery = 2_000

/** One order, until nothing about it changes any more. */
export function useOrder(id: string) {
  const account = useAccountId()
  const queries = useQueryClient()
  const order = useQuery({
    queryKey: [...ordersKey, account, id],
    queryFn: () => pantry.orders.get(id),
    enabled: account !== undefined,
    staleTime: 0,
    refetchInterval: ({ state }) => (state.data && isDecided(readStanding(state.data)) ? false : lookEvery),
  })
  useEffect(
    () =>
      pantry.live.listen(
        `order:${id}`,
        () => void queries.invalidateQueries({ queryKey: [...ordersKey, account, id] }),
      ),
    [queries, account, id],
  )
  return order
}

/** The order that was set aside on this device, as long as it waits for somebody to pay it or let it go. */
export function useSetAsideOrder(): Order | undefined {
  const account = useAccountId()
  const id = useSyncExternalStore(pantry.checkout.subscribe, () => pantry.checkout.setAside()?.id)
  const idle = useSyncExternalStore(pantry.checkout.subscribe, () => pantry.checkout.state().status === 'idle')
  const { data } = useQuery({
    queryKey: [...ordersKey, account, id],
    queryFn: () => pantry.orders.get(id!),
    enabled: account !== undefined && id !== undefined && idle,
  })
  if (data === undefined || data.id !== id || !idle) return undefined
  const { kind } = readStanding(data)
  return kind === 'set_aside' || kind === 'waiting' || kind === 'declined' ? data : undefined
}

/** On the way back from a gateway's page: the server asks the gateway, and the order is what comes of it. */
export function useVerifyOrder() {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: (order: Order) => pantry.orders.verify(order),
    onSettled: () => queries.invalidateQueries({ queryKey: ordersKey }),
  })
}

/** Resolves to the verdict: what is not known is said to be not known, and can be asked again. */
export function useCancelOrder() {
  const queries = useQueryClient()
  const { readAgain } = useCartActions()
  return useMutation({
    mutationFn: ({ id, again }: { id: string; again?: () => Promise<Verdict<Order>> }) =>
      again ? again() : pantry.orders.cancel(id),
    onSettled: () => {
      readAgain()
      return queries.invalidateQueries({ queryKey: ordersKey })
    },
  })
}

/** What can be paid with, each with the currencies it takes. */
export function useGateways() {
  return useQuery({ queryKey: ['gateways'], queryFn: () => pantry.orders.listGateways(), staleTime: 300_000 })
}
