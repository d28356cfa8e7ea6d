import type { Point } from './stripe-control.ts'

/** One race: who is asked to confirm, and who to cancel when. Moments are shares of the time that the checkout takes. */
export interface RacePlan {
  readonly runner: number
  readonly canceller: number
  readonly cancelAt: number
  /** The same request once more. */
  readonly duplicate: { readonly server: number; readonly at: number } | undefined
  /** The gateway takes longer over this charge. */
  readonly delay: { readonly at: Point; readonly ms: number } | undefined
  readonly declines: boolean
}

/** From before the operation has arrived until after it has ended. */
export const cancelWindow = { from: -0.15, to: 1.35 }

export function planRaces({ seed, runs, chargeMs }: { seed: number; runs: number; chargeMs: number }): RacePlan[] {
  const next = mulberry32(seed)
  const between = (low: number, high: number) => low + next() * (high - low)
  const one = <T>(of: readonly T[]): T => of[Math.floor(next() * of.length)]!
  const sometimes = <T>(share: number, what: () => T): T | undefined => (next() < share ? what() : undefined)
  return Array.from({ length: runs }, () => ({
    runner: one([0, 1]),
    canceller: one([0, 1]),
    cancelAt: between(cancelWindow.from, cancelWindow.to),
    duplicate: sometimes(1 / 4, () => ({ server: one([0, 1]), at: between(0, 1) })),
    delay: sometimes(3 / 4, () => ({
      at: one(['arrived', 'begun', 'executed'] as const),
      ms: Math.round(between(0, chargeMs)),
    })),
    declines: sometimes(1 / 16, () => true) ?? false,
  }))
}

/** A repeatable source of chance: the same seed gives the same plans. */
export function mulberry32(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
