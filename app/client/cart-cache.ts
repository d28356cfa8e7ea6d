import type { Cart } from './model.ts'

export interface HeldCart {
  readonly cart: Cart
  /** When it was asked for, in Unix milliseconds of this device. */
  readonly at: number
}

/** The cart of one account as the server last told it, kept over a reload and for the tabs that are opened next. */
export interface CartCache {
  held(): HeldCart | undefined
  /** Whether it was asked for less than `maxAge` ago, and nothing newer was heard of since. */
  isFresh(): boolean
  /** Takes an answer, unless it is older than what is held: then `false`. */
  offer(answer: HeldCart): boolean
  /** Something newer is there; what is held is shown until it has been read. */
  expire(): void
  /** Forgets it, also for the next page. */
  clear(): void
  /** Forgets it for good: an answer that is still under way is not kept any more. */
  close(): void
}

export interface CartCacheOptions {
  readonly store: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>
  /** Milliseconds. */
  readonly maxAge: number
  readonly now: () => number
}

/**
 * Whether `answer` tells of an earlier state than `held` does. Versions of one account's carts go on from one cart to the
 * next; a cart that began later is newer whatever its number (after an import, say).
 */
export function isOlder(answer: HeldCart, held: HeldCart): boolean {
  const [a, b] = [answer.cart, held.cart]
  if (a.id !== b.id && a.createdAt !== b.createdAt) return a.createdAt < b.createdAt
  // The same version can have two prices; the one that was asked for last is right.
  return a.version === b.version ? answer.at < held.at : a.version < b.version
}

/** Where an account's cart is kept. */
export const cartCacheName = (account: string): string => `pantry:cart:${account}`

/** A guest's cart (no account) is kept in memory: what it is made from has its own place. */
export function createCartCache(account: string | undefined, { store, maxAge, now }: CartCacheOptions): CartCache {
  const name = account === undefined ? undefined : cartCacheName(account)
  let held = name === undefined ? undefined : readHeld(store, name)
  let expired = false
  let closed = false
  const clear = () => {
    held = undefined
    if (name !== undefined) store.removeItem(name)
  }
  return {
    held: () => held,
    // A clock that was set back makes nothing fresh for ever.
    isFresh: () => held !== undefined && !expired && Math.abs(now() - held.at) < maxAge,
    offer(answer) {
      if (closed || (held && isOlder(answer, held))) return false
      held = answer
      expired = false
      try {
        if (name !== undefined) store.setItem(name, JSON.stringify(answer))
      } catch {
        // A full storage costs the next page one read.
      }
      return true
    },
    expire() {
      expired = true
    },
    clear,
    close() {
      closed = true
      clear()
    },
  }
}

function readHeld(store: CartCacheOptions['store'], name: string): HeldCart | undefined {
  try {
    const kept = JSON.parse(store.getItem(name) ?? 'null') as HeldCart | null
    return Array.isArray(kept?.cart.items) && typeof kept.at === 'number' ? kept : undefined
  } catch {
    return undefined
  }
}
