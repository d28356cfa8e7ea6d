import type { Client, Verdict, WriteOptions } from 'safepoint/client'
import { createCartBook, type CartBook, type CartNews } from './cart-book.ts'
import { createCartCache, type HeldCart } from './cart-cache.ts'
import type { CartFigures } from './cart-figures.ts'
import { CartRefused } from './cart-refused.ts'
import { noteSyncError } from './cart-sync-error.ts'
import { accountSource, guestSource } from './cart-source.ts'
import type { CatalogueMemory } from './catalogue-memory.ts'
import { createGuestCart } from './guest-cart.ts'
import { createGuestStore } from './guest-store.ts'
import type { LiveEvents } from './live-events.ts'
import { createKeptChanges } from './kept-changes.ts'
import { mergeGuestCart, type LeftOut } from './merge-guest-cart.ts'
import type { Cart, CreatedPayment, Money, NewAddress } from './model.ts'
import { done, isKept } from './not-done.ts'
import type { Exclusively, TabChannel } from './session.ts'

export interface CartState {
  /** `failed`: it could not be read; `trouble` says why. */
  readonly status: 'loading' | 'ready' | 'failed'
  /** With what was asked for already in it. Absent before it was first read; while `loading`, what was shown last. */
  readonly cart?: Cart
  /** Something that was asked for has no answer yet. */
  readonly saving: boolean
  /** Why the last read or change did not succeed: `problemOf` reads it. */
  readonly trouble?: unknown
  /** What did not fit when a guest's cart was merged, until it is dismissed. */
  readonly leftOut: readonly LeftOut[]
}

export interface CheckoutInput {
  readonly gateway: string
  /** The id of one of the account's addresses, or an address. */
  readonly shippingAddress: string | NewAddress
  readonly billingAddress?: string | NewAddress
  /** The total that the customer has seen. Default: of the cart as it was shown last. */
  readonly expectedTotal?: Money
}

/**
 * The cart of whoever uses this browser: an account's, or, before anybody has signed in, a guest's, which reads and changes
 * in the same way. Reads throw ProblemError or what the network threw; changes throw NotDone (`problemOf` reads either).
 */
export interface CartManager {
  readonly state: () => CartState
  readonly subscribe: (listener: () => void) => () => void
  /** As the server told it at most 30 s ago, or now with `forceRefresh`; however many ask, there is one request. */
  getCart(forceRefresh?: boolean): Promise<Cart>
  /** Shown at once, and taken back where it does not succeed. Without `variantId` the product's first variant is meant. */
  addItem(productId: string, variantId?: string, quantity?: number): Promise<Cart>
  /** 0 removes the line. */
  updateItem(itemId: string, quantity: number): Promise<Cart>
  removeItem(itemId: string): Promise<Cart>
  clear(): Promise<Cart>
  /**
   * Order and payment in one: reads the cart afresh, throws `cart_empty` before anything is written, and answers with what
   * the gateway's page needs. Other codes are those of `POST /api/payments/create-from-cart` (`cart_changed`, …).
   */
  checkout(input: CheckoutInput): Promise<CreatedPayment>
  /** As `checkout`, to a verdict: for whoever shows a Cancel meanwhile. Throws only before anything is written. */
  beginCheckout(
    input: CheckoutInput,
    options?: Pick<WriteOptions, 'key' | 'signal' | 'onKey'>,
  ): Promise<Verdict<CreatedPayment>>
  /** Sends what had no answer again, under the same keys; while there is such, it happens by itself now and then. */
  takeUp(): Promise<void>
  /** Forgets what is held here, reads afresh, and brings what had no answer to its end under the same keys. */
  recover(): Promise<Cart>
  dismissLeftOut(): void
  /** The page is going: what waits is sent, so that its keys outlive it. */
  leave(): void
}

export interface CartManagerOptions {
  readonly client: Pick<Client, 'get' | 'post' | 'patch' | 'delete' | 'resume'>
  /** Undefined: a guest. */
  readonly account: () => string | undefined
  readonly subscribeAccount: (listener: () => void) => void
  readonly store: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>
  readonly exclusively: Exclusively
  readonly catalogue: CatalogueMemory
  readonly figures: CartFigures
  readonly live?: LiveEvents | undefined
  readonly tabs?: TabChannel | undefined
  readonly now?: () => number
  /** Milliseconds. Default 30 000. */
  readonly maxAge?: number
  /** Milliseconds before a change that had no answer is sent again. Default 5 000; the wait doubles. */
  readonly takeUpAfter?: number
}

type TabMessage = { readonly account: string | undefined } & (
  | { readonly type: 'cart'; readonly answer: HeldCart }
  | { readonly type: 'left-out'; readonly leftOut: readonly LeftOut[] }
)

/** A tab that leads has this long to read for the others. */
const patience = 1_000

export function createCartManager(options: CartManagerOptions): CartManager {
  const { client, account, store, exclusively, catalogue, figures, live, tabs } = options
  const { now = Date.now, maxAge = 30_000, takeUpAfter = 5_000 } = options
  const guest = createGuestStore(store, exclusively)
  const guestCart = createGuestCart({ guest, catalogue })
  const listeners = new Set<() => void>()
  let merging: Promise<unknown> = Promise.resolve()
  let recovering: Promise<Cart> | undefined
  let leftOut: readonly LeftOut[] = []
  let trouble: { readonly read?: unknown; readonly change?: unknown } = {}
  let last: Cart | undefined
  let owner = account()
  const kept = createKeptChanges({
    client,
    after: takeUpAfter,
    due: () => void takeUp().catch(() => {}),
    ended(refused) {
      if (refused === undefined && !isKept(trouble.change)) return
      trouble = { ...trouble, change: refused }
      show()
    },
  })
  let book = openBook()
  let state = readState()

  function openBook(): CartBook {
    const account = owner
    const isCurrent = () => owner === account
    const source = account === undefined ? guestSource(guestCart) : accountSource(client)
    const made = createCartBook({
      source: {
        // What a guest had chosen is in it from the first time it is shown.
        read: () => merging.then(source.read),
        // What waited when somebody else signed in is not theirs.
        write: async (edit) => {
          if (!isCurrent()) throw new DOMException('Somebody else has signed in.', 'AbortError')
          return source.write(edit)
        },
      },
      cache: createCartCache(account, { store, maxAge, now }),
      describe: catalogue.describe,
      figures: account === undefined ? { count: () => {} } : figures,
      now,
      patience,
      share: (answer) => tabs?.send({ type: 'cart', account, answer } satisfies TabMessage),
      changed: () => isCurrent() && book === made && show(),
      trouble(of, error) {
        if (!isCurrent() || trouble[of] === error) return
        trouble = { ...trouble, [of]: error }
        if (of === 'change' && isKept(error)) kept.expect()
        show()
      },
    })
    return made
  }

  function readState(): CartState {
    const shown = book.shown()
    // While it is read anew it stays on the screen.
    last = shown ?? last
    const why = trouble.change ?? trouble.read
    const status = shown ? 'ready' : trouble.read === undefined ? 'loading' : 'failed'
    return {
      status,
      saving: book.saving(),
      leftOut,
      ...(last && { cart: last }),
      ...(why !== undefined && { trouble: why }),
    }
  }
  function show(): void {
    state = readState()
    for (const listener of listeners) listener()
  }

  function tellLeftOut(told: readonly LeftOut[]): void {
    leftOut = told
    show()
  }

  /** Until nothing is left: what an earlier page had begun comes first. */
  async function merge(into: string): Promise<void> {
    for (;;) {
      const outcome = await mergeGuestCart(into, { client, guest, exclusively })
      if (outcome === undefined || owner !== into) return
      if (outcome.cart) book.offer({ cart: outcome.cart, at: now() })
      if (outcome.leftOut.length === 0) continue
      tellLeftOut(outcome.leftOut)
      tabs?.send({ type: 'left-out', account: into, leftOut: outcome.leftOut } satisfies TabMessage)
    }
  }

  function follow(): void {
    // Nobody can say yet what became of it: the next page, or the next recovery, goes on.
    merging = owner === undefined ? Promise.resolve() : merge(owner).catch(() => {})
    if (owner === undefined) live?.stop()
    else live?.start()
  }

  options.subscribeAccount(() => {
    if (account() === owner) return
    // What one person had is not left on this device for another.
    if (owner !== undefined) book.close()
    owner = account()
    trouble = {}
    kept.forget()
    last = undefined
    leftOut = []
    book = openBook()
    follow()
    show()
    void book.getCart(false).catch(() => {})
  })
  tabs?.listen((data) => {
    const message = data as TabMessage
    if (message.account !== owner) return
    if (message.type === 'cart') book.offer(message.answer)
    else tellLeftOut(message.leftOut)
  })
  live?.listen('cart', (data, told) => book.hear(data as CartNews, told))
  follow()

  const beginCheckout: CartManager['beginCheckout'] = async ({ expectedTotal, ...input }, given) => {
    await book.settled()
    const shown = book.shown()?.totalPrice
    const cart = await book.getCart(true)
    if (cart.items.length === 0) {
      const refused = new CartRefused('cart_empty', 'The cart is empty.')
      noteSyncError(refused.problem, figures)
      throw refused
    }
    const body = {
      ...input,
      cartId: cart.id,
      currency: cart.totalPrice.currency,
      expectedTotal: expectedTotal ?? shown ?? cart.totalPrice,
    }
    const verdict = await client.post<CreatedPayment>('/api/payments/create-from-cart', body, given)
    if ('problem' in verdict) noteSyncError(verdict.problem, figures)
    void book.getCart(true).catch(() => {})
    return verdict
  }

  async function takeUp(): Promise<void> {
    if ((await kept.takeUp()) > 0) await book.getCart(true)
  }

  async function recover(): Promise<Cart> {
    try {
      book.clear()
      const cart = await book.getCart(true)
      if (owner !== undefined) await merge(owner)
      const recovered = (await kept.takeUp()) === 0 ? cart : await book.getCart(true)
      figures.count('cart_recovered')
      return recovered
    } catch (error) {
      figures.count('cart_recovery_failed')
      throw error
    }
  }

  return {
    state: () => state,
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    getCart: (forceRefresh = false) => book.getCart(forceRefresh),
    addItem: (productId, variantId, quantity = 1) => book.change({ kind: 'add', productId, variantId, quantity }),
    updateItem: (itemId, quantity) => book.change({ kind: 'set', itemId, quantity }),
    removeItem: (itemId) => book.change({ kind: 'remove', itemId }),
    clear: () => book.change({ kind: 'clear' }),
    checkout: async (input) => done(await beginCheckout(input)),
    beginCheckout,
    takeUp,
    recover() {
      recovering ??= recover().finally(() => (recovering = undefined))
      return recovering
    },
    dismissLeftOut() {
      tellLeftOut([])
      tabs?.send({ type: 'left-out', account: owner, leftOut: [] } satisfies TabMessage)
    },
    leave() {
      book.flush()
      void figures.flush({ leaving: true })
    },
  }
}
