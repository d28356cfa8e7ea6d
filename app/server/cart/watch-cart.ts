import type { SignalBus } from 'safepoint'
import type { Reader } from '../database.ts'
import { findCartStanding } from './cart.queries.ts'
import { cartTopic } from './cart.ts'

export interface CartWatch {
  readonly bus: SignalBus
  readonly database: Reader
  readonly accountId: string
  readonly signal: AbortSignal
  /** Milliseconds after which it is read without having been told: signals may be lost. Default 10 000. */
  readonly poll?: number
}

export interface CartNews {
  /** 0: there is no cart yet. */
  readonly version: number
  /** An order takes the cart with it, and versions begin anew with the next one. */
  readonly cartId: string | null
}

/**
 * The version of an account's active cart, now and after each change. A signal only says when to look: what is told was read,
 * so that it is never older than what was told before, and changes that come close together are told as one.
 */
export async function* watchCart({
  bus,
  database,
  accountId,
  signal,
  poll = 10_000,
}: CartWatch): AsyncGenerator<CartNews> {
  let wake: (() => void) | undefined
  let stale = true
  const look = () => {
    stale = true
    wake?.()
  }
  const stops = [bus.subscribe(cartTopic(accountId), look), bus.onGap(look)]
  signal.addEventListener('abort', look, { once: true })
  let told: string | undefined
  try {
    while (!signal.aborted) {
      stale = false
      const standing = await findCartStanding(database, accountId)
      if (signal.aborted) return
      const now = JSON.stringify(standing ?? null)
      if (now !== told) {
        told = now
        yield { version: standing?.version ?? 0, cartId: standing?.id ?? null }
      }
      if (stale || signal.aborted) continue
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, poll)
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
      wake = undefined
    }
  } finally {
    signal.removeEventListener('abort', look)
    for (const stop of stops) stop()
  }
}
