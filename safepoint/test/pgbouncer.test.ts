import pg from 'pg'
import { afterAll, describe, expect, it } from 'vitest'
import { defineOperation } from '../src/index.ts'
import { anything, testEngine } from './support/engine.ts'
import { startPgBouncer } from './support/pgbouncer.ts'
import { until } from './support/until.ts'

/** Some 40 ms of transaction, in four statements, so that a cancel can fall between any two and into any of them. */
const slow = defineOperation({
  name: 'thing.slow',
  input: anything,
  keep: 'a test',
  async run(ctx, input: { id: string; text?: string }) {
    await ctx.tx.query('select pg_sleep(0.013)')
    await ctx.tx.query('insert into thing (id) values ($1::text)', [input.id])
    await ctx.tx.query(input.text ?? 'select pg_sleep(0.013)')
    await ctx.tx.query('update thing set amount = amount + 1 where id = $1::text', [input.id])
    await ctx.tx.query('select pg_sleep(0.013)')
    return { id: input.id }
  },
})

const sleepy = defineOperation({
  name: 'thing.sleep',
  input: anything,
  keep: 'a test',
  run: async (ctx, input: { text: string }) => (await ctx.tx.query(input.text)).rowCount,
})
const { url, sql, another } = await testEngine([slow, sleepy])
const bouncer = await startPgBouncer(url, { poolSize: 8 })
if (!bouncer) console.log('PgBouncer is not installed and could not be fetched: its tests are skipped.')
afterAll(() => bouncer?.stop())
const engine = () => another({ pg: { url: bouncer!.url, directUrl: url, prepared: false } })

const stored = async (id: string) => (await sql('select 1 from thing where id = $1', [id])).length > 0
let n = 0
const unique = () => `k${++n}`

describe.skipIf(!bouncer)('through PgBouncer in transaction mode', () => {
  it('the pooler is one: clients take turns on one backend', async () => {
    const clients = [new pg.Client(bouncer!.url), new pg.Client(bouncer!.url)]
    await Promise.all(clients.map((client) => client.connect()))
    const pids: number[] = []
    for (const client of clients) pids.push((await client.query('select pg_backend_pid() as pid')).rows[0].pid)
    await Promise.all(clients.map((client) => client.end()))
    expect(pids[0]).toBe(pids[1])
  })

  it('I1, I2, I3: 60 races of a cancel and a transaction from two engines: every answer agrees with the rows', async () => {
    const engines = [await engine(), await engine()]
    const untrue: string[] = []
    const told = { cancelled: 0, too_late: 0 }
    const race = async (round: number) => {
      const key = unique()
      const [runner, canceller] = round % 2 ? engines : engines.toReversed()
      const running = runner!.run(slow, { id: key }, { scope: 'a', key })
      await new Promise((resolve) => setTimeout(resolve, (round * 37) % 90))
      const answers = [await canceller!.cancel('a', key), await running, await runner!.cancel('a', key)]
      const isStored = await stored(key)
      const [row] = await sql('select state from safepoint.operation where key = $1', [key])
      const words = answers.map((answer) => ('state' in answer ? answer.state : answer.outcome))
      const truth = isStored ? 'succeeded' : 'cancelled'
      if (row?.state !== truth || words.some((word) => word !== truth)) {
        untrue.push(
          `${key}: told ${words.join(', ')}; the row says ${row?.state}, the thing is ${isStored ? '' : 'not '}there`,
        )
      }
      told[answers[0]!.outcome as keyof typeof told]++
    }
    for (let round = 0; round < 60; round += 6)
      await Promise.all([0, 1, 2, 3, 4, 5].map((index) => race(round + index)))
    expect(untrue).toEqual([])
    expect(told.cancelled, JSON.stringify(told)).toBeGreaterThan(0)
    expect(told.too_late, JSON.stringify(told)).toBeGreaterThan(0)
    expect(told.cancelled + told.too_late).toBe(60)
  })

  it('I2: stops running SQL by the pid read inside the transaction, and nobody else who uses that backend', async () => {
    const [one, other] = [await engine(), await engine()]
    for (const canceller of [one, other]) {
      const key = unique()
      const text = `select pg_sleep(20), '${key}'`
      const running = one.run(slow, { id: key, text }, { scope: 'a', key })
      await until(
        async () =>
          (
            await sql(
              `select 1 from pg_stat_activity where datname = current_database() and state = 'active' and query = $1`,
              [text],
            )
          ).length,
      )
      const started = performance.now()
      expect(await canceller.cancel('a', key)).toMatchObject({ outcome: 'cancelled' })
      // The freed backend is given to these at once.
      const next = Array.from({ length: 16 }, unique).map((id) => other.run(slow, { id }, { scope: 'a', key: id }))
      expect(await running).toMatchObject({ outcome: 'cancelled' })
      expect(performance.now() - started).toBeLessThan(2000)
      for (const answer of await Promise.all(next)) expect(answer).toMatchObject({ outcome: 'succeeded' })
      expect(await stored(key)).toBe(false)
    }
  })

  it('I2: stops the first statement too, which travels with BEGIN and the question for the pid', async () => {
    const one = await engine()
    const key = unique()
    const text = `select pg_sleep(20), '${key}'`
    const running = one.run(sleepy, { text }, { scope: 'a', key })
    const active = `select from pg_stat_activity where datname = current_database() and state = 'active' and query = $1`
    await until(async () => (await sql(active, [text])).length)
    const started = performance.now()
    expect(await one.cancel('a', key)).toMatchObject({ outcome: 'cancelled' })
    expect(await running).toMatchObject({ outcome: 'cancelled' })
    expect(performance.now() - started).toBeLessThan(5000)
  })

  it('I1: the same key on both engines at once has one effect and one answer', async () => {
    const engines = [await engine(), await engine()]
    const key = unique()
    const answers = await Promise.all(engines.map((each) => each.run(slow, { id: key }, { scope: 'a', key })))
    expect(new Set(answers.map(({ operationId }) => operationId)).size).toBe(1)
    expect(answers.map(({ outcome }) => outcome)).toEqual(['succeeded', 'succeeded'])
    expect(await sql('select amount from thing where id = $1', [key])).toEqual([{ amount: 1 }])
  })

  it('the settings that keep a dead host from holding a key travel with the transaction', async () => {
    const { database } = await engine()
    const end = await database.transaction({}, async (tx) => {
      const { rows } = await tx.query(`select current_setting('synchronous_commit') as durable,
        current_setting('statement_timeout') as statement, current_setting('idle_in_transaction_session_timeout') as idle`)
      return rows[0]
    })
    expect(end).toMatchObject({ end: 'committed', value: { durable: 'on', statement: '30s', idle: '30s' } })
    const plain = new pg.Client(bouncer!.url)
    await plain.connect()
    const { rows } = await plain.query('show statement_timeout')
    await plain.end()
    expect(rows, 'nothing of it stays with the backend').toEqual([{ statement_timeout: '0' }])
  })
})
