/**
 * Waits until `condition` returns something truthy, and returns that. What it throws counts as "not yet" and is the
 * cause of the time-out's error.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  options: { message?: string | (() => string); timeoutMs?: number; intervalMs?: number } = {},
): Promise<Exclude<T, false | null | undefined | 0 | ''>> {
  const { message = String(condition), timeoutMs = 5000, intervalMs = 5 } = options
  const deadline = performance.now() + timeoutMs
  let cause: unknown
  for (;;) {
    try {
      const value = await condition()
      if (value) return value as Exclude<T, false | null | undefined | 0 | ''>
      cause = undefined
    } catch (error) {
      cause = error
    }
    if (performance.now() > deadline) {
      const what = typeof message === 'string' ? message : message()
      throw new Error(`Not within ${timeoutMs} ms: ${what}`, cause === undefined ? undefined : { cause })
    }
    await new Promise((resolve) => setTimeout(resolve, intervalMs))
  }
}
