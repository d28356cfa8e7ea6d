import { cartCacheName } from './cart-cache.ts'
import type { CartManager } from './cart-manager.ts'
import type { CartFigures } from './cart-figures.ts'
import { noteSyncError } from './cart-sync-error.ts'
import { problemOf } from './problem-of.ts'

/** What other programs of this origin, and earlier ones of ours, keep of a cart: nothing here reads it, and it only misleads. */
const staleNames = ['cartId', 'cartData']

export interface CartRecoveryOptions {
  readonly cart: Pick<CartManager, 'recover'>
  readonly figures: Pick<CartFigures, 'count'>
  readonly account: () => string | undefined
  /** Milliseconds between two recoveries, over reloads too. Default 30 000. */
  readonly every?: number
}

interface Rejection {
  readonly reason: unknown
  preventDefault(): void
}

/** What is used of a `Window`. */
export interface RecoveryWindow {
  readonly localStorage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>
  readonly sessionStorage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>
  addEventListener(type: 'unhandledrejection', listener: (event: Rejection) => void): void
  removeEventListener(type: 'unhandledrejection', listener: (event: Rejection) => void): void
}

const lastName = 'pantry:cart-recovered-at'

/**
 * Catches cart errors that nobody caught, told by their `code` and never by their words, and mends the page in place: stale
 * entries go, the cart is read afresh, and its subscribers render it. Nothing is reloaded, so there is no loop; a second
 * error within `every` is left to the console. Answers with what takes it off again.
 */
export function installCartRecovery(window: RecoveryWindow, options: CartRecoveryOptions): () => void {
  const { cart, figures, account, every = 30_000 } = options
  const caught = (event: Rejection) => {
    if (!noteSyncError(problemOf(event.reason), figures)) return
    if (!isDue(window.sessionStorage, every)) return
    event.preventDefault()
    removeStale(window, account())
    // Whether it succeeded is counted, and shown by the cart's own state.
    void cart.recover().catch(() => {})
  }
  window.addEventListener('unhandledrejection', caught)
  return () => window.removeEventListener('unhandledrejection', caught)
}

function isDue(storage: RecoveryWindow['sessionStorage'], every: number): boolean {
  const now = Date.now()
  const last = Number(storage.getItem(lastName) ?? Number.NaN)
  // A clock that was set back must not forbid recovery for ever.
  if (Math.abs(now - last) < every) return false
  storage.setItem(lastName, String(now))
  return true
}

function removeStale({ localStorage, sessionStorage }: RecoveryWindow, account: string | undefined): void {
  const own = account === undefined ? [] : [cartCacheName(account)]
  for (const storage of [localStorage, sessionStorage])
    for (const name of [...staleNames, ...own]) storage.removeItem(name)
}
