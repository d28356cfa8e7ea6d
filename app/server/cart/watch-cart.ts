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
 * The version of an account's active cart, now and after each change. A signal that says which version its transaction has
 * committed is passed on as it is (versions of an account only rise), so that a device is told without another look at the
 * database; any other signal, a gap and the poll only say when to look. What is told is never older than what was told before,
 * and changes that come while the last one is being told are told as one.
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
  let heard: CartNews | undefined
  let told: CartNews | undefined
  const look = () => {
    stale = true
    wake?.()
  }
  const hear = (data: string) => {
    const news = readNews(data)
    if (!news || !told || news.version <= told.version) return look()
    if (!heard || news.version > heard.version) heard = news
    wake?.()
  }
  const stops = [bus.subscribe(cartTopic(accountId), hear), bus.onGap(look)]
  signal.addEventListener('abort', look, { once: true })
  try {
    while (!signal.aborted) {
      let news = heard
      heard = undefined
      if (stale) {
        stale = false
        const standing = await findCartStanding(database, accountId)
        if (signal.aborted) return
        news = { version: standing?.version ?? 0, cartId: standing?.id ?? null }
      }
      if (news && (news.version !== told?.version || news.cartId !== told.cartId)) {
        told = news
        yield news
      }
      if (stale || heard || signal.aborted) continue
      await new Promise<void>((resolve) => {
        const timer = setTimeout(look, poll)
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

/** `undefined`: it does not say what there is now, only that something has changed. */
function readNews(data: string): CartNews | undefined {
  try {
    const { version, cartId } = JSON.parse(data) as Partial<CartNews>
    return Number.isSafeInteger(version) && typeof cartId === 'string' ? { version: version!, cartId } : undefined
  } catch {
    return undefined
  }
}
