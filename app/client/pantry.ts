import { createClient, isProblemError, type Client, type OperationView } from 'safepoint/client'
import { createAddresses, type Addresses } from './addresses.ts'
import { createCartFigures, type CartFigures } from './cart-figures.ts'
import { createCartManager, type CartManager } from './cart-manager.ts'
import { createCatalogueMemory } from './catalogue-memory.ts'
import { createCheckout, type Checkout } from './checkout.ts'
import { createLiveEvents, type LiveEvents } from './live-events.ts'
import type { DemoAccount, Page, Product } from './model.ts'
import { createOrders, type Orders } from './orders.ts'
import { createOwnAccount, type OwnAccount } from './own-account.ts'
import { createSession, type Exclusively, type Session, type TabChannel } from './session.ts'
import { createWishlist, type Wishlist } from './wishlist.ts'

export interface PantryOptions {
  /** Where the API is. Empty in a page: its own origin. */
  readonly baseUrl: string
  /** Keeps the refresh token, and the order that is set aside; `localStorage` fits. */
  readonly store: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>
  readonly exclusively: Exclusively
  /** Between the tabs of one browser, one channel a name; a `BroadcastChannel` fits. Absent: this is the only tab. */
  readonly openTabs?: (name: string) => TabChannel
  readonly client?: Pick<Parameters<typeof createClient>[0], 'retry' | 'debug' | 'storage'>
}

/** Pantry for a program: reads throw, writes resolve to what became of them or throw {@link NotDone}. */
export interface Pantry {
  readonly session: Session
  readonly cart: CartManager
  readonly checkout: Checkout
  readonly orders: Orders
  readonly ownAccount: OwnAccount
  readonly addresses: Addresses
  readonly wishlist: Wishlist
  readonly live: LiveEvents
  readonly figures: CartFigures
  /** Undefined: a guest, or nobody knows yet. */
  readonly account: () => string | undefined
  listProducts(query: {
    readonly search: string
    readonly cursor?: string | undefined
    readonly limit?: number
  }): Promise<Page<Product>>
  /** Undefined: it is not sold. As it was at most 30 s ago. */
  getProduct(id: string): Promise<Product | undefined>
  /** Accounts to try the shop with; empty where the shop is no demonstration. */
  listDemoAccounts(): Promise<readonly DemoAccount[]>
  findOperation(key: string): Promise<OperationView>
  /** Brings to an end what an earlier page left open, the checkout first (see `Checkout.open`). */
  resume(options?: { readonly recall?: boolean }): Promise<void>
}

export function createPantry({ baseUrl, store, exclusively, openTabs, client: settings }: PantryOptions): Pantry {
  const sessionTabs = openTabs?.('pantry:session')
  const session = createSession({ baseUrl, store, exclusively, ...(sessionTabs && { tabs: sessionTabs }) })
  const account = () => {
    const state = session.state()
    return state.status === 'signed-in' ? state.user.id : undefined
  }
  const client: Client = createClient({
    ...settings,
    baseUrl,
    account,
    exclusively,
    headers: session.headers,
    onUnauthorized: session.refresh,
  })

  const live = createLiveEvents({ client, exclusively, tabs: openTabs?.('pantry:events') })
  const figures = createCartFigures({ baseUrl, headers: session.headers })
  const catalogue = createCatalogueMemory({ client })
  const cart = createCartManager({
    client,
    account,
    subscribeAccount: session.subscribe,
    store,
    exclusively,
    catalogue,
    figures,
    live,
    tabs: openTabs?.('pantry:cart'),
  })
  const checkout = createCheckout({ client, cart, store, account })
  let seen = account()
  session.subscribe(() => {
    if (account() === seen) return
    seen = account()
    // What was told to one person is not left on the screen for another.
    checkout.dismiss()
  })

  return {
    session,
    cart,
    checkout,
    orders: createOrders(client),
    ownAccount: createOwnAccount({ baseUrl, session, client }),
    addresses: createAddresses(client),
    wishlist: createWishlist(client),
    live,
    figures,
    account,
    async listProducts({ search, cursor, limit = 24 }) {
      const query = new URLSearchParams({ limit: String(limit) })
      if (search !== '') query.set('search', search)
      if (cursor !== undefined) query.set('cursor', cursor)
      const page = await client.get<Page<Product>>(`/api/products?${query}`)
      catalogue.remember(page.items)
      return page
    },
    getProduct: (id) => catalogue.find(id),
    async listDemoAccounts() {
      try {
        return (await client.get<Page<DemoAccount>>('/api/demo-accounts')).items
      } catch (error) {
        if (isProblemError(error) && error.status === 404) return []
        throw error
      }
    },
    findOperation: (key) => client.find(key),
    async resume(options) {
      await checkout.open(options)
      await cart.takeUp()
      await client.resume()
    },
  }
}
