/** What is counted for the shop's own figures; nothing of it says who, or what was bought. */
export type CartFigure = 'cart_sync_error' | 'cart_recovered' | 'cart_recovery_failed' | 'cache_hit' | 'cache_miss'

export interface CartFigures {
  count(figure: CartFigure): void
  /** Sends what was counted. `leaving`: the page is going, so it is sent in a way that outlives it. Never rejects. */
  flush(options?: { readonly leaving?: boolean }): Promise<void>
}

export interface CartFiguresOptions {
  readonly baseUrl: string
  readonly headers: () => Record<string, string>
  /** Milliseconds that counts wait to be sent together. Default 10 000. */
  readonly every?: number
}

/** What the server takes in one request. */
const mostOfOne = 10_000

/** Counts in memory and sends sums: `POST /api/client-events`, at the most once in `every`. */
export function createCartFigures({ baseUrl, headers, every = 10_000 }: CartFiguresOptions): CartFigures {
  const counts = new Map<CartFigure, number>()
  let timer: ReturnType<typeof setTimeout> | undefined

  async function flush({ leaving = false } = {}): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    const authorization = headers()
    // Guests' figures are nobody's: the server takes those of accounts only.
    if (counts.size === 0 || !('authorization' in authorization)) return counts.clear()
    const events = [...counts].map(([type, count]) => ({ type, count: Math.min(count, mostOfOne) }))
    counts.clear()
    await fetch(`${baseUrl}/api/client-events`, {
      method: 'POST',
      headers: { ...authorization, 'content-type': 'application/json' },
      body: JSON.stringify({ events }),
      keepalive: leaving,
      // Figures that do not arrive are not worth a second request, nor anybody's notice.
    }).catch(() => {})
  }

  return {
    count(figure) {
      counts.set(figure, (counts.get(figure) ?? 0) + 1)
      timer ??= setTimeout(() => void flush(), every)
    },
    flush,
  }
}
