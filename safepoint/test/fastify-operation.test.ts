import { once } from 'node:events'
import net from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { defineOperation, outsideStep, SafepointError } from '../src/index.ts'
import { pgDatabase } from '../src/databases/pg.ts'
import { createSafepoint } from '../src/safepoint.ts'
import { problemServerOptions, safepointFastify, type ProblemTable } from '../src/fastify/index.ts'
import pg from 'pg'
import { testEngine } from './support/engine.ts'
import { until } from './support/until.ts'

let runs = 0
const addThing = defineOperation({
  name: 'thing.add',
  input: z.strictObject({ id: z.string().max(50), note: z.string().optional() }),
  errors: { card_declined: 'The bank said no.' },
  keep: 'a test',
  async run(ctx, { id }) {
    runs++
    await ctx.tx.query('insert into thing (id, scope) values ($1::text, $2::text)', [id, ctx.scope])
    if (id.startsWith('declined')) return ctx.fail('card_declined', 'No.', { reason: 'funds' })
    if (id.startsWith('broken')) throw new Error('secret of the server')
    ctx.respond({ status: 201, headers: { Location: `/things/${id}` } })
    return { id, when: 1.0, version: 1 }
  },
})
const renameThing = defineOperation({
  name: 'thing.rename',
  input: z.strictObject({ id: z.string(), amount: z.coerce.number().int() }),
  keep: 'a test',
  async run(ctx, { id, amount }) {
    const { rows } = await ctx.tx.query<{ version: number }>(
      `update thing set amount = $2::integer, version = version + 1 where id = $1::text and ($3::integer is null or version = $3::integer)
       returning version`,
      [id, amount, ctx.ifMatch],
    )
    if (!rows[0]) throw new SafepointError('precondition_failed', 'changed', { currentVersion: 1 })
    return { id, amount, version: rows[0].version }
  },
})
const slowInput = z.strictObject({ id: z.string() })
const slowThing = defineOperation({
  name: 'thing.slow',
  input: slowInput,
  keep: 'a test',
  async run(ctx, { id }) {
    await ctx.tx.query('insert into thing (id) values ($1::text)', [id])
    await ctx.tx.query('select pg_sleep(0.3)')
    return { id }
  },
})
const gates = new Map<string, () => void>()
const durableThing = defineOperation({
  name: 'thing.fetch',
  input: slowInput,
  keep: 'a test',
  wait: 50,
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
const receiveEvent = defineOperation({
  name: 'event.receive',
  input: z.strictObject({ event: z.string(), amount: z.number() }),
  keep: 'a webhook',
  inbox: true,
  async run(ctx, { event, amount }) {
    await ctx.tx.query('insert into thing (id, amount) values ($1::text, $2::integer)', [event, amount])
    return { received: event }
  },
})

const engine = await testEngine([addThing, renameThing, slowThing, durableThing, receiveEvent])
const problems: ProblemTable = {
  card_declined: { status: 402, title: { en: 'Card declined', he: 'הכרטיס נדחה' } },
}

let app: FastifyInstance
let url: string

beforeAll(async () => {
  app = Fastify({ ...problemServerOptions, bodyLimit: 10_000 })
  await app.register(safepointFastify, { safepoint: engine.safepoint, problems, caller })
  app.operation({ method: 'POST', url: '/things', operation: addThing, key: 'required' })
  app.operation({ method: 'POST', url: '/optional', operation: addThing, key: 'optional' })
  app.operation({ method: 'PUT', url: '/things/:id', operation: addThing, key: 'optional' })
  app.operation({ method: 'PATCH', url: '/things/:id', operation: renameThing, key: 'optional' })
  app.operation({ method: 'POST', url: '/slow/finish', operation: slowThing, key: 'required' })
  app.operation({ method: 'POST', url: '/slow/cancel', operation: slowThing, key: 'required', onDisconnect: 'cancel' })
  app.operation({ method: 'POST', url: '/durable', operation: durableThing, key: 'required' })
  app.operation({
    method: 'POST',
    url: '/open',
    operation: receiveEvent,
    key: (request) => (request.body as { event: string }).event,
    scope: () => ({ scope: 'provider' }),
  })
  url = await app.listen({ port: 0, host: '127.0.0.1' })
})
afterAll(() => app.close())

function caller({ headers }: { headers: Record<string, unknown> }) {
  if (typeof headers.authorization !== 'string') throw new SafepointError('unauthenticated', 'No token.')
  return { scope: headers.authorization }
}

interface Sent {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly json: any
}
async function send(method: string, path: string, body: unknown, headers: Record<string, string> = {}): Promise<Sent> {
  const answer = await fetch(url + path, {
    method,
    headers: { 'content-type': 'application/json', authorization: 'user:1', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  const text = await answer.text()
  return { status: answer.status, headers: answer.headers, text, json: text && JSON.parse(text) }
}
const post = (path: string, body: unknown, key?: string, headers: Record<string, string> = {}) =>
  send('POST', path, body, { ...(key !== undefined && { 'idempotency-key': key }), ...headers })
const things = (id: string) => engine.sql('select * from thing where id = $1', [id])
const rowsOf = (key: string) => engine.sql('select scope, state from safepoint.operation where key = $1', [key])

test('I4: a replay is byte-identical, with its headers, and runs nothing', async () => {
  const first = await post('/things', { id: 'r1', note: 'x' }, 'replay-1')
  expect(first).toMatchObject({ status: 201, text: '{"id":"r1","when":1,"version":1}' })
  expect(first.headers.get('operation-key')).toBe('replay-1')
  expect(first.headers.get('etag')).toBe('"1"')
  expect(first.headers.has('idempotent-replayed')).toBe(false)
  const before = runs
  const again = await post('/things', '{ "note": "x",\n "id": "r1" }', '"replay-1"', { 'retry-attempt': '1' })
  expect(runs).toBe(before)
  expect([again.status, again.text]).toEqual([first.status, first.text])
  for (const name of ['location', 'etag', 'content-type', 'operation-key']) {
    expect(again.headers.get(name), name).toBe(first.headers.get(name))
  }
  expect(again.headers.get('idempotent-replayed')).toBe('true')
})

test('I5: the same key with another input is refused; in another scope it is another operation', async () => {
  await post('/things', { id: 'i5' }, 'i5')
  const other = await post('/things', { id: 'i5-other' }, 'i5')
  expect(other.json).toMatchObject({
    status: 422,
    code: 'key_reused',
    type: '/errors/key_reused',
    operation: { key: 'i5', href: '/api/operations/i5' },
  })
  expect(await things('i5-other')).toEqual([])
  expect(await post('/things', { id: 'i5-theirs' }, 'i5', { authorization: 'user:2' })).toMatchObject({ status: 201 })
})

test('a required key that is missing is refused with a link to its page, and nothing is stored', async () => {
  const before = runs
  const { json, status } = await post('/things', { id: 'nokey' })
  expect([status, json.code, json.type]).toEqual([400, 'key_required', '/errors/key_required'])
  expect(runs).toBe(before)
  const page = await fetch(url + json.type, { headers: { 'accept-language': 'he' } })
  expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
  expect(await page.text()).toContain('נדרש מפתח')
})

test('without a key the server makes one and tells it', async () => {
  const { status, headers } = await post('/optional', { id: 'made' })
  expect(status).toBe(201)
  expect(await rowsOf(headers.get('operation-key')!)).toEqual([{ scope: 'user:1', state: 'succeeded' }])
})

test.each([
  ['an unknown field', '/things', { id: 'bad', extra: 1 }],
  ['a wrong type', '/things', { id: 7 }],
  ['a body that is no object', '/things', ['id']],
  ['a NUL byte', '/things', { id: 'nul\0' }],
])('%s is 422 with the fields named, and nothing is stored', async (_, path, body) => {
  const { status, json } = await post(path, body, 'bad-input')
  expect([status, json.code]).toEqual([422, 'input_invalid'])
  expect(await rowsOf('bad-input')).toEqual([])
})

test('a name given in the path and in the body is refused: neither silently wins', async () => {
  const { status, json } = await send('PUT', '/things/p1', { id: 'p2' })
  expect([status, json.errors[0].path]).toEqual([422, 'id'])
  expect(await send('PUT', '/things/p1', { note: 'from the body' })).toMatchObject({ status: 201, json: { id: 'p1' } })
})

test.each(['k'.repeat(256), '"open', '~mine'])('the key %.12s is refused before anything is stored', async (key) => {
  const { status, json } = await post('/things', { id: 'badkey' }, key)
  expect([status, json.code]).toEqual([400, 'key_invalid'])
  expect(await things('badkey')).toEqual([])
})

test('a key of 255 bytes is taken, and found under its percent-encoded path', async () => {
  const key = 'ק'.repeat(127) + '/'
  const sent = await post('/things', { id: 'long' }, Buffer.from(key).toString('latin1'))
  expect(sent.status).toBe(201)
  expect(Buffer.from(sent.headers.get('operation-key')!, 'latin1').toString()).toBe(key)
  const found = await fetch(`${url}/api/operations/${encodeURIComponent(key)}/`, {
    headers: { authorization: 'user:1' },
  })
  expect(await found.json()).toMatchObject({ state: 'succeeded', key })
})

test('If-Match guards a write, and the answer carries the new version', async () => {
  await post('/things', { id: 'versioned' }, 'versioned')
  const malformed = await send('PATCH', '/things/versioned', { amount: 1 }, { 'if-match': 'W/"1"' })
  expect([malformed.status, malformed.json.code]).toEqual([400, 'version_invalid'])
  const first = await send('PATCH', '/things/versioned', { amount: 1 }, { 'if-match': '"1"' })
  expect([first.status, first.headers.get('etag')]).toEqual([200, '"2"'])
  const stale = await send('PATCH', '/things/versioned', { amount: 2 }, { 'if-match': '"1"' })
  expect([stale.status, stale.json.code, stale.json.currentVersion]).toEqual([412, 'precondition_failed', 1])
})

test('a refusal is final: it is stored and replayed with its status', async () => {
  const first = await post('/things', { id: 'declined' }, 'declined')
  expect(first.json).toMatchObject({
    status: 402,
    code: 'card_declined',
    detail: 'No.',
    reason: 'funds',
    retryable: false,
  })
  const again = await post('/things', { id: 'declined' }, 'declined', { 'accept-language': 'he' })
  expect(again.json).toMatchObject({ status: 402, title: 'הכרטיס נדחה', operation: { key: 'declined' } })
  expect(again.headers.get('idempotent-replayed')).toBe('true')
  expect(await things('declined')).toEqual([])
})

test('an unexpected error frees the key and tells nothing', async () => {
  const { status, json, text } = await post('/things', { id: 'broken' }, 'broken')
  expect([status, json.code, json.operation.key]).toEqual([500, 'internal', 'broken'])
  expect(text).not.toContain('secret')
  expect(await rowsOf('broken')).toEqual([])
})

test('I13: a request without a caller leaves no row', async () => {
  const answer = await fetch(`${url}/things`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': 'no-caller' },
    body: '{"id":"no-caller"}',
  })
  expect([answer.status, ((await answer.json()) as any).code]).toEqual([401, 'unauthenticated'])
  expect(await rowsOf('no-caller')).toEqual([])
})

test('what was cancelled before it arrived is 409 `cancelled` and never runs', async () => {
  await engine.safepoint.cancel('user:1', 'early', { reason: 'changed my mind' })
  const { status, json, headers } = await post('/things', { id: 'early' }, 'early')
  expect([status, json.code, json.reason, json.retryable]).toEqual([409, 'cancelled', 'changed my mind', false])
  expect(json.operation).toEqual({ key: 'early', href: '/api/operations/early' })
  expect(headers.has('retry-after')).toBe(false)
  expect(await things('early')).toEqual([])
})

test('a durable operation that outlives its wait is 202 with its address, then replayed', async () => {
  const started = await post('/durable', { id: 'd1' }, 'd1')
  expect([started.status, started.json]).toEqual([
    202,
    { state: 'running', operation: { key: 'd1', href: '/api/operations/d1' } },
  ])
  expect([started.headers.get('location'), started.headers.get('retry-after')]).toEqual(['/api/operations/d1', '1'])
  const meanwhile = await post('/durable', { id: 'd1' }, 'd1')
  expect([meanwhile.status, meanwhile.json.code, meanwhile.json.retryable]).toEqual([409, 'in_progress', true])
  expect(meanwhile.headers.get('retry-after')).toBe('1')
  ;(await until(() => gates.get('d1')))()
  const ended = await until(async () => {
    const answer = await post('/durable', { id: 'd1' }, 'd1', { 'retry-attempt': '2' })
    return answer.status === 200 ? answer : undefined
  })
  expect(ended.text).toBe('{"got":"d1"}')
})

/** Sends a POST over a socket of its own and returns that, so that it can be cut. */
async function cut(path: string, key: string): Promise<net.Socket> {
  const body = JSON.stringify({ id: key })
  const { port, hostname } = new URL(url)
  const socket = net.connect(Number(port), hostname)
  await once(socket, 'connect')
  const head = [`POST ${path} HTTP/1.1`, 'Host: test', 'Authorization: user:1', 'Content-Type: application/json']
  socket.write([...head, `Idempotency-Key: ${key}`, `Content-Length: ${body.length}`, '', body].join('\r\n'))
  return socket
}
const isRunning = (text: string) =>
  until(
    async () =>
      (await engine.sql(`select 1 from pg_stat_activity where state = 'active' and query like $1`, [text])).length > 0,
  )

test('I2: under the policy `cancel` a client that goes away rolls back, and the key stays free', async () => {
  const socket = await cut('/slow/cancel', 'gone-cancel')
  await isRunning('%pg_sleep(0.3)%')
  socket.destroy()
  await until(
    async () =>
      (
        await engine.sql(
          `select 1 from pg_stat_activity where state <> 'idle' and query like '%pg_sleep(0.3)%' and pid <> pg_backend_pid()`,
        )
      ).length === 0,
  )
  expect([await things('gone-cancel'), await rowsOf('gone-cancel')]).toEqual([[], []])
  expect(await post('/slow/cancel', { id: 'gone-cancel' }, 'gone-cancel')).toMatchObject({ status: 200 })
})

test('I3: under the policy `finish` the work of a client that goes away is committed, and replayed by key', async () => {
  const socket = await cut('/slow/finish', 'gone-finish')
  await isRunning('%pg_sleep(0.3)%')
  socket.destroy()
  await until(async () => (await rowsOf('gone-finish')).length === 1)
  const again = await post('/slow/finish', { id: 'gone-finish' }, 'gone-finish')
  expect([again.status, again.text, again.headers.get('idempotent-replayed')]).toEqual([
    200,
    '{"id":"gone-finish"}',
    'true',
  ])
})

test('a healthy POST is not taken for a disconnect, on a connection that is kept', async () => {
  const answers = await Promise.all(
    [1, 2, 3, 4].map((n) => post('/slow/cancel', { id: `healthy-${n}` }, `healthy-${n}`)),
  )
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200])
})

test('an inbox keyed by the event: a repeat is replayed, another payload is acknowledged and has no effect', async () => {
  const first = await post('/open', { event: 'evt_1', amount: 5 }, 'ignored by a derived key')
  expect([first.status, first.headers.get('operation-key')]).toEqual([200, 'evt_1'])
  expect(await post('/open', { event: 'evt_1', amount: 5 })).toMatchObject({ status: 200, text: first.text })
  expect(await post('/open', { event: 'evt_1', amount: 6 })).toMatchObject({ status: 200, json: { conflict: true } })
  expect(await things('evt_1')).toMatchObject([{ amount: 5 }])
  expect(await rowsOf('evt_1')).toEqual([{ scope: 'provider', state: 'succeeded' }])
})

test('PostgreSQL away: 503 `unavailable` with Retry-After within two seconds', async () => {
  // A port that nothing listens on: bound, then closed.
  const listener = net.createServer().listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const { port } = listener.address() as net.AddressInfo
  await new Promise((closed) => listener.close(closed))
  const database = pgDatabase({ driver: pg, url: `postgres://u:p@127.0.0.1:${port}/none` })
  const away = Fastify(problemServerOptions)
  try {
    await away.register(safepointFastify, {
      safepoint: createSafepoint({ database, operations: [addThing] }),
      problems,
      caller,
    })
    away.operation({ method: 'POST', url: '/things', operation: addThing, key: 'required' })
    const startedAt = performance.now()
    for (const route of ['/things', '/api/operations/k/cancel']) {
      const answer = await away.inject({
        method: 'POST',
        url: route,
        headers: { authorization: 'user:1', 'idempotency-key': 'away' },
        payload: route === '/things' ? { id: 'away' } : {},
      })
      expect([answer.statusCode, answer.json().code, answer.headers['retry-after']]).toEqual([503, 'unavailable', '1'])
    }
    for (const route of ['/api/operations/k', '/api/operations/k/events']) {
      const answer = await away.inject({ url: route, headers: { authorization: 'user:1' } })
      expect([answer.statusCode, answer.json().code]).toEqual([503, 'unavailable'])
    }
    expect(performance.now() - startedAt).toBeLessThan(2000)
  } finally {
    await away.close()
    await database.close?.()
  }
})
