import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import type { Address, AddressChange } from '../../client/model.ts'
import { useAccountId } from './accounts.ts'
import { pantry } from './pantry.ts'

export type { Address, AddressChange, NewAddress } from '../../client/model.ts'

const addressesKey = ['addresses'] as const

export function useAddresses() {
  const account = useAccountId()
  return useQuery({
    queryKey: [...addressesKey, account],
    queryFn: () => pantry.addresses.list(),
    enabled: account !== undefined,
  })
}

export function useAddAddress() {
  const show = useShowAddresses()
  return useMutation({
    mutationFn: pantry.addresses.add,
    onSuccess: (address) => show((held) => [...held.filter(({ id }) => id !== address.id), address]),
  })
}

export function useChangeAddress() {
  const show = useShowAddresses()
  return useMutation({
    mutationFn: ({ id, change }: { readonly id: string; readonly change: AddressChange }) =>
      pantry.addresses.change(id, change),
    onSuccess: (address) => show((held) => held.map((one) => (one.id === address.id ? address : one))),
  })
}

/** Resolves to what brings it back. */
export function useRemoveAddress() {
  const show = useShowAddresses()
  const queries = useQueryClient()
  return useMutation({
    mutationFn: async (id: string) => {
      const bringBack = await pantry.addresses.remove(id)
      return () => bringBack().then(() => queries.invalidateQueries({ queryKey: addressesKey }))
    },
    onSuccess: (_, gone) => show((held) => held.filter(({ id }) => id !== gone)),
  })
}

/** Shows what a write has changed, without asking again. */
function useShowAddresses() {
  const account = useAccountId()
  const queries = useQueryClient()
  return (change: (held: readonly Address[]) => readonly Address[]) =>
    void queries.setQueryData<readonly Address[]>([...addressesKey, account], (held = []) => change(held))
}
