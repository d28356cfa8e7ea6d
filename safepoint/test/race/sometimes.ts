import type { Answer, CancelAnswer } from '../../src/index.ts'
import type { Raced } from './race.ts'
import type { Trace } from './race-operations.ts'

/** How often a race met what it is about. One that stays at zero means that the race has proved nothing about it. */
export type Sometimes = ReturnType<typeof countSometimes>

export function countSometimes(raced: readonly Raced[]) {
  const runs = raced.flatMap((race) => race.told.filter(({ call }) => call === 'run'))
  const cancels = raced.flatMap((race) => race.told.filter(({ call }) => call === 'cancel'))
  const saidOf = <T>(one: { readonly said?: unknown }) => one.said as T | undefined
  const told = (outcome: CancelAnswer['outcome'], state?: string) =>
    cancels.filter((one) => {
      const said = saidOf<CancelAnswer & { state?: string }>(one)
      return said?.outcome === outcome && (state === undefined || said.state === state)
    }).length
  const count = (met: (race: Raced) => boolean) => raced.filter(met).length
  const first = (race: Raced, who: string) => race.told.find((one) => one.who.startsWith(who))
  const outcome = (race: Raced, who: string) => saidOf<Answer>(first(race, who) ?? {})?.outcome

  return {
    cancelled: told('cancelled'),
    tooLateSucceeded: told('too_late', 'succeeded'),
    tooLateFailed: told('too_late', 'failed'),
    interrupted: cancels.filter((one) => saidOf<{ interrupted?: boolean }>(one)?.interrupted).length,
    /** Before the operation arrived. */
    tombstoneFirst: count(
      (race) =>
        outcome(race, 'canceller') === 'cancelled' && first(race, 'canceller')!.toldAt < first(race, 'runner')!.sentAt,
    ),
    /** A handler in one process was stopped by a cancel in the other. */
    stoppedFromElsewhere: count(
      (race) =>
        race.plan.canceller !== race.plan.runner &&
        outcome(race, 'canceller') === 'cancelled' &&
        (first(race, 'runner')?.traces ?? []).some(stoppedMidway),
    ),
    /** A handler returned unsignalled while its key was being cancelled, and met the tombstone. */
    lostGate: count((race) => {
      const run = first(race, 'runner')
      return outcome(race, 'runner') === 'cancelled' && (run?.traces ?? []).some(returnedUnsignalled)
    }),
    /** Two processes did the work of one key, and one of them lost to the other at the gate. */
    lostGateToDuplicate: count((race) =>
      race.told.some((one) => {
        const said = saidOf<Answer>(one)
        const id = said?.outcome === 'succeeded' ? said.operationId : undefined
        return (
          id !== undefined && one.traces.some((trace) => trace.returnedAt !== undefined && trace.operationId !== id)
        )
      }),
    ),
    /** COMMIT itself failed, on a deferred constraint, with a cancel about. */
    failedAtCommit: count(
      (race) => race.plan.input.failsAtCommit && (first(race, 'runner')?.traces ?? []).some(returnedUnsignalled),
    ),
    declined: runs.filter((one) => saidOf<Answer>(one)?.outcome === 'failed').length,
    runAgain: runs.filter(({ traces }) => traces.some(({ attempt }) => attempt > 1)).length,
    replayed: runs.filter((one) => saidOf<Answer>(one)?.replayed).length,
    keyReused: runs.filter(({ threw }) => threw?.code === 'key_reused').length,
    /** A handler that does not listen was stopped all the same. */
    ignoredItsSignal: count(
      (race) =>
        !race.plan.input.obeys &&
        outcome(race, 'runner') === 'cancelled' &&
        (first(race, 'runner')?.traces ?? []).some(stoppedMidway),
    ),
    /** A cancel that could not be decided in time: nothing was told. */
    cancelUnavailable: cancels.filter(({ threw }) => threw).length,
  }
}

const returnedUnsignalled = ({ returnedAt, signalledAt }: Trace) =>
  returnedAt !== undefined && signalledAt === undefined
/** Answered before the handler came to its end. */
const stoppedMidway = ({ returnedAt }: Trace) => returnedAt === undefined
