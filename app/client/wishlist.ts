import type { Client } from 'safepoint/client'
import type { Page, Wish } from './model.ts'
import { done } from './not-done.ts'

/** What whoever is signed in wants to remember. Reads throw ProblemError or what the network threw, writes {@link NotDone}. */
export interface Wishlist {
  /** The latest first. */
  list(): Promise<readonly Wish[]>
  add(productId: string): Promise<Wish>
  remove(productId: string): Promise<void>
}

export function createWishlist(client: Pick<Client, 'get' | 'put' | 'delete'>): Wishlist {
  const path = (productId: string) => `/api/wishlist/${encodeURIComponent(productId)}`
  return {
    list: async () => (await client.get<Page<Wish>>('/api/wishlist')).items,
    add: async (productId) => done(await client.put<Wish>(path(productId))),
    remove: async (productId) => void done(await client.delete(path(productId))),
  }
}
