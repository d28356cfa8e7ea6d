/** What our clients count and tell of: how often their cart disagreed with the server's, and what became of it; reads saved. */
export const clientEventTypes = [
  'cart_sync_error',
  'cart_recovered',
  'cart_recovery_failed',
  'cache_hit',
  'cache_miss',
] as const

export type ClientEventType = (typeof clientEventTypes)[number]

const counts: Record<ClientEventType, number> = {
  cart_sync_error: 0,
  cart_recovered: 0,
  cart_recovery_failed: 0,
  cache_hit: 0,
  cache_miss: 0,
}

/** Adds to what this process has counted. */
export function countClientEvents(
  events: ReadonlyArray<{ readonly type: ClientEventType; readonly count: number }>,
): void {
  for (const { type, count } of events) counts[type] += count
}

/** What this process was told since it started: counters that only rise, as a metrics page wants them. */
export const readClientEvents = (): Readonly<Record<ClientEventType, number>> => ({ ...counts })
