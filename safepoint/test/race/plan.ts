import type { Isolation } from '../../src/index.ts'
import type { RaceInput } from './race-operations.ts'

/** A repeatable source of chance (mulberry32): the same seed gives the same plans. */
export function chance(seed: number) {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    between: (low: number, high: number) => low + next() * (high - low),
    whole: (below: number) => Math.floor(next() * below),
    once: (of: number) => next() * of < 1,
    one: <T>(of: readonly T[]): T => of[Math.floor(next() * of.length)]!,
  }
}

export type Chance = ReturnType<typeof chance>

/** One race: who runs what when, and who cancels it when. Times are milliseconds from the call of the run. */
export interface RacePlan {
  readonly isolation: Isolation
  readonly input: Omit<RaceInput, 'id'>
  /** No signal reaches it: it learns of the cancel at the gate. */
  readonly deaf: boolean
  readonly runner: number
  readonly canceller: number
  readonly cancelAt: number
  /** The same request once more, at the same time. */
  readonly duplicate: { readonly server: number; readonly at: number; readonly otherInput: boolean } | undefined
  /** A second cancel, sent when the handler has done its work and the gate is next: milliseconds after that. */
  readonly aimed: { readonly server: number; readonly after: number } | undefined
  readonly replayer: number
}

/** How long a transaction of the race works, in milliseconds, and from when to when the cancel lands. */
export const workTime = 150
export const cancelWindow = { from: -10, to: 170 }

export function planRace(random: Chance): RacePlan {
  const parts = 2 + random.whole(4)
  const runner = random.whole(2)
  return {
    isolation: random.one(['read committed', 'repeatable read', 'serializable'] as const),
    input: {
      parts: Array.from({ length: parts }, () => ({
        of: random.one(['statement', 'handler'] as const),
        milliseconds: workTime / parts,
      })),
      obeys: random.once(2),
      failsAtCommit: random.once(8),
      declines: random.once(8),
      ledgerSlot: random.once(2) ? random.whole(2) : undefined,
    },
    deaf: random.once(4),
    runner,
    canceller: random.whole(2),
    cancelAt: random.between(cancelWindow.from, cancelWindow.to),
    duplicate: random.once(3)
      ? { server: random.whole(2), at: random.between(0, workTime), otherInput: random.once(6) }
      : undefined,
    aimed: random.once(5) ? { server: random.whole(2), after: random.between(0, 2) } : undefined,
    replayer: random.whole(2),
  }
}
