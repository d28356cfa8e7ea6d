import { isOlder, type CartCache, type HeldCart } from './cart-cache.ts'
import { findItemId, projectCart, type CartEdit, type Describe } from './cart-edits.ts'
import type { CartFigures } from './cart-figures.ts'
import { CartRefused } from './cart-refused.ts'
import { noteSyncError } from './cart-sync-error.ts'
import type { CartSource } from './cart-source.ts'
import { createCartWrites } from './cart-writes.ts'
import { coalesceReads } from './coalesce-reads.ts'
import type { Cart } from './model.ts'
import { problemOf } from './problem-of.ts'

/** What the server tells of a cart's change: enough to see whether it has to be read. */
export interface CartNews {
  /** 0: there is no cart yet. */
  readonly version: number
  readonly cartId?: string | null
}

/** One person's cart as this tab knows it: what is held, what was asked for, and which answers count. */
export interface CartBook {
  /** With what was asked for already in it; undefined before it was first read. */
  shown(): Cart | undefined
  saving(): boolean
  /** Resolves once nothing that was asked for is without its answer. */
  settled(): Promise<void>
  getCart(forceRefresh: boolean): Promise<Cart>
  change(edit: CartEdit): Promise<Cart>
  /** What another tab, or a merge, was answered. */
  offer(answer: HeldCart): void
  /** `leading`: this tab reads it for all. */
  hear(news: CartNews, told: { readonly leading: boolean }): void
  /** Forgets what is held; what was asked for goes on. */
  clear(): void
  /** As `clear`, and for good: its owner has left. */
  close(): void
  flush(): void
}

export interface CartBookOptions {
  readonly source: CartSource
  readonly cache: CartCache
  readonly describe: Describe
  readonly figures: Pick<CartFigures, 'count'>
  readonly now: () => number
  /** An answer of the server, for the other tabs. */
  readonly share: (answer: HeldCart) => void
  readonly changed: () => void
  /** What a read, or a change, came to; undefined: it succeeded. */
  readonly trouble: (of: 'read' | 'change', error: unknown) => void
  /** Milliseconds that a tab waits for the one that leads before it reads by itself. */
  readonly patience: number
}

export function createCartBook(options: CartBookOptions): CartBook {
  const { source, cache, describe, figures, now, share, changed, trouble, patience } = options
  /** An answer that may hold a change which is still shown on top: it counts once nothing is. */
  let aside: HeldCart | undefined
  let behind = false
  let atRest: Array<() => void> = []

  const writes = createCartWrites({
    async send(edit) {
      if (!('itemId' in edit)) return source.write(edit)
      const itemId = findItemId(cache.held()?.cart, edit.itemId)
      if (itemId === undefined) throw new CartRefused('cart_item_not_found', 'There is no such line in the cart.')
      return source.write({ ...edit, itemId })
    },
    answered: (cart) => keep({ cart, at: now() }, { shared: true }),
    changed,
    rested(errors) {
      if (aside) keep(aside, { shared: false })
      aside = undefined
      for (const resolve of atRest) resolve()
      atRest = []
      // After a burst one read, and only where something was missed. What was refused was shown wrongly.
      const outOfStep = errors.filter((error) => noteSyncError(problemOf(error), figures)).length > 0
      if (outOfStep) mend()
      else if (errors.length > 0 || (behind && !cache.isFresh())) refresh()
      behind = false
    },
  })
  const isBusy = () => writes.edits().length > 0

  function keep(answer: HeldCart, { shared }: { readonly shared: boolean }): void {
    if (!cache.offer(answer)) return
    if (shared) share(answer)
    changed()
  }

  function take(answer: HeldCart, told: { readonly shared: boolean }): void {
    if (!isBusy() || cache.held() === undefined) return keep(answer, told)
    if (told.shared) share(answer)
    if (aside === undefined || !isOlder(answer, aside)) aside = answer
  }

  const read = coalesceReads(async () => {
    const at = now()
    try {
      const answer = { cart: await source.read(), at }
      take(answer, { shared: true })
      trouble('read', undefined)
      const held = cache.held()
      return held && isOlder(answer, held) ? held.cart : answer.cart
    } catch (error) {
      trouble('read', error)
      throw error
    }
  })
  /** For whoever looks on; the error is in the state. */
  const refresh = () => void read(true).catch(() => {})

  const mend = () =>
    void read(true).then(
      () => figures.count('cart_recovered'),
      () => figures.count('cart_recovery_failed'),
    )

  return {
    shown() {
      const held = cache.held()
      return held && projectCart(held.cart, writes.edits(), describe)
    },
    saving: isBusy,
    settled: () => (isBusy() ? new Promise((resolve) => atRest.push(resolve)) : Promise.resolve()),
    async getCart(forceRefresh) {
      const held = cache.held()
      if (!forceRefresh && held && cache.isFresh()) {
        figures.count('cache_hit')
        return held.cart
      }
      if (!forceRefresh) figures.count('cache_miss')
      return read(forceRefresh)
    },
    async change(edit) {
      try {
        const cart = await writes.add(edit)
        trouble('change', undefined)
        return cart
      } catch (error) {
        trouble('change', error)
        throw error
      }
    },
    offer: (answer) => take(answer, { shared: false }),
    hear({ version, cartId }, { leading }) {
      const isNews = () => {
        const held = cache.held()?.cart
        if (held === undefined) return true
        return held.version < version || (cartId !== undefined && cartId !== null && cartId !== held.id)
      }
      if (version === 0 || !isNews()) return
      cache.expire()
      // Most likely our own change, whose answer is on its way.
      if (isBusy()) behind = true
      else if (leading) refresh()
      else setTimeout(() => isNews() && refresh(), patience)
    },
    clear() {
      aside = undefined
      cache.clear()
    },
    close() {
      aside = undefined
      cache.close()
    },
    flush: () => writes.flush(),
  }
}
