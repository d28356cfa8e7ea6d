import type { Site } from './site.ts'

/** One thing that has to hold, as a sentence. */
export interface Check {
  readonly sentence: string
  /** Throws where it does not hold; {@link NotHere} where this shop cannot be asked. */
  readonly run: (site: Site) => Promise<void>
}

/** One of the seven groups; each of its points is covered by at least one check. */
export interface CheckGroup {
  readonly name: string
  readonly points: Readonly<Record<string, readonly Check[]>>
}

export const check = (sentence: string, run: Check['run']): Check => ({ sentence, run })

/** What a check needs is not offered by this shop, or not to us: it is left out, and neither passed nor failed. */
export class NotHere extends Error {
  override readonly name = 'NotHere'
}

export interface Result {
  readonly group: string
  readonly point: string
  readonly sentence: string
  readonly outcome: 'ok' | 'FAILED' | 'left out'
  /** Milliseconds. */
  readonly took: number
  /** Why it failed, or was left out. */
  readonly error?: unknown
}

/** One after the other, each on its own people; a failure holds up nothing. */
export async function* runGroups(site: Site, groups: readonly CheckGroup[]): AsyncGenerator<Result> {
  for (const { name: group, points } of groups) {
    for (const [point, checks] of Object.entries(points)) {
      for (const one of checks) {
        yield { group, point, sentence: one.sentence, ...(await judge(site, one)) }
      }
    }
  }
}

async function judge(site: Site, { run }: Check): Promise<Pick<Result, 'outcome' | 'took' | 'error'>> {
  const began = performance.now()
  let took: number | undefined
  try {
    await perform(site, { run: (given) => run(given).finally(() => (took = performance.now() - began)) })
    return { outcome: 'ok', took: took! }
  } catch (error) {
    return { outcome: error instanceof NotHere ? 'left out' : 'FAILED', took: took ?? performance.now() - began, error }
  }
}

/** Whoever took part is free afterwards: carts emptied, unpaid orders cancelled, browsers closed. */
export async function perform(site: Site, { run }: Pick<Check, 'run'>): Promise<void> {
  try {
    await run(site)
  } finally {
    await site.tidy()
  }
}
