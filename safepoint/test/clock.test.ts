import pg from 'pg'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { createSafepoint, defineOperation, outsideStep } from '../src/index.ts'
import { pgDatabase } from '../src/databases/pg.ts'
import { anything, testEngine } from './support/engine.ts'
import { until } from './support/until.ts'

const day = 24 * 3600_000
const lease = 600
let held: Promise<void> = Promise.resolve()
const steps = {
  wait: outsideStep<object, object>({
    timeout: 10_000,
    call: async (_request, { signal }) => {
      await Promise.race([held, new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))])
      return {}
    },
    settle: { repeat: { window: 60_000 } },
    keep: 'it leaves nothing',
  }),
}
const run = async (ctx: any) => ctx.steps.wait({})
const patient = defineOperation({ name: 'thing.wait', input: anything, keep: 'a test', steps, run })
const hurried = defineOperation({ name: 'thing.hurry', input: anything, keep: 'a test', deadline: 400, steps, run })
const quick = defineOperation({ name: 'thing.do', input: anything, keep: 'a test', run: async () => ({ done: true }) })
const operations = [patient, hurried, quick]
const { safepoint, sql, url } = await testEngine(operations, { lease, poll: 50 })

/** Moves the clock of this process, and of both engines in it; timers and the monotonic clock go on as they are. */
const skew = (by: number) => {
  const { now } = Date
  vi.spyOn(Date, 'now').mockImplementation(() => now() + by)
}
afterEach(() => void vi.restoreAllMocks())

const doomedDatabase = pgDatabase({ driver: pg, url, max: 4 })
/** An engine that renews no lease and takes nothing over: it is dead to the others as soon as its first lease is over. */
const doomed = createSafepoint({ database: doomedDatabase, operations, lease, poll: 60_000, recover: false })
afterAll(async () => {
  await doomed.stop({ grace: 0 })
  await doomedDatabase.close()
})
interface Row {
  state: string
  epoch: number
  holder: string
  lease_left: number
  ended_since: number
  deadline: number
  led: number
}
/** The row, with its times in milliseconds: left of the lease, since the end, and from the start to deadline and lease. */
async function rowOf(key: string): Promise<Row | undefined> {
  const ms = (interval: string, name: string) => `extract(epoch from ${interval})::float8 * 1000 as ${name}`
  const [row] = await sql<Row>(
    `select state, epoch, holder, ${ms('lease_until - clock_timestamp()', 'lease_left')},
       ${ms('clock_timestamp() - ended_at', 'ended_since')}, ${ms('deadline_at - started_at', 'deadline')},
       ${ms('lease_until - started_at', 'led')}
     from safepoint.operation where key = $1`,
    [key],
  )
  return row
}
const rowWhen = (key: string, condition: (row: Row) => boolean) =>
  until(
    async () => {
      const row = await rowOf(key)
      return row && condition(row) ? row : undefined
    },
    { timeoutMs: 5 * lease, message: () => `${key}: ${String(condition)}` },
  )

for (const [word, by] of [
  ['ahead', 3 * day],
  ['behind', -3 * day],
] as const) {
  describe(`a process whose clock is three days ${word}`, () => {
    it('I14: holds its lease by the clock of the database, and renews it', async () => {
      skew(by)
      const key = `held-${word}`
      let release = () => {}
      held = new Promise((resolve) => (release = resolve))
      const running = safepoint.run(patient, {}, { scope: 'a', key })
      const { lease_left: first } = await rowWhen(key, ({ state }) => state === 'running')
      expect(first).toBeGreaterThan(0)
      expect(first).toBeLessThanOrEqual(lease)
      // Longer than one lease: it has been renewed, and nobody took it over.
      const since = performance.now()
      const later = await rowWhen(key, ({ lease_left }) => performance.now() - since > 2 * lease && lease_left > 0)
      expect(later).toMatchObject({ state: 'running', epoch: 1 })
      release()
      expect(await running).toMatchObject({ outcome: 'succeeded' })
      const { ended_since } = await rowWhen(key, ({ state }) => state === 'succeeded')
      expect(ended_since).toBeGreaterThanOrEqual(0)
      expect(ended_since).toBeLessThan(5000)
    })

    it('I14: takes over when the lease is over by the clock of the database, not before', async () => {
      skew(by)
      const key = `dead-${word}`
      held = new Promise(() => {})
      const lost = doomed.run(patient, {}, { scope: 'a', key, wait: lease / 2 })
      const before = await rowWhen(key, ({ state }) => state === 'running')
      expect(before.epoch).toBe(1)
      expect(await lost).toMatchObject({ outcome: 'pending' })
      const taken = await rowWhen(key, ({ epoch }) => epoch === 2)
      expect(taken.holder).not.toBe(before.holder)
      // The new lease is counted from the take-over, and that came after the end of the old one.
      expect(taken.led).toBeGreaterThanOrEqual(2 * lease)
      await safepoint.cancel('a', key)
      await rowWhen(key, ({ state }) => state === 'cancelled')
    })

    it('I14, I6: is past its deadline when the database says so', async () => {
      skew(by)
      const key = `hurried-${word}`
      held = new Promise(() => {})
      const answer = await safepoint.run(hurried, {}, { scope: 'a', key })
      expect(answer).toMatchObject({ outcome: 'cancelled', reason: 'deadline' })
      const row = await rowOf(key)
      expect(row!.deadline).toBeCloseTo(400, -1)
      expect(row!.ended_since).toBeLessThan(5000)
    })

    it('I14: expires no answer before its time', async () => {
      skew(by)
      const key = `fresh-${word}`
      const first = await safepoint.run(quick, {}, { scope: 'a', key })
      const { stripOperations } = await import('../src/sql/strip-operations.ts')
      await safepoint.database.query(stripOperations(day, 0))
      const again = await safepoint.run(quick, {}, { scope: 'a', key, retryAttempt: 1 })
      expect(again).toMatchObject({ outcome: 'succeeded', replayed: true, operationId: first.operationId })
    })
  })
}
