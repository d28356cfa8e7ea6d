import { setTimeout as pause } from 'node:timers/promises'

/**
 * A shop that is open admits so many sign-ins an address and minute, and says how long to wait: whoever comes too early waits
 * that long, and a minute at the most.
 */
export async function waitTurn({ retryAfterMs = 1000 }: { readonly retryAfterMs?: number }): Promise<void> {
  const milliseconds = Math.min(60_000, retryAfterMs)
  console.log(`    (the shop admits nobody for ${(milliseconds / 1000).toFixed(0)} s: waiting)`)
  await pause(milliseconds)
}
