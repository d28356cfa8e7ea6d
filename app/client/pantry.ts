import {
  createClient,
  isProblemError,
  type Client,
  type OperationView,
  type Problem,
  type Verdict,
} from 'safepoint/client'
import { createCheckout, type Checkout } from './checkout.ts'
import type { Address, Cart, DemoAccount, NewAddress, Page, Product } from './model.ts'
import { createSession, type Exclusively, type Session, type TabChannel } from './session.ts'

export interface PantryOptions {
  /** Where the API is. Empty in a page: its own origin. */
  readonly baseUrl: string
  /** Keeps the refresh token, and the order that is set aside; `localStorage` fits. */
  readonly store: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>
  readonly exclusively: Exclusively
  readonly tabs?: TabChannel
  readonly client?: Pick<Parameters<typeof createClient>[0], 'retry' | 'debug' | 'storage'>
}

/** Pantry for a program: reads throw, writes resolve to what became of them or throw {@link NotDone}. */
export interface Pantry {
  readonly session: Session
  readonly checkout: Checkout
  listProducts(query: {
    readonly search: string
    readonly cursor?: string | undefined
    readonly limit?: number
  }): Promise<Page<Product>>
  getCart(): Promise<Cart>
  addToCart(item: { readonly productId: string; readonly variantId: string; readonly quantity: number }): Promise<Cart>
  changeCartItem(id: string, quantity: number): Promise<Cart>
  removeCartItem(id: string): Promise<Cart>
  listAddresses(): Promise<readonly Address[]>
  addAddress(address: NewAddress): Promise<Address>
  /** Accounts to try the shop with; empty where the shop is no demonstration. */
  listDemoAccounts(): Promise<readonly DemoAccount[]>
  findOperation(key: string): Promise<OperationView>
  /** Brings to an end what an earlier page left open, the checkout first. */
  resume(): Promise<void>
}

/** A write did not succeed, or nobody can say yet: `problem` is absent then, and its request is kept and taken up again. */
export class NotDone extends Error {
  override readonly name = 'NotDone'
  readonly problem: Problem | undefined
  readonly verdict: Verdict

  constructor(verdict: Verdict) {
    const problem = 'problem' in verdict ? verdict.problem : undefined
    super(problem?.detail ?? problem?.title ?? verdict.outcome)
    this.problem = problem
    this.verdict = verdict
  }
}

export function createPantry({ baseUrl, store, exclusively, tabs, client: settings }: PantryOptions): Pantry {
  const session = createSession({ baseUrl, store, exclusively, ...(tabs && { tabs }) })
  const account = () => {
    const state = session.state()
    return state.status === 'signed-in' ? state.user.id : undefined
  }
  const client: Client = createClient({
    ...settings,
    baseUrl,
    account,
    headers: session.headers,
    onUnauthorized: session.refresh,
  })

  const checkout = createCheckout({ client, store, account })
  let seen = account()
  session.subscribe(() => {
    if (account() === seen) return
    seen = account()
    // What was told to one person is not left on the screen for another.
    checkout.dismiss()
  })

  return {
    session,
    checkout,
    listProducts({ search, cursor, limit = 24 }) {
      const query = new URLSearchParams({ limit: String(limit) })
      if (search !== '') query.set('search', search)
      if (cursor !== undefined) query.set('cursor', cursor)
      return client.get(`/api/products?${query}`)
    },
    getCart: () => client.get('/api/cart'),
    addToCart: async (item) => done(await client.post<Cart>('/api/cart/add', item)),
    changeCartItem: async (id, quantity) => done(await client.patch<Cart>(`/api/cart/items/${id}`, { quantity })),
    removeCartItem: async (id) => done(await client.delete<Cart>(`/api/cart/items/${id}`)),
    listAddresses: async () => (await client.get<Page<Address>>('/api/addresses')).items,
    addAddress: async (address) => done(await client.post<Address>('/api/addresses', address)),
    async listDemoAccounts() {
      try {
        return (await client.get<Page<DemoAccount>>('/api/demo-accounts')).items
      } catch (error) {
        if (isProblemError(error) && error.status === 404) return []
        throw error
      }
    },
    findOperation: (key) => client.find(key),
    async resume() {
      await checkout.open()
      await client.resume()
    },
  }
}

function done<T>(verdict: Verdict<T>): T {
  if (verdict.outcome === 'succeeded') return verdict.result
  throw new NotDone(verdict)
}
