import type { Client } from 'safepoint/client'
import type { Address, AddressChange, NewAddress, Page } from './model.ts'
import { done } from './not-done.ts'
import { randomId } from './random-id.ts'

/** The addresses of whoever is signed in. Reads throw ProblemError or what the network threw, writes {@link NotDone}. */
export interface Addresses {
  list(): Promise<readonly Address[]>
  /** The equal one, where there is one already. */
  add(address: NewAddress): Promise<Address>
  change(id: string, change: AddressChange): Promise<Address>
  /** Orders keep their copy. Resolves to what brings it back; that throws where an equal one was added since. */
  remove(id: string): Promise<() => Promise<void>>
}

export function createAddresses(client: Pick<Client, 'get' | 'post' | 'patch' | 'delete' | 'undo'>): Addresses {
  const path = (id: string) => `/api/addresses/${encodeURIComponent(id)}`
  return {
    list: async () => (await client.get<Page<Address>>('/api/addresses')).items,
    add: async (address) => done(await client.post<Address>('/api/addresses', address)),
    change: async (id, change) => done(await client.patch<Address>(path(id), change)),
    async remove(id) {
      const key = randomId()
      done(await client.delete(path(id), undefined, { key }))
      return async () => void done(await client.undo(key))
    },
  }
}
