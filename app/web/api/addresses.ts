import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import type { Address } from '../../client/model.ts'
import { useAccountId } from './accounts.ts'
import { pantry } from './pantry.ts'

export type { Address, NewAddress } from '../../client/model.ts'

const addressesKey = ['addresses'] as const

export function useAddresses() {
  const account = useAccountId()
  return useQuery({
    queryKey: [...addressesKey, account],
    queryFn: () => pantry.listAddresses(),
    enabled: account !== undefined,
  })
}

export function useAddAddress() {
  const account = useAccountId()
  const queries = useQueryClient()
  return useMutation({
    mutationFn: pantry.addAddress,
    onSuccess: (address) => {
      queries.setQueryData<readonly Address[]>([...addressesKey, account], (held = []) => [
        ...held.filter(({ id }) => id !== address.id),
        address,
      ])
    },
  })
}
