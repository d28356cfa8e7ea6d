import { afterAll, beforeAll, expect, test } from 'vitest'
import { chargePoints, crashAt, nameOf, openCrashSite, type CrashPoint, type CrashSite } from './crash.ts'
import { startDatabases } from './own-database.ts'
import { startStripe, type Running } from './processes.ts'

// `npm run crash` kills at every point; here at those where most can go wrong.
const statements: readonly CrashPoint[] = [
  { way: 'forward', statement: 'sp_record_answer', nth: 1, when: 'before' },
  { way: 'forward', statement: 'sp_succeed_operation', nth: 1, when: 'after' },
]

let databases: Awaited<ReturnType<typeof startDatabases>>
let gateway: Running
let sites: CrashSite[] = []

beforeAll(async () => {
  databases = await startDatabases({ count: 2, fsync: true })
  gateway = await startStripe()
  sites = await Promise.all(databases.urls.map((databaseUrl) => openCrashSite({ databaseUrl, stripeUrl: gateway.url })))
})

afterAll(async () => {
  await Promise.all(sites.map((site) => site.close()))
  await gateway.end('SIGTERM')
  await databases.stop()
})

test(
  'I1, I3: a server killed during its charge, or between two statements, leaves a checkout that ends truthfully within 7 s, with one charge',
  { timeout: 60_000 },
  async () => {
    const crashes = await crashAt(sites, [...chargePoints, ...statements])
    for (const { point, endedAs, charges, wrong } of crashes) {
      expect(wrong, `killed ${point.when} ${nameOf(point)}`).toEqual([])
      expect([nameOf(point), endedAs, charges]).toEqual([nameOf(point), 'succeeded', 1])
    }
    expect(crashes).toHaveLength(5)
  },
)
