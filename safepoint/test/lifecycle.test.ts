import { setTimeout as elapse } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, describe, expect, it, vi } from 'vitest'
import {
  createSafepoint,
  defineOperation,
  outsideStep,
  transactionStep,
  type Database,
  type Safepoint,
  type Statement,
} from '../src/index.ts'
import { pgDatabase } from '../src/databases/pg.ts'
import { postgresBus } from '../src/signals/postgres.ts'
import { anything, testEngine } from './support/engine.ts'
import { startTcpProxy } from './support/tcp-proxy.ts'
import { until } from './support/until.ts'

const quick = defineOperation({
  name: 'thing.do',
  input: anything,
  keep: 'a test',
  run: async (ctx) => {
    if (inside) await inside(ctx)
    return { done: true }
  },
})
let inside: ((ctx: any) => Promise<unknown>) | undefined
const undoable = defineOperation({
  name: 'thing.put',
  input: anything,
  undo: { record: () => undefined, run: async () => ({ back: true }) },
  run: async (ctx, input: { fail?: boolean }) => (input.fail ? ctx.fail('no', 'No.') : { done: true }),
})
/** How often each undo has been asked for. */
let undos = 0
let undoing: () => Promise<void> = async () => {}
const stuck = defineOperation({
  name: 'thing.stuck',
  input: anything,
  keep: 'a test',
  steps: {
    call: outsideStep<object, object>({
      timeout: 500,
      call: async () => ({}),
      undo: async () => {
        undos++
        await undoing()
      },
    }),
  },
  run: async (ctx) => {
    await ctx.steps.call({})
    return ctx.fail('no', 'No.')
  },
})
const held = defineOperation({
  name: 'thing.held',
  input: anything,
  keep: 'a test',
  steps: { nothing: transactionStep<object, object>({ run: async () => ({}), keep: 'a test' }) },
  run: async (ctx) => {
    await ctx.steps.nothing({})
    await new Promise(() => {})
  },
})
const leaver = defineOperation({
  ...held,
  name: 'thing.leaver',
  steps: {
    stays: outsideStep<object, object>({
      timeout: 10_000,
      keep: 'a mail that is sent stays sent',
      call: () => new Promise((resolve) => (answer = () => resolve({}))),
    }),
  },
  run: async (ctx: any) => ctx.steps.stays({}),
} as any)
let answer = () => {}
/** Whichever engine comes first tells it. */
const logged: object[] = []
const log = { info: () => {}, warn: () => {}, error: (fields: object) => void logged.push(fields) }
const operations = [quick, undoable, stuck, held, leaver]
const { safepoint, sql, url, another } = await testEngine(operations, { lease: 1000, poll: 50, log })
const listeners = async () =>
  (
    await sql(
      `select from pg_stat_activity where datname = current_database() and application_name = 'safepoint-listen'`,
    )
  ).length
const rowOf = async (key: string) =>
  (
    await sql(`select state, epoch, lease_until > clock_timestamp() as led from safepoint.operation where key = $1`, [
      key,
    ])
  )[0]

const closing: Array<() => Promise<void>> = []
afterAll(() => Promise.all(closing.map((close) => close())))
/** An engine of its own that nobody has started. */
function unstarted(more: object = {}) {
  const database = pgDatabase({ driver: pg, url, max: 4 })
  closing.push(() => database.close())
  return createSafepoint({ database, operations, lease: 1000, poll: 50, ...more })
}

describe('an engine', () => {
  it('that is started twice at once listens once, and is stopped by one stop of two', async () => {
    const before = await listeners()
    const engine = unstarted()
    await Promise.all([engine.start(), engine.start()])
    await engine.start()
    expect(await listeners()).toBe(before + 1)
    await Promise.all([engine.stop(), engine.stop()])
    await engine.stop()
    await until(async () => (await listeners()) === before)
    await expect(engine.start()).rejects.toThrow(TypeError)
  })

  it('that is stopped while it starts, or was never started, leaves no connection', async () => {
    const before = await listeners()
    const engine = unstarted()
    const starting = engine.start()
    await engine.stop({ grace: 0 })
    await starting
    await unstarted().stop({ grace: 0 })
    await until(async () => (await listeners()) === before)
  })

  it('that is being stopped takes nothing new: no run, no undo', async () => {
    const engine = unstarted()
    await engine.run(undoable, {}, { scope: 'a', key: 'closing' })
    const stopped = engine.stop({ grace: 0 })
    await expect(engine.run(quick, {}, { scope: 'a' })).rejects.toMatchObject({ code: 'unavailable', retryable: true })
    await expect(engine.undo('a', 'closing')).rejects.toMatchObject({ code: 'unavailable', retryable: true })
    await stopped
  })

  it('waits for what runs, as long as it is told to, also for ever', async () => {
    for (const grace of [Infinity, 2 ** 40]) {
      const engine = unstarted()
      inside = (ctx) => ctx.tx.query('select pg_sleep(0.05)')
      const running = engine.run(quick, {}, { scope: 'a' })
      await engine.stop({ grace })
      expect(await running).toMatchObject({ outcome: 'succeeded' })
    }
    inside = undefined
  })

  it('hands a lease back when it is stopped, of what goes forward and of what goes back', async () => {
    undos = 0
    undoing = () => Promise.reject(new Error('not yet'))
    const engine = unstarted({ lease: 60_000 })
    await engine.start()
    const running = [
      engine.run(held, {}, { scope: 'a', key: 'forward' }),
      engine.run(stuck, {}, { scope: 'a', key: 'back' }),
    ].map((told) => told.catch((error: unknown) => error))
    await until(() => undos > 0)
    await until(async () => (await sql(`select from safepoint.step where key = 'forward'`)).length)
    const since = performance.now()
    await engine.stop({ grace: 0 })
    // Not as long as it may take at most.
    expect(performance.now() - since).toBeLessThan(1900)
    for (const told of await Promise.all(running)) expect(told).toMatchObject({ code: 'in_progress', retryable: true })
    expect([await rowOf('forward'), await rowOf('back')].map((row) => row!.led && row!.epoch === 1)).toEqual([
      false,
      false,
    ])
    undoing = async () => {}
    await until(async () => (await rowOf('back'))!.state === 'failed')
    const before = undos
    await safepoint.cancel('a', 'forward')
    expect(undos).toBe(before)
  })

  it('refuses times that no timer can take, instead of being out of time at once', () => {
    const database = safepoint.database
    for (const options of [
      { lease: 0 },
      { lease: NaN },
      { poll: -1 },
      { poll: Infinity },
      { stopWait: 2 ** 31 },
      { retention: NaN },
      { retention: Infinity },
    ])
      expect(() => createSafepoint({ database, operations: [], ...options }), JSON.stringify(options)).toThrow(
        TypeError,
      )
    createSafepoint({ database, operations: [], stopWait: 0 })
    const step = (more: object) => ({
      only: outsideStep<object, object>({ timeout: 5, call: async () => ({}), keep: 'x', ...more } as any),
    })
    for (const more of [
      { deadline: 0 },
      { deadline: NaN },
      { deadline: Infinity },
      { tries: 0 },
      { tries: 1.5 },
      { steps: {}, wait: -1 },
      { steps: {}, undoDeadline: -1 },
      { steps: step({ timeout: Infinity }) },
      { steps: step({ timeout: undefined as never }), wait: NaN },
      { steps: step({ tries: 0 }) },
      { steps: step({ settle: { repeat: { window: NaN } } }) },
      { steps: step({ keep: undefined }) },
      { steps: step({ undo: async () => {} }) },
      { steps: { 'not-camel': step({}).only } },
    ])
      expect(() => defineOperation({ ...quick, name: 'thing.timed', ...more } as any), JSON.stringify(more)).toThrow(
        TypeError,
      )
    defineOperation({ ...held, name: 'thing.long', deadline: 90 * 24 * 3600_000, wait: 0 } as any)
  })

  it('waits for ever for the end of an operation when told so, and not for no time', async () => {
    const key = 'for ever'
    const running = safepoint.run(leaver as any as typeof held, {}, { scope: 'a', key, wait: Infinity })
    await until(async () => (await sql('select from safepoint.step where key = $1', [key])).length)
    await elapse(20)
    answer()
    expect(await running).toMatchObject({ outcome: 'succeeded' })
  })
})

describe('an undo', () => {
  it('of what recorded nothing for it is run all the same', async () => {
    await safepoint.run(undoable, {}, { scope: 'a', key: 'recorded nothing' })
    expect(await safepoint.undo('a', 'recorded nothing')).toMatchObject({
      outcome: 'succeeded',
      result: { back: true },
    })
  })

  it('I8: of an undo is refused, and so is one of what was cancelled, or whose answer retention has stripped', async () => {
    await safepoint.run(undoable, {}, { scope: 'a', key: 'undone' })
    const { key } = await safepoint.undo('a', 'undone')
    await expect(safepoint.undo('a', key)).rejects.toMatchObject({ code: 'not_undoable' })
    await safepoint.cancel('a', 'never')
    await safepoint.run(undoable, { fail: true }, { scope: 'a', key: 'refused' })
    for (const state of ['never', 'refused'])
      await expect(safepoint.undo('a', state)).rejects.toMatchObject({ code: 'not_undoable' })
    await safepoint.run(undoable, {}, { scope: 'a', key: 'stripped' })
    await sql(`update safepoint.operation set ended_at = ended_at - interval '40 days' where key = 'stripped'`)
    const { stripOperations } = await import('../src/sql/strip-operations.ts')
    await safepoint.database.query(stripOperations(30 * 24 * 3600_000, 0))
    await expect(safepoint.undo('a', 'stripped')).rejects.toMatchObject({ code: 'key_expired' })
    await expect(safepoint.undo('a', 'no trace')).rejects.toMatchObject({ code: 'unknown_operation' })
  })

  it('cannot be asked for inside an atomic handler, whose transaction it would wait for', async () => {
    await safepoint.run(undoable, {}, { scope: 'a', key: 'inner' })
    inside = () => safepoint.undo('a', 'inner')
    await expect(safepoint.run(quick, {}, { scope: 'a' })).rejects.toThrow(TypeError)
    inside = () => safepoint.run(undoable, {}, { scope: 'a' })
    await expect(safepoint.run(quick, {}, { scope: 'a' })).rejects.toThrow(TypeError)
    inside = undefined
  })
})

it('I11: cancelled while the call of a step that stays may still start says so', async () => {
  const engine = await another({ stopWait: 0, lease: 60_000 })
  const running = engine.run(leaver as any as typeof held, {}, { scope: 'a', key: 'stays' })
  await until(async () => (await sql(`select from safepoint.step where key = 'stays'`)).length)
  const told = await safepoint.cancel('a', 'stays')
  expect(told).toMatchObject({ outcome: 'cancelled' })
  if (!('stopped' in told)) throw new Error('It did not say whether the call may still start.')
  expect(told).toMatchObject({ stopped: false, step: 'stays' })
  answer()
  expect(await running).toMatchObject({ outcome: 'cancelled' })
  await until(async () => !('stopped' in (await safepoint.cancel('a', 'stays'))))
})

it('I6, I14: a row that stays locked costs no other its lease, and holds up no deadline', async () => {
  const engine = unstarted({ lease: 600 })
  await engine.start()
  const keys = ['locked', 'free']
  for (const key of keys) engine.run(held, {}, { scope: 'a', key }).catch(() => undefined)
  await until(async () => (await sql(`select from safepoint.step where key in ('locked', 'free')`)).length === 2)
  await sql(`update safepoint.operation set deadline_at = clock_timestamp() + interval '1500 ms'
    where key in ('locked', 'free')`)
  const holder = new pg.Client(url)
  await holder.connect()
  await holder.query('begin')
  await holder.query(`select from safepoint.operation where key = 'locked' for update`)
  const since = performance.now()
  await until(async () => performance.now() - since > 1200 && (await rowOf('free'))!.led)
  expect(await rowOf('free')).toMatchObject({ state: 'running', epoch: 1 })
  // Both are past their deadline, and one of them cannot be told so.
  await until(async () => (await rowOf('free'))!.state === 'cancelled')
  expect(await rowOf('locked')).toMatchObject({ state: 'running' })
  await holder.query('rollback')
  await holder.end()
  await engine.stop({ grace: 0 })
})

it('I6: what cannot be undone in time, or by anybody who knows it, waits for a human, and that is logged', async () => {
  const orphan = defineOperation({ ...stuck, name: 'thing.orphan', undoDeadline: 100 } as any)
  const hopeless = defineOperation({ ...stuck, name: 'thing.hopeless', undoDeadline: 1000 } as any)
  undoing = () => Promise.reject(new Error('not today'))
  const one = unstarted({ operations: [orphan] })
  one.run(orphan, {} as never, { scope: 'a', key: 'orphan' }).catch(() => undefined)
  await until(async () => ['undoing', 'needs_attention'].includes((await rowOf('orphan'))?.state))
  await one.stop({ grace: 0 })
  const engine = unstarted({ operations: [hopeless], log })
  await engine.start()
  await expect(engine.run(hopeless, {} as never, { scope: 'a', key: 'hopeless' })).rejects.toMatchObject({
    code: 'in_progress',
    retryable: false,
  })
  for (const key of ['orphan', 'hopeless'])
    await until(async () => (await rowOf(key))?.state === 'needs_attention', { message: key })
  expect(logged).toContainEqual({ operation: 'thing.hopeless', scope: 'a', key: 'hopeless' })
  undoing = async () => {}
  await engine.resolve('a', 'hopeless', 'retry', { actor: 'op', reason: 'to\0day' })
  await until(async () => (await rowOf('hopeless'))?.state === 'failed')
  await engine.stop({ grace: 0 })
})

it('takes over nothing whose name it does not know', async () => {
  const rare = defineOperation({
    ...held,
    name: 'thing.rare',
    run: async (ctx: any) => (await ctx.steps.nothing({}), rareRun),
  } as any)
  let rareRun: any = new Promise(() => {})
  const one = unstarted({ operations: [rare] })
  one.run(rare, {} as never, { scope: 'a', key: 'rare' }).catch(() => undefined)
  await until(async () => (await sql(`select from safepoint.step where key = 'rare'`)).length)
  await one.stop({ grace: 0 })
  const since = performance.now()
  await until(() => performance.now() - since > 300)
  rareRun = { done: true }
  const other = unstarted({ operations: [rare] })
  await other.start()
  await until(async () => (await rowOf('rare'))!.state === 'succeeded')
  expect(await rowOf('rare')).toMatchObject({ epoch: 2 })
  await other.stop({ grace: 0 })
})

it('I11, I14: a lease counts from when its renewal was sent: one whose answer took longer than the lease allows no call', async () => {
  let calls = 0
  let go = () => {}
  const answered = new Promise<void>((resolve) => (go = resolve))
  const leased = defineOperation({
    name: 'thing.leased',
    input: anything,
    keep: 'a test',
    steps: { call: outsideStep<object, object>({ timeout: 500, call: async () => ({ n: ++calls }), keep: 'a test' }) },
    run: async (ctx) => (await answered, ctx.steps.call({})),
  })
  const database = pgDatabase({ driver: pg, url, max: 4 })
  closing.push(() => database.close())
  const slow: Database = {
    ...database,
    async query(statement, options) {
      const result = await database.query<any>(statement, options)
      if (statement.name === 'sp_renew_leases') {
        await elapse(900)
        go()
      }
      return result
    },
  }
  const engine = createSafepoint({ database: slow, operations: [leased], lease: 300, poll: 50, recover: false })
  await engine.start()
  const told = engine.run(leased, {}, { scope: 'a', key: 'leased', wait: 1500 })
  expect(await told).toMatchObject({ outcome: 'pending', state: 'running' })
  await answered
  expect(await sql(`select state from safepoint.step where key = 'leased'`)).toEqual([{ state: 'absent' }])
  expect(calls).toBe(0)
  await engine.stop({ grace: 0 })
})

it('I12: signals for a database that is away are not kept for ever, nor is one that no NOTIFY can carry', async () => {
  const sent: string[] = []
  let back = () => {}
  const away = new Promise<void>((resolve) => (back = resolve))
  const bus = postgresBus({
    listen: async () => ({ close: async () => {} }),
    query: async ({ values }: Statement) => {
      await away
      const [, payload] = values as [string, string]
      expect(Buffer.byteLength(payload)).toBeLessThan(8000)
      sent.push(...(JSON.parse(payload) as [string, Array<[string, string]>])[1].map(([topic]) => topic))
    },
  } as never)
  bus.publish('under way')
  for (let n = 0; n < 12_000; n++) bus.publish(`signal ${n}`)
  bus.publish('too long', 'é'.repeat(4000))
  bus.publish('last')
  back()
  await until(() => sent.at(-1) === 'last')
  expect([sent.length, sent.includes('too long'), sent.includes('signal 11999')]).toEqual([10_000, false, true])
  await bus.close()
})

it('I12: a LISTEN connection whose peer has gone without a word is made anew, and watchers are told of the gap', async () => {
  const proxy = await startTcpProxy(url)
  const database = pgDatabase({ driver: pg, url, directUrl: proxy.url, max: 2, timeouts: { listen: 50, connect: 300 } })
  const engine = createSafepoint({ database, operations, poll: 60_000 })
  await engine.start()
  let gaps = 0
  engine.bus.onGap(() => void gaps++)
  const told = (topic: string) => new Promise<void>((resolve) => engine.bus.subscribe(topic, () => resolve()))
  const first = told('test:first')
  await until(() => (safepoint.bus.publish('test:first'), Promise.race([first.then(() => true), elapse(20, false)])))
  proxy.swallow()
  await until(() => proxy.links() === 0, { message: 'the silent connection to be given up' })
  await proxy.restore()
  await until(() => gaps > 0)
  const second = told('test:second')
  await until(() => (safepoint.bus.publish('test:second'), Promise.race([second.then(() => true), elapse(20, false)])))
  await engine.stop({ grace: 0 })
  await database.close()
  await proxy.close()
})

it('I2, I3: where its settings travel with each transaction, another default of the database changes neither isolation nor durability', async () => {
  const { pathname } = new URL(url)
  await sql(`alter database "${pathname.slice(1)}" set default_transaction_isolation = 'serializable'`)
  await sql(`alter database "${pathname.slice(1)}" set synchronous_commit = off`)
  const database = pgDatabase({ driver: pg, url, max: 2, prepared: false })
  closing.push(() => database.close())
  const look = `select current_setting('transaction_isolation') as isolation, current_setting('synchronous_commit') as durable`
  for (const urgent of [false, true]) {
    const end = await database.transaction({ urgent }, (tx) => tx.query(look))
    expect(end).toMatchObject({ value: { rows: [{ isolation: 'read committed', durable: 'on' }] } })
    const { rows } = await database.query({ text: look, values: [] }, { urgent })
    expect(rows[0]!.durable).toBe('on')
  }
  const chosen = await database.transaction({ isolation: 'repeatable read' }, (tx) => tx.query(look))
  expect(chosen).toMatchObject({ value: { rows: [{ isolation: 'repeatable read' }] } })
  await expect(database.query({ text: 'select 1/0', values: [] })).rejects.toMatchObject({ code: '22012' })
  expect((await database.query({ text: 'select 1 as one', values: [] })).rows).toEqual([{ one: 1 }])
})

it('thousands of operations, cancels and watches leave no timer, no listener and no flight behind', async () => {
  const engine: Safepoint<any> = unstarted({ poll: 60_000 })
  const round = async (from: number, count: number) => {
    for (let at = from; at < from + count; at += 50)
      await Promise.all(
        Array.from({ length: 50 }, async (_, index) => {
          const key = `leak-${at + index}`
          const disconnect = new AbortController().signal
          await engine.run(quick, {}, { scope: 'a', key, disconnect })
          if (index % 10 > 0) return
          await engine.cancel('a', key)
          for await (const _ of engine.watch('a', key));
        }),
      )
  }
  const count = () => process.getActiveResourcesInfo().length
  await round(0, 200)
  const before = count()
  await round(200, 2000)
  expect(count()).toBeLessThanOrEqual(before + 2)
  await engine.stop({ grace: 0 })
}, 60_000)

it('strips what is past its retention by itself, once a minute, and at once again where that was not all', async () => {
  await sql(`insert into safepoint.operation (scope, key, id, name, fingerprint, state, body, ended_at)
    select 'many', n::text, gen_random_uuid(), 'thing.do', '\\x01', 'succeeded', '\\x7b7d', now() - interval '40 days'
    from generate_series(1, 2500) n`)
  const { now } = performance
  const jumped = vi.spyOn(performance, 'now').mockImplementation(() => now.call(performance) + 61_000)
  const left = () => sql(`select from safepoint.operation where scope = 'many' and stripped_at is null`)
  await until(async () => (await left()).length === 0)
  jumped.mockRestore()
})
