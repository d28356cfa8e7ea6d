import { sqlState, type StopSignal } from './database.ts'

/** Full jitter (Brooker, "Exponential Backoff And Jitter"), in milliseconds. */
export function backOff(attempt: number, base = 20, cap = 3000): number {
  return Math.ceil(Math.random() * Math.min(cap, base * 2 ** attempt))
}

export function sleep(milliseconds: number, signal?: StopSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const onAbort = () => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    }, milliseconds)
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

export function describe(error: unknown): string {
  return error instanceof Error ? (sqlState(error) ?? error.message) : String(error)
}
