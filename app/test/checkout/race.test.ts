import { expect, test } from 'vitest'
import { testDatabase } from '../../../safepoint/test/support/database.ts'
import { raceCheckout } from './race.ts'

const { url } = await testDatabase({ template: 'app' })

test(
  'I1, I2, I3, I9, I11: 100 checkouts raced by cancels from two server processes, half of the charges deaf: every answer agrees with the rows and the book of the gateway',
  { timeout: 60_000 },
  async () => {
    const seed = Date.now() % 1_000_000
    const report = await raceCheckout({ databaseUrl: url, runs: 100, concurrency: 4, chargeMs: 20, seed })
    expect(report.untrue, `seed ${seed}`).toEqual([])
    expect(report.unbalanced).toEqual([])
    expect(report.raced).toHaveLength(100)
    expect(report.cancels.answered).toBe(100)
    // A race that meets only one outcome has proved nothing.
    const met = Object.keys(report.outcomes)
    for (const outcome of ['cancelled, before it arrived', 'undoing, then cancelled', 'too_late, succeeded'])
      expect(met, `seed ${seed}`).toContain(outcome)
    expect(report.midCharge.deaf).toBeGreaterThan(0)
    expect(report.raced.filter(({ deaf }) => deaf).length).toBeGreaterThan(25)
  },
)
