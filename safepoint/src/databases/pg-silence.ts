import type { PgClient } from './pg-driver.ts'

/**
 * Gives a connection up whose server says nothing for `limit` milliseconds: its socket is closed, and what waits on it fails
 * without a SQLSTATE. One timer for all of them, as a timer for each COMMIT cost it some 5 µs; so it may be a tenth late.
 */
export function watchSilence(limit: number) {
  const waiting = new Set<{ readonly client: PgClient; readonly until: number }>()
  let timer: ReturnType<typeof setInterval> | undefined
  const look = () => {
    for (const one of waiting) {
      if (performance.now() < one.until) continue
      waiting.delete(one)
      one.client.connection?.stream?.destroy?.()
    }
    if (waiting.size > 0) return
    clearInterval(timer)
    timer = undefined
  }
  return {
    /** Call what it returns when the answer has come. */
    expectAnswer(client: PgClient): () => void {
      const one = { client, until: performance.now() + limit }
      waiting.add(one)
      timer ??= setInterval(look, Math.min(1000, limit / 10)).unref()
      return () => void waiting.delete(one)
    },
  }
}

export type SilenceWatch = ReturnType<typeof watchSilence>
