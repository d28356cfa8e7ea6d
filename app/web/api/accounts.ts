import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useSyncExternalStore } from 'react'
import { pantry } from './pantry.ts'

export function useSession() {
  return useSyncExternalStore(pantry.session.subscribe, pantry.session.state)
}

/** The account whose data a query holds; part of every private query's key. */
export function useAccountId(): string | undefined {
  const session = useSession()
  return session.status === 'signed-in' ? session.user.id : undefined
}

export function useSignIn() {
  return useMutation({ mutationFn: pantry.session.signIn })
}

export function useRegister() {
  return useMutation({ mutationFn: pantry.session.register })
}

export function useSignOut() {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: () => pantry.session.signOut(),
    onSettled: () => queries.clear(),
  })
}

/** Accounts to try the shop with; a shop that is no demonstration has none. */
export function useDemoAccounts() {
  const found = useQuery({
    queryKey: ['demo-accounts'],
    queryFn: pantry.listDemoAccounts,
    staleTime: Infinity,
    retry: false,
  })
  return found.data ?? []
}

/** Finds out whose the kept refresh token is; goes on trying while there is no connection. */
export async function openSession(): Promise<void> {
  for (let wait = 500; ; wait = Math.min(wait * 2, 15_000)) {
    try {
      return await pantry.session.open()
    } catch {
      await new Promise((resolve) => setTimeout(resolve, wait))
    }
  }
}
