import { createClient } from 'safepoint/client'
import type { CartNews } from '../../client/cart-book.ts'
import type { Shopper } from './shoppers.ts'
import type { Site } from './site.ts'

export interface HeardNews {
  /** What is told next; the first is how things stand. */
  next(): Promise<CartNews>
  close(): Promise<void>
}

/** The event stream of somebody's cart, as another device of theirs has it. */
export function listenToCart({ urls }: Site, { token }: Shopper): HeardNews {
  const client = createClient({ baseUrl: urls.at(-1)!, headers: () => ({ authorization: `Bearer ${token}` }) })
  const leaving = new AbortController()
  const late = setTimeout(() => leaving.abort(new Error('Nothing was told within 10 s.')), 10_000)
  const events = client.events('/api/cart/events', { signal: leaving.signal })[Symbol.asyncIterator]()
  return {
    async next() {
      const { value, done } = await events.next()
      if (done) throw new Error('The event stream has ended.')
      return JSON.parse(value.data) as CartNews
    },
    async close() {
      clearTimeout(late)
      leaving.abort()
      await events.return?.()
    },
  }
}
