import { useQuery } from '@tanstack/react-query'
import { pantry } from './pantry.ts'

/** Where the state of an operation is, for whoever has the token. */
export const operationHref = (key: string) => `/api/operations/${encodeURIComponent(key)}`

export function useOperation(key: string, wanted: boolean) {
  return useQuery({
    queryKey: ['operation', key],
    queryFn: () => pantry.findOperation(key),
    enabled: wanted,
    staleTime: 0,
    refetchInterval: (query) => {
      const state = query.state.data?.state
      return state === 'succeeded' || state === 'failed' || state === 'cancelled' ? false : 1_000
    },
  })
}
