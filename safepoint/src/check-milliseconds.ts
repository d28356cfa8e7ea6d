/** Longest time a timer takes, some 24 days: Node fires one that is set for longer at once. */
export const longestTimer = 2 ** 31 - 1

/** Longest time that only the database counts: ten years, in milliseconds. */
export const longestTime = 10 * 365 * 24 * 3600_000

/**
 * Throws a TypeError for a time that no timer and no interval of PostgreSQL can take: a time-out that is not a number would be
 * over at once, and with it every operation.
 */
export function checkMilliseconds(
  of: string,
  times: Readonly<Record<string, number | undefined>>,
  { least = 1, most = longestTimer }: { readonly least?: number; readonly most?: number } = {},
): void {
  for (const [name, value] of Object.entries(times))
    if (value !== undefined && !(value >= least && value <= most))
      throw new TypeError(`${of}: ${name} is a number of milliseconds from ${least} to ${most}, not ${value}.`)
}
