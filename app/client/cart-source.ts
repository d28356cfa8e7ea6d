import type { Client } from 'safepoint/client'
import type { CartEdit } from './cart-edits.ts'
import type { GuestCart } from './guest-cart.ts'
import type { Cart } from './model.ts'
import { done } from './not-done.ts'

/** Where a cart is: at the server, or, for a guest, in this browser. */
export interface CartSource {
  read(): Promise<Cart>
  write(edit: CartEdit): Promise<Cart>
}

/** Reads throw what `client.get` throws, writes NotDone. Their keys are kept before they are sent. */
export function accountSource(client: Pick<Client, 'get' | 'post' | 'patch' | 'delete'>): CartSource {
  const item = (id: string) => `/api/cart/items/${encodeURIComponent(id)}`
  return {
    read: () => client.get<Cart>('/api/cart'),
    async write(edit) {
      switch (edit.kind) {
        case 'add': {
          const { productId, variantId, quantity } = edit
          const body = { productId, ...(variantId !== undefined && { variantId }), quantity }
          return done(await client.post<Cart>('/api/cart/add', body))
        }
        case 'set':
          return done(await client.patch<Cart>(item(edit.itemId), { quantity: edit.quantity }))
        case 'remove':
          return done(await client.delete<Cart>(item(edit.itemId)))
        case 'clear':
          return done(await client.delete<Cart>('/api/cart'))
      }
    },
  }
}

export function guestSource(cart: GuestCart): CartSource {
  return { read: cart.read, write: cart.change }
}

/** Whether a request that was kept is one that `accountSource`, or the merge of a guest's cart, had sent. */
export const isCartRequest = ({ path }: { readonly path: string }): boolean => /^\/api\/cart(\/|$)/.test(path)
