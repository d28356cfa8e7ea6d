import pg from 'pg'
import { afterAll, expect, it } from 'vitest'
import { createSafepoint, defineOperation, refuse, transactionStep } from '../src/index.ts'
import { pgDatabase } from '../src/databases/pg.ts'
import { anything, testEngine } from './support/engine.ts'
import { startTcpProxy } from './support/tcp-proxy.ts'
import { until } from './support/until.ts'

type How = 'the lock' | 'a refusal' | 'a failure'
let runs = 0
const insert = defineOperation({
  name: 'thing.insert',
  input: anything,
  keep: 'a test',
  async run(ctx, { id, how }: { id: string; how: How }) {
    if (++runs > 1 && how === 'a refusal') throw refuse('sold_out', 'Nothing left.')
    await ctx.tx.query('insert into thing (id) values ($1::text)', [how === 'the lock' ? id : `${id}-${runs}`])
    return { id }
  },
})
const durable = defineOperation({
  name: 'thing.order',
  input: anything,
  keep: 'a test',
  steps: { nothing: transactionStep<object, object>({ run: async () => ({}), keep: 'a test' }) },
  run: async () => ({ done: true }),
})
const stepping = defineOperation({
  name: 'thing.step',
  input: anything,
  keep: 'a test',
  steps: {
    put: transactionStep<{ id: string }, { id: string }>({
      run: async (tx, { id }) => {
        await tx.query('insert into thing (id) values ($1::text)', [++runs === 1 ? id : `${id}-${runs}`])
        return { id }
      },
      undo: async (tx, { request }) =>
        void (await tx.query(`delete from thing where id like $1::text || '%'`, [request.id])),
    }),
  },
  run: (ctx, input: { id: string }) => ctx.steps.put(input),
})
let gate: Promise<void> = Promise.resolve()
const patient = defineOperation({
  name: 'thing.wait',
  input: anything,
  keep: 'a test',
  steps: { nothing: transactionStep<object, object>({ run: async () => ({}), keep: 'a test' }) },
  async run(ctx) {
    await ctx.steps.nothing({})
    await gate
    return { done: true }
  },
})
const operations = [insert, durable, stepping, patient]
const { safepoint, sql, url } = await testEngine(operations)

// A COMMIT that the server is still working on, as one that waits for a standby: here for a lock that the test holds.
await sql(`create function wait_for_test() returns trigger language plpgsql set lock_timeout = 0 as $$
  begin perform pg_advisory_xact_lock(7); return new; end $$`)
await sql(`create constraint trigger wait_at_commit after insert on thing deferrable initially deferred
  for each row execute function wait_for_test()`)
await sql(`create trigger wait_at_start before insert on safepoint.operation
  for each row when (new.name = 'thing.order') execute function wait_for_test()`)
const holder = new pg.Client(url)
await holder.connect()

/** Breaks the connection that carries this text, right behind it. */
let fatal: string | undefined
const proxy = await startTcpProxy(url, {
  intercept(from, bytes) {
    if (from === 'server' || fatal === undefined || !bytes.includes(fatal)) return 'forward'
    fatal = undefined
    return 'forward, then cut'
  },
})
const database = pgDatabase({ driver: pg, url: proxy.url, max: 4, timeouts: { lock: 150 } })
const engine = createSafepoint({ database, operations, lease: 300, poll: 50, recover: false })
afterAll(async () => {
  await engine.stop({ grace: 0 })
  await database.close()
  await proxy.close()
  await holder.end()
})
const waiting = () =>
  sql(`select from pg_locks where locktype = 'advisory' and not granted and objid = 7
    and database = (select oid from pg_database where datname = current_database())`)

it.each<How>(['the lock', 'a refusal'])(
  'I3: a COMMIT that went unanswered is never told as "nothing was done" because of what its repetition meets: %s',
  async (how) => {
    // Warm, so that the gate and COMMIT are one packet.
    runs = 0
    for (const id of ['a', 'b']) await engine.run(insert, { id: `${how} ${id}`, how: 'a failure' }, { scope: 'a' })
    runs = 0
    await holder.query('select pg_advisory_lock(7)')
    fatal = 'sp_settle_operation'
    const told = engine.run(insert, { id: how, how }, { scope: 'a', key: how }).catch((error: unknown) => error)
    await until(async () => (await waiting()).length > 0)
    expect(await told).toMatchObject({ code: 'indeterminate', retryable: true })
    expect(runs).toBeGreaterThan(1)
    await holder.query('select pg_advisory_unlock(7)')
    expect(
      await until(async () => (await sql('select state from safepoint.operation where key = $1', [how]))[0]),
    ).toEqual({
      state: 'succeeded',
    })
    expect(await safepoint.run(insert, { id: how, how }, { scope: 'a', key: how, retryAttempt: 1 })).toMatchObject({
      outcome: 'succeeded',
      replayed: true,
    })
  },
)

it('I3: a durable operation whose start went unanswered is indeterminate: it may yet be taken over', async () => {
  await engine.run(durable, {}, { scope: 'a' })
  await holder.query('select pg_advisory_lock(7)')
  fatal = 'sp_start_operation'
  await expect(engine.run(durable, {}, { scope: 'a', key: 'started' })).rejects.toMatchObject({
    code: 'indeterminate',
    retryable: true,
  })
  await holder.query('select pg_advisory_unlock(7)')
  await until(
    async () => (await sql(`select from safepoint.operation where key = 'started' and state = 'succeeded'`)).length,
    { timeoutMs: 15_000 },
  )
})

it('I1: a transaction step whose COMMIT went unanswered and arrived after all is done once, and not undone', async () => {
  await engine.run(stepping, { id: 'warm' }, { scope: 'a' })
  runs = 0
  await holder.query('select pg_advisory_lock(7)')
  fatal = 'sp_begin_step'
  const told = engine.run(stepping, { id: 'step' }, { scope: 'a', key: 'step' })
  // Its repetition has come as far as its fence, and waits there for the first.
  await until(async () => (await waiting()).length > 0 && runs > 1)
  await holder.query('select pg_advisory_unlock(7)')
  expect(await told).toMatchObject({ outcome: 'succeeded', result: { id: 'step' } })
  expect(await sql(`select id from thing where id like 'step%'`)).toEqual([{ id: 'step' }])
})

it('I2: a cancel whose answer was lost on its way is indeterminate, and told when it is sent again', async () => {
  await engine.cancel('a', 'warm')
  fatal = 'sp_cancel_operation'
  await expect(engine.cancel('a', 'lost')).rejects.toMatchObject({ code: 'indeterminate', retryable: true })
  expect(await engine.cancel('a', 'lost')).toMatchObject({ outcome: 'cancelled' })
})

it('I3: a durable operation that was begun is in progress, never unavailable, to whoever waits while the database is away', async () => {
  let go = () => {}
  gate = new Promise((resolve) => (go = resolve))
  const [first, second] = [1, 2].map(() =>
    engine.run(patient, {}, { scope: 'a', key: 'patient' }).catch((error: unknown) => error),
  )
  await until(async () => (await sql(`select from safepoint.step where key = 'patient'`)).length)
  await proxy.refuse()
  go()
  for (const told of [first, second]) expect(await told).toMatchObject({ code: 'in_progress', retryable: true })
  await proxy.restore()
  expect(await safepoint.run(patient, {}, { scope: 'a', key: 'patient' })).toMatchObject({ outcome: 'succeeded' })
})
