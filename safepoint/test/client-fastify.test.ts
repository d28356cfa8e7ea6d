import Fastify, { type FastifyInstance } from 'fastify'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { createClient, type Client } from '../src/client/index.ts'
import { problemServerOptions, safepointFastify } from '../src/fastify/index.ts'
import { defineOperation, outsideStep, type AtomicContext, type SqlTransaction } from '../src/index.ts'
import { testEngine } from './support/engine.ts'
import { until } from './support/until.ts'

const input = z.strictObject({ id: z.string() })
const slowThing = defineOperation({
  name: 'thing.slow',
  input,
  errors: { sold_out: 'There is none left.' },
  undo: {
    record: ({ input: { id } }) => ({ id }),
    run: async (ctx: AtomicContext<SqlTransaction>, { id }: { id: string }) => {
      await ctx.tx.query('delete from thing where id = $1::text', [id])
      return { removed: id }
    },
  },
  async run(ctx, { id }) {
    if (id === 'gone') return ctx.fail('sold_out', 'There is none left.')
    await ctx.tx.query('insert into thing (id) values ($1::text)', [id])
    await ctx.tx.query('select pg_sleep(0.03)')
    ctx.respond({ status: 201 })
    return { id, version: 1 }
  },
})
const gates = new Map<string, () => void>()
const durableThing = defineOperation({
  name: 'thing.fetch',
  input,
  keep: 'a test',
  wait: 20,
  steps: {
    call: outsideStep<{ id: string }, { got: string }>({
      timeout: 10_000,
      call: ({ id }, { signal }) =>
        new Promise((resolve, reject) => {
          gates.set(id, () => resolve({ got: id }))
          signal.addEventListener('abort', () => reject(signal.reason as Error))
        }),
      cleanup: async () => {},
    }),
  },
  async run(ctx, { id }) {
    const { got } = await ctx.steps.call({ id })
    return ctx.finish(async () => ({ got }))
  },
})

const engine = await testEngine([slowThing, durableThing])
let app: FastifyInstance
let client: Client

beforeAll(async () => {
  // An aborted fetch may leave a connection that has never carried a request; Node does not count that one as idle.
  app = Fastify({ ...problemServerOptions, forceCloseConnections: true })
  const problems = { sold_out: { status: 409, title: { en: 'Sold out', he: 'אזל' } } }
  await app.register(safepointFastify, { safepoint: engine.safepoint, problems, caller: () => ({ scope: 'ann' }) })
  app.operation({ method: 'POST', url: '/slow', operation: slowThing, key: 'required' })
  app.operation({ method: 'POST', url: '/durable', operation: durableThing, key: 'required' })
  client = createClient({ baseUrl: await app.listen({ port: 0, host: '127.0.0.1' }) })
})
afterAll(() => app.close())

const count = async (id: string) => (await engine.sql('select 1 from thing where id = $1::text', [id])).length

test('the client speaks to the real server: a write, its undo, a refusal, input that is refused', async () => {
  const verdict = await client.post('/slow', { id: 'a' })
  expect(verdict).toMatchObject({
    outcome: 'succeeded',
    status: 201,
    etag: '"1"',
    result: { id: 'a', version: 1 },
    replayed: false,
  })
  if (verdict.outcome !== 'succeeded') return
  expect(await verdict.undo!()).toMatchObject({ outcome: 'succeeded', result: { removed: 'a' } })
  expect(await count('a')).toBe(0)
  expect(await client.post('/slow', { id: 'gone' })).toMatchObject({
    outcome: 'failed',
    status: 409,
    problem: { code: 'sold_out' },
  })
  expect(await client.post('/slow', { ID: 1 })).toMatchObject({ outcome: 'failed', problem: { code: 'input_invalid' } })
})

test('the real server: a durable operation is followed to its stored response', async () => {
  const verdict = client.post('/durable', { id: 'd1' })
  const open = await until(() => gates.get('d1'))
  open()
  expect(await verdict).toMatchObject({ outcome: 'succeeded', status: 200, result: { got: 'd1' } })
})

test('the real server: a durable operation is cancelled while it is followed', async () => {
  const stop = new AbortController()
  const verdict = client.post('/durable', { id: 'd2' }, { signal: stop.signal })
  await until(() => gates.get('d2'))
  stop.abort('enough')
  expect(await verdict).toMatchObject({ outcome: 'cancelled' })
  expect(await client.find((await verdict).key)).toMatchObject({ state: 'cancelled', reason: 'enough' })
})

test('I2, I3: aborted at any point of a real transaction, the verdict agrees with the rows', async () => {
  const told = { cancelled: 0, too_late: 0, succeeded: 0 }
  const runs = Array.from({ length: 60 }, (_, n) => n)
  for (let at = 0; at < runs.length; at += 6) {
    await Promise.all(
      runs.slice(at, at + 6).map(async (n) => {
        const stop = new AbortController()
        const verdict = client.post('/slow', { id: `race-${n}` }, { signal: stop.signal })
        setTimeout(() => stop.abort(), n)
        const { outcome } = await verdict
        expect(['cancelled', 'too_late', 'succeeded']).toContain(outcome)
        expect([outcome, await count(`race-${n}`)]).toEqual([outcome, outcome === 'cancelled' ? 0 : 1])
        told[outcome as keyof typeof told]++
      }),
    )
  }
  expect(told.cancelled).toBeGreaterThan(0)
  expect(told.too_late + told.succeeded).toBeGreaterThan(0)
})
