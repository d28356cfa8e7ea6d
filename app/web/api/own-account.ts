import { useMutation, useQueryClient } from '@tanstack/react-query'
import { pantry } from './pantry.ts'
import { problemOf } from './problem.ts'

export function useForgotPassword() {
  return useMutation({ mutationFn: pantry.ownAccount.forgotPassword })
}

export function useResetPassword() {
  return useMutation({ mutationFn: pantry.ownAccount.resetPassword })
}

export function useChangePassword() {
  return useMutation({ mutationFn: pantry.ownAccount.changePassword })
}

/** All that the shop holds of whoever is signed in, as a file that a person can read. */
export function useExport() {
  return useMutation({
    mutationFn: async () =>
      new Blob([JSON.stringify(await pantry.ownAccount.exportData(), null, 2)], { type: 'application/json' }),
  })
}

/** `onClosed` is told though nobody is signed in by then, and what asked for it is off the screen. */
export function useCloseAccount(onClosed: () => void) {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: pantry.ownAccount.close,
    onSuccess: () => {
      queries.clear()
      onClosed()
    },
  })
}

/** The orders that an account could not be closed for; none where something else was wrong. */
export function unsettledOrders(error: unknown): readonly string[] {
  const problem = problemOf(error)
  const orders = problem?.code === 'account_unsettled' ? problem['orders'] : undefined
  return Array.isArray(orders) ? orders.flatMap(({ id }: { id?: unknown }) => (typeof id === 'string' ? [id] : [])) : []
}
