import pg from 'pg'
import { afterAll, describe, expect, it } from 'vitest'
import { createSafepoint, defineOperation, type CancelAnswer, type SafepointOptions } from '../src/index.ts'
import { isAway } from '../src/database.ts'
import { pgDatabase, type PgDatabaseOptions } from '../src/databases/pg.ts'
import { commitLosses } from './support/commit-loss.ts'
import { anything, testEngine } from './support/engine.ts'
import { startTcpProxy, type TcpProxyOptions } from './support/tcp-proxy.ts'
import { until } from './support/until.ts'

let runs = 0
const insert = defineOperation({
  name: 'thing.insert',
  input: anything,
  keep: 'a test',
  deadline: 15_000,
  async run(ctx, input: { id: string; text?: string }) {
    runs++
    await ctx.tx.query('insert into thing (id) values ($1::text)', [input.id])
    if (input.text) await ctx.tx.query(input.text)
    return { id: input.id }
  },
})
const hurried = defineOperation({ ...insert, name: 'thing.hurry', deadline: 300 })
const operations = [insert, hurried]
const { safepoint, sql, url } = await testEngine(operations)
const opened: Array<() => Promise<void>> = []
afterAll(() => Promise.all(opened.map((close) => close())))

/** An engine that reaches the database through a proxy of its own, for everything, or for LISTEN alone. */
async function engineBehindProxy(
  options: Partial<SafepointOptions<any>> & {
    intercept?: TcpProxyOptions['intercept']
    through?: 'everything' | 'listen'
    pg?: Partial<PgDatabaseOptions>
  } = {},
) {
  const { intercept, through = 'everything', pg: pgOptions, ...engineOptions } = options
  const proxy = await startTcpProxy(url, intercept && { intercept })
  const database = pgDatabase({
    driver: pg,
    url: through === 'everything' ? proxy.url : url,
    directUrl: proxy.url,
    max: 8,
    ...pgOptions,
  })
  const engine = createSafepoint({ database, operations, poll: 100, ...engineOptions })
  await engine.start()
  opened.push(async () => {
    await proxy.restore()
    await engine.stop({ grace: 1000 })
    await database.close()
    await proxy.close()
  })
  return { engine, proxy }
}

let n = 0
const unique = () => `k${++n}`
const stored = async (id: string) => (await sql('select 1 from thing where id = $1', [id])).length > 0
const stateOf = async (key: string) =>
  (await sql('select state from safepoint.operation where key = $1', [key]))[0]?.state
const active = (text: string) =>
  until(async () => {
    const [row] = await sql(
      `select pid from pg_stat_activity where datname = current_database() and state = 'active' and query = $1`,
      [text],
    )
    return row?.pid as number | undefined
  })

/** What somebody was told, in one word. */
type Told = 'succeeded' | 'cancelled' | 'nothing'
const toldBy = (answer: { outcome: string; state?: string; result?: unknown }): Told =>
  answer.outcome === 'too_late' ? (answer.state as Told) : (answer.outcome as Told)
const openCodes = new Set(['indeterminate', 'unavailable'])
/** Nothing was promised by an answer that says so; any other error is a defect. */
const orNothing = (error: unknown): Told => {
  if (openCodes.has((error as { code: string }).code)) return 'nothing'
  throw error
}

/** I1, I2, I3: compares everything that was told about a key with its rows, after everything has ended. */
async function expectTruth(key: string, told: readonly Told[]): Promise<Told> {
  const last: CancelAnswer = await safepoint.cancel('a', key)
  const end = toldBy(last)
  expect(end, key).toBe((await stored(key)) ? 'succeeded' : 'cancelled')
  expect(await stateOf(key), key).toBe(end)
  for (const one of told) expect([end, 'nothing'], `${key} was told ${told.join(', ')}`).toContain(one)
  return end
}

describe('a connection lost inside COMMIT', () => {
  it('I1, I2, I3: 50 runs, each asked again and cancelled at once: every answer is the truth, or says that there is none', async () => {
    const losses = commitLosses()
    const { engine } = await engineBehindProxy({ intercept: losses.intercept })
    const ways = ['before it arrives', 'as it arrives', 'before its answer'] as const
    const ends = new Map<string, number>()
    for (let round = 0; round < 50; round++) {
      const key = unique()
      const loss = ways[round % 3]!
      // Every fifth time each repetition is lost as well, so that the engine gives up asking.
      const lost = losses.plan(key, ...(round % 5 === 4 ? [loss, loss, loss] : [loss]))
      const first = engine.run(insert, { id: key }, { scope: 'a', key }).then(toldBy, orNothing)
      await lost
      const retry = () =>
        safepoint.run(insert, { id: key }, { scope: 'a', key, retryAttempt: 1 }).then(toldBy, orNothing)
      const cancel = () => (round % 2 ? safepoint : engine).cancel('a', key).then(toldBy, orNothing)
      const others = (round % 4 < 2 ? [retry, cancel] : [cancel, retry]).map((ask) => ask())
      const end = await expectTruth(key, await Promise.all([first, ...others]))
      ends.set(end, (ends.get(end) ?? 0) + 1)
    }
    expect(new Set(ends.keys())).toEqual(new Set(['succeeded', 'cancelled']))
  })

  it('I3: is indeterminate when every repetition is lost too, and the same key tells later', async () => {
    const losses = commitLosses()
    const { engine } = await engineBehindProxy({ intercept: losses.intercept })
    const key = unique()
    void losses.plan(key, ...Array.from({ length: 9 }, () => 'before it arrives' as const))
    await expect(engine.run(insert, { id: key }, { scope: 'a', key })).rejects.toMatchObject({
      code: 'indeterminate',
      retryable: true,
    })
    expect(await stored(key)).toBe(false)
    void losses.plan(key)
    const again = await engine.run(insert, { id: key }, { scope: 'a', key, retryAttempt: 1 })
    expect(again).toMatchObject({ outcome: 'succeeded', replayed: false })
    const committed = unique()
    void losses.plan(committed, 'before its answer')
    runs = 0
    // Its own row is found, and nothing is run a second time to learn of it.
    expect(await engine.run(insert, { id: committed }, { scope: 'a', key: committed })).toMatchObject({
      outcome: 'succeeded',
      replayed: false,
    })
    expect(runs).toBe(1)
    expect(await stored(committed)).toBe(true)
  })
})

describe('a database that is away', () => {
  it('is answered unavailable within 2 s, for runs, cancels and reads, and the engine is well again by itself', async () => {
    const { engine, proxy } = await engineBehindProxy()
    for (const trouble of [() => proxy.refuse(), () => (proxy.cut(), proxy.swallow())]) {
      const key = unique()
      expect(await engine.run(insert, { id: key }, { scope: 'a', key })).toMatchObject({ outcome: 'succeeded' })
      await trouble()
      const started = performance.now()
      const asked = await Promise.allSettled([
        engine.run(insert, { id: `${key}-a` }, { scope: 'a', key: `${key}-a` }),
        engine.run(insert, { id: key }, { scope: 'a', key, retryAttempt: 1 }),
        engine.cancel('a', key),
        engine.find('a', key),
      ])
      expect(performance.now() - started).toBeLessThan(2000)
      for (const one of asked) expect(one).toMatchObject({ status: 'rejected', reason: { retryable: true } })
      const codes = asked.map((one) => (one as PromiseRejectedResult).reason.code)
      // A cancel whose connection broke under it cannot know whether it has arrived.
      expect(['unavailable', 'indeterminate']).toContain(codes.splice(2, 1)[0])
      expect(codes).toEqual(['unavailable', 'unavailable', 'unavailable'])
      await proxy.restore()
      expect(await engine.run(insert, { id: `${key}-a` }, { scope: 'a', key: `${key}-a` })).toMatchObject({
        outcome: 'succeeded',
        replayed: false,
      })
      expect(await engine.cancel('a', key)).toMatchObject({ outcome: 'too_late', state: 'succeeded' })
    }
  })

  it('is told about in bounded time also on connections that stand and have gone silent', async () => {
    const { engine, proxy } = await engineBehindProxy()
    const key = unique()
    const text = `select pg_sleep(1), '${key}'`
    await Promise.all([engine.find('a', key), engine.cancel('a', `${key}-b`), engine.cancel('a', `${key}-c`)])
    const running = engine.run(hurried, { id: key, text }, { scope: 'a', key }).then(toldBy, orNothing)
    await active(text)
    proxy.swallow()
    const started = performance.now()
    expect(await engine.cancel('a', key).then(toldBy, orNothing)).toBe('nothing')
    expect(await running).toBe('nothing')
    expect(performance.now() - started).toBeLessThan(12_000)
    await proxy.restore()
    expect(await expectTruth(key, ['nothing'])).toBe('cancelled')
  })

  it('in the middle of a statement: nothing of it is committed, and the key is free', async () => {
    const { engine, proxy } = await engineBehindProxy()
    const key = unique()
    const text = `select pg_sleep(20), '${key}'`
    const running = engine.run(insert, { id: key, text }, { scope: 'a', key }).then(toldBy, orNothing)
    await active(text)
    await proxy.refuse()
    expect(await running).toBe('nothing')
    await sql(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query = $1`,
      [text],
    )
    await proxy.restore()
    await expectTruth(key, ['nothing'])
    expect(await stored(key)).toBe(false)
  })
})

describe('signals that are lost', () => {
  it('I12: with LISTEN cut off a cancel from elsewhere is noticed within the poll, and every answer is the truth', async () => {
    const poll = 150
    const { engine, proxy } = await engineBehindProxy({ through: 'listen', poll })
    await proxy.refuse()
    for (let round = 0; round < 6; round++) {
      const key = unique()
      const text = `select pg_sleep(20), '${key}'`
      const running = engine.run(insert, { id: key, text }, { scope: 'a', key })
      await active(text)
      const started = performance.now()
      const answer = await safepoint.cancel('a', key)
      expect(answer).toMatchObject({ outcome: 'cancelled' })
      const told = toldBy(await running)
      // A run is first read at the second poll after its start; then its statement is stopped.
      expect(performance.now() - started).toBeLessThan(poll + 500)
      expect(await expectTruth(key, [told, toldBy(answer)])).toBe('cancelled')
    }
    await proxy.restore()
  })

  it('I12: one that arrives stops what runs in another process at once, without any poll', async () => {
    const { engine } = await engineBehindProxy({ poll: 60_000 })
    // The first poll, at the start, has gone by.
    await engine.run(insert, { id: unique() }, { scope: 'a' })
    const [key, text] = [unique(), `select pg_sleep(20), '${n}'`]
    const running = engine.run(insert, { id: key, text }, { scope: 'a', key })
    await active(text)
    const started = performance.now()
    expect(await safepoint.cancel('a', key)).toMatchObject({ outcome: 'cancelled' })
    expect(await running).toMatchObject({ outcome: 'cancelled' })
    expect(performance.now() - started).toBeLessThan(3000)
  })

  it('I12: once LISTEN is back the signals count again, without any poll', async () => {
    const { engine, proxy } = await engineBehindProxy({ through: 'listen', poll: 60_000 })
    const [missed, text] = [unique(), `select pg_sleep(20), '${n}'`]
    const running = engine.run(insert, { id: missed, text }, { scope: 'a', key: missed })
    await active(text)
    const listeners = async () =>
      (
        await sql(
          `select 1 from pg_stat_activity where datname = current_database() and application_name = 'safepoint-listen'`,
        )
      ).length
    const before = await listeners()
    await proxy.refuse()
    await until(async () => (await listeners()) === before - 1)
    await proxy.restore()
    await until(async () => (await listeners()) === before)
    const started = performance.now()
    expect(await safepoint.cancel('a', missed)).toMatchObject({ outcome: 'cancelled' })
    expect(await expectTruth(missed, [toldBy(await running)])).toBe('cancelled')
    expect(performance.now() - started).toBeLessThan(2000)
  })
})

describe('locks', () => {
  it('I2: a cancel stops a handler that waits for a lock, while the lock is held', async () => {
    const [key, row] = [unique(), unique()]
    const text = `update thing set amount = amount + 1 where id = '${row}'`
    await sql('insert into thing (id) values ($1)', [row])
    const holder = new pg.Client(url)
    await holder.connect()
    await holder.query('begin')
    await holder.query(text)
    const running = safepoint.run(insert, { id: key, text }, { scope: 'a', key })
    await active(text)
    const answer = await safepoint.cancel('a', key)
    const told = toldBy(await running)
    expect(told).toBe('cancelled')
    await holder.query('rollback')
    await holder.end()
    expect(await expectTruth(key, [told, toldBy(answer)])).toBe('cancelled')
    expect(await sql('select amount from thing where id = $1', [row])).toEqual([{ amount: 0 }])
  })

  it('I3: a cancel waits for a commit under way, tells nothing when that takes too long, and then the truth', async () => {
    for (const ending of ['commit', 'rollback']) {
      const key = unique()
      const holder = new pg.Client(url)
      await holder.connect()
      await holder.query('begin')
      await holder.query('insert into thing (id) values ($1)', [key])
      await holder.query(
        `insert into safepoint.operation (scope, key, id, name, state, body, ended_at)
         values ('a', $1, gen_random_uuid(), 'thing.insert', 'succeeded', '{}', now())`,
        [key],
      )
      const started = performance.now()
      await expect(safepoint.cancel('a', key)).rejects.toMatchObject({ code: 'unavailable', retryable: true })
      expect(performance.now() - started).toBeLessThan(5000)
      const waiting = safepoint.cancel('a', key)
      await until(
        async () =>
          (await sql(`select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`))
            .length > 0,
      )
      await holder.query(ending)
      await holder.end()
      const told = toldBy(await waiting)
      expect(told).toBe(ending === 'commit' ? 'succeeded' : 'cancelled')
      await expectTruth(key, [told])
    }
  })
})

it('a server that takes the connection and says nothing is away too', async () => {
  const proxy = await startTcpProxy(url)
  proxy.swallow()
  opened.push(() => proxy.close())
  const client = new pg.Client({ connectionString: proxy.url, connectionTimeoutMillis: 50 })
  const error = await client.connect().catch((thrown: unknown) => thrown)
  expect(isAway(error)).toBe(true)
})
