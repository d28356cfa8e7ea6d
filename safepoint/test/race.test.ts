import { inspect } from 'node:util'
import { expect, it } from 'vitest'
import { raceAtomic } from './race/race.ts'
import { testDatabase } from './support/database.ts'

const { url } = await testDatabase()

it('I1, I2, I3, I4, I9: whoever asks while a cancel and a commit race, in two processes, is told the truth', async () => {
  const seed = Number(process.env.RACE_SEED ?? Date.now() % 1_000_000)
  const { untrue, ledger, sometimes, answers } = await raceAtomic({ url, runs: 100, concurrency: 20, seed })
  expect(untrue.length, `seed ${seed}: ${inspect(untrue, { depth: 8 })}`).toBe(0)
  expect(ledger.written).toBe(ledger.promised)
  expect(answers).toBeGreaterThan(700)
  // A race that does not meet these has proved nothing about them.
  for (const met of [
    'cancelled',
    'tooLateSucceeded',
    'interrupted',
    'stoppedFromElsewhere',
    'lostGate',
    'replayed',
    'ignoredItsSignal',
  ] as const)
    expect(sometimes[met], `seed ${seed}: ${met} in ${inspect(sometimes)}`).toBeGreaterThan(0)
})
