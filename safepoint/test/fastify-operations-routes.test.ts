import { EventEmitter, once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { defineOperation, outsideStep, SafepointError, type AtomicContext, type SqlTransaction } from '../src/index.ts'
import { eventStream, problemServerOptions, safepointFastify } from '../src/fastify/index.ts'
import { testEngine } from './support/engine.ts'
import { until } from './support/until.ts'

const input = z.strictObject({ id: z.string() })
const addThing = defineOperation({
  name: 'thing.add',
  input,
  undo: {
    record: ({ input: { id } }) => ({ id }),
    run: async (ctx: AtomicContext<SqlTransaction>, { id }: { id: string }) => {
      await ctx.tx.query('delete from thing where id = $1::text', [id])
      return { removed: id }
    },
  },
  async run(ctx, { id }) {
    await ctx.tx.query('insert into thing (id) values ($1::text)', [id])
    return { id }
  },
})
const keepThing = defineOperation({
  name: 'thing.keep',
  input,
  keep: 'It was shown to somebody.',
  run: async (_ctx, { id }) => ({ id }),
})
const gates = new Map<string, () => void>()
const undone: string[] = []
const fetchThing = defineOperation({
  name: 'thing.fetch',
  input,
  keep: 'a test',
  wait: 20,
  steps: {
    first: outsideStep<{ id: string }, { got: string }>({
      timeout: 5000,
      call: async ({ id }) => ({ got: id }),
      undo: async ({ request }) => void undone.push(request.id),
    }),
    second: outsideStep<{ id: string }, { got: string }>({
      timeout: 5000,
      call: ({ id }, { signal }) =>
        new Promise((resolve, reject) => {
          gates.set(id, () => resolve({ got: id }))
          signal.addEventListener('abort', () => reject(new SafepointError('stopped', 'stopped', { effect: 'none' })))
        }),
      undo: async () => {},
    }),
  },
  async run(ctx, { id }) {
    await ctx.steps.first({ id })
    ctx.progress({ done: 1, total: 2 })
    const { got } = await ctx.steps.second({ id })
    return ctx.finish(async () => ({ got }))
  },
})

const engine = await testEngine([addThing, keepThing, fetchThing])
let app: FastifyInstance
let url: string
let stopTicking: (() => void) | undefined

beforeAll(async () => {
  app = Fastify(problemServerOptions)
  app.addHook('onRequest', async (_request, reply) => void reply.header('x-request-id', 'r-1'))
  await app.register(safepointFastify, {
    safepoint: engine.safepoint,
    caller: ({ headers }) => ({ scope: headers.authorization!, actor: 'me' }),
  })
  app.operation({ method: 'POST', url: '/things', operation: addThing, key: 'required' })
  app.operation({ method: 'POST', url: '/kept', operation: keepThing, key: 'required' })
  app.operation({ method: 'POST', url: '/fetched', operation: fetchThing, key: 'required' })
  app.get('/ticks', (_request, reply) =>
    eventStream(
      reply,
      async function* (signal) {
        yield { event: 'tick', id: '1\ninjected: yes', data: { text: 'one\ntwo' } }
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
        stopTicking?.()
      },
      { heartbeat: 10 },
    ),
  )
  app.get('/broken', (_request, reply) =>
    eventStream(reply, async function* () {
      yield { data: 1 }
      throw new Error('secret of the source')
    }),
  )
  url = await app.listen({ port: 0, host: '127.0.0.1' })
})
afterAll(() => app.close())

async function request(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const answer = await fetch(url + path, {
    method,
    headers: { authorization: 'user:1', ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  return {
    status: answer.status,
    headers: answer.headers,
    text,
    json: text.startsWith('{') ? JSON.parse(text) : undefined,
  }
}
const start = (path: string, id: string) => request('POST', path, { id }, { 'idempotency-key': id })
const cancel = (key: string, body?: unknown, headers?: Record<string, string>) =>
  request('POST', `/api/operations/${key}/cancel`, body, headers)

test('the view of an operation is its caller’s only; absence says `none`', async () => {
  await start('/things', 'seen')
  const { json, headers } = await request('GET', '/api/operations/seen')
  expect(json).toMatchObject({ state: 'succeeded', name: 'thing.add', result: { id: 'seen' } })
  expect(json.undo).toEqual({ available: true, href: '/api/operations/seen/undo' })
  expect(headers.get('cache-control')).toBe('no-store')
  const others = await request('GET', '/api/operations/seen', undefined, { authorization: 'user:2' })
  expect([others.status, others.json]).toEqual([200, { state: 'none' }])
})

test('every outcome of a cancel is 200: before arrival, again, and too late with the way to undo', async () => {
  const early = await cancel('never-sent', { reason: 'a change of mind' })
  expect([early.status, early.json]).toEqual([
    200,
    { outcome: 'cancelled', reason: 'a change of mind', eventId: expect.any(String) },
  ])
  expect((await cancel('never-sent')).json).toMatchObject({ outcome: 'cancelled', repeat: true })
  await start('/things', 'late')
  const late = await cancel('late', {})
  expect([late.status, late.json]).toMatchObject([
    200,
    {
      outcome: 'too_late',
      state: 'succeeded',
      result: { id: 'late' },
      undo: { available: true, href: '/api/operations/late/undo' },
    },
  ])
  await start('/kept', 'kept')
  expect((await cancel('kept')).json.undo).toEqual({ available: false, keep: 'It was shown to somebody.' })
})

test('I9: a cancel repeated under its own key is one event, with what was sent', async () => {
  const first = await cancel('i9', { reason: 'once' }, { 'idempotency-key': 'cancel-i9' })
  const again = await cancel('i9', { reason: 'once' }, { 'idempotency-key': '"cancel-i9"' })
  expect(again.json.eventId).toBe(first.json.eventId)
  const events = await engine.sql(`select to_jsonb(e) as event from safepoint.cancel_event e where key = 'i9'`)
  expect(events).toMatchObject([{ event: { actor: 'me', reason: 'once' } }])
})

test.each([
  ['an unknown field', { reason: 'x', force: true }],
  ['a reason that is no text', { reason: 7 }],
  ['a NUL', { reason: 'a\0' }],
  ['a list', ['x']],
])('a cancel with %s is 422 and cancels nothing', async (_, body) => {
  const { status, json } = await cancel('not-cancelled', body)
  expect([status, json.code]).toEqual([422, 'input_invalid'])
  expect((await request('GET', '/api/operations/not-cancelled')).json).toEqual({ state: 'none' })
})

test('a key that could not be one is refused in a path too', async () => {
  for (const key of ['k'.repeat(256), '%00', 'a%0Ab'])
    expect((await cancel(key)).json, key).toMatchObject({ status: 400, code: 'key_invalid' })
})

test('an undo is an operation of its own, and two are one', async () => {
  await start('/things', 'undo-me')
  const [first, second] = [
    await request('POST', '/api/operations/undo-me/undo'),
    await request('POST', '/api/operations/undo-me/undo'),
  ]
  expect([first.status, first.text]).toEqual([200, '{"removed":"undo-me"}'])
  expect([second.text, second.headers.get('idempotent-replayed')]).toEqual([first.text, 'true'])
  const key = first.headers.get('operation-key')!
  expect((await request('GET', `/api/operations/${encodeURIComponent(key)}`)).json).toMatchObject({
    state: 'succeeded',
    name: 'thing.add.undo',
  })
  expect((await cancel('undo-me')).json).toMatchObject({ outcome: 'too_late', undone: { key } })
  expect((await cancel(encodeURIComponent(key))).json).toMatchObject({ status: 409, code: 'not_cancellable' })
})

test('what cannot be undone says so, and is never a server error', async () => {
  await start('/kept', 'stays')
  expect((await request('POST', '/api/operations/stays/undo')).json).toMatchObject({
    status: 409,
    code: 'not_undoable',
  })
  expect((await request('POST', '/api/operations/no-trace/undo')).json).toMatchObject({
    status: 404,
    code: 'unknown_operation',
  })
})

test('a cancel that has to undo is 202 with the address to look at, and ends `cancelled`', async () => {
  await start('/fetched', 'undoing')
  await until(() => gates.get('undoing'))
  const { status, json, headers } = await cancel('undoing')
  expect([status, json.outcome, json.target]).toEqual([202, 'undoing', 'cancelled'])
  expect(headers.get('location')).toBe('/api/operations/undoing')
  await until(async () => (await request('GET', '/api/operations/undoing')).json.state === 'cancelled')
  expect(undone).toEqual(['undoing'])
})

/** Reads a stream to its end; `onEvent` sees each event as it comes. */
async function events(
  path: string,
  onEvent: (event: { name: string; id: string; data: any }) => void = () => {},
  headers = {},
) {
  const answer = await fetch(url + path, { headers: { authorization: 'user:1', ...headers } })
  let text = ''
  let at = 0
  for await (const chunk of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk
    for (let end = text.indexOf('\n\n', at); end >= 0; at = end + 2, end = text.indexOf('\n\n', at)) {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(text.slice(at, end))?.[1]
      if (field('data') !== undefined)
        onEvent({ name: field('event')!, id: field('id')!, data: JSON.parse(field('data')!) })
    }
  }
  return { answer, text }
}

test('events tell the state now, progress and the end, and then the stream ends', async () => {
  const seen: any[] = []
  const { answer } = await events('/api/operations/watched/events', ({ name, id, data }) => {
    seen.push(data)
    expect([name, id]).toEqual(['state', data.state])
    if (data.state === 'none' && seen.length === 1) void start('/fetched', 'watched')
    if (data.progress) gates.get('watched')?.()
  })
  expect(answer.headers.get('content-type')).toMatch('text/event-stream')
  expect(answer.headers.get('x-request-id')).toBe('r-1')
  expect(seen[0]).toMatchObject({ state: 'none' })
  expect(seen).toContainEqual(expect.objectContaining({ state: 'running', progress: { done: 1, total: 2 } }))
  expect(seen.at(-1)).toMatchObject({ state: 'succeeded', result: { got: 'watched' } })
})

test('who has seen the end is not told again when it connects anew; a stale Last-Event-ID is tolerated', async () => {
  await start('/things', 'ended')
  expect(
    (await events('/api/operations/ended/events', undefined, { 'last-event-id': 'succeeded' })).answer.status,
  ).toBe(204)
  const states: string[] = []
  await events('/api/operations/ended/events', ({ id }) => states.push(id), { 'last-event-id': 'nonsense' })
  expect(states).toEqual(['succeeded'])
})

test('a stream beats while nothing happens, and its source stops when the client leaves', async () => {
  const stopped = new Promise<void>((resolve) => (stopTicking = resolve))
  const leave = new AbortController()
  const answer = await fetch(`${url}/ticks`, { signal: leave.signal })
  let text = ''
  try {
    for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk
      if (text.includes('\n\n:\n\n:\n\n')) leave.abort()
    }
  } catch {
    // the abort
  }
  await stopped
  expect(text).toContain('retry: 1000\n\nevent: tick\nid: 1 injected: yes\ndata: {"text":"one\\ntwo"}\n\n:\n\n')
})

test('a source that fails cuts the connection, so that the client connects again, and tells nothing', async () => {
  await expect(events('/broken', ({ data }) => expect(data).toBe(1))).rejects.toThrow(/terminated|fetch failed/)
})

test('closing the application ends its streams, and does not wait for connections that never asked, or not to the end', async () => {
  const other = Fastify(problemServerOptions)
  await other.register(safepointFastify, { safepoint: engine.safepoint, caller: () => ({ scope: 'user:1' }) })
  const address = await other.listen({ port: 0, host: '127.0.0.1' })
  const answer = await fetch(`${address}/api/operations/quiet/events`)
  const body = answer.text()
  // Nothing; half a head; a head whose body does not follow; half a head after a request that was answered.
  const asked = [
    '',
    'GET /api',
    'POST /api/operations/x/cancel HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{',
  ]
  const port = Number(new URL(address).port)
  const unasked = asked.map((bytes) => {
    const socket = net.connect(port, '127.0.0.1').on('error', () => {})
    socket.resume().write(bytes)
    return socket
  })
  const second = net.connect(port, '127.0.0.1').on('error', () => {})
  second.write('GET /api/operations/x HTTP/1.1\r\nhost: x\r\n\r\n')
  await once(second, 'data')
  second.resume()
  second.write('GET /api')
  await until(
    () => new Promise<boolean>((resolve) => other.server.getConnections((_error, open) => resolve(open === 5))),
  )
  const cut = Promise.all([...unasked, second].map((socket) => new Promise((closed) => socket.once('close', closed))))
  await other.close()
  await cut
  expect(await body).toContain('data: {"state":"none"}')
})

test('closing waits for the answer to what was asked before, and not for the connection it came on', async () => {
  const other = Fastify(problemServerOptions)
  await other.register(safepointFastify, { safepoint: engine.safepoint, caller: () => ({ scope: 'user:1' }) })
  const requests = new EventEmitter()
  const asked = once(requests, 'asked')
  const answered = once(requests, 'answered')
  other.get('/slow', () => (requests.emit('asked'), answered))
  // Its head has gone out when the application begins to close, as that of a long download.
  other.get('/long', (_request, reply) => {
    reply.hijack().raw.write('begun')
    void answered.then(() => reply.raw.end())
  })
  const address = await other.listen({ port: 0, host: '127.0.0.1' })
  // As proxies do: the connection is kept until the server closes it.
  const agent = new http.Agent({ keepAlive: true })
  const get = (path: string) =>
    new Promise<http.IncomingMessage>((resolve, reject) => {
      http.get(address + path, { agent }, (answer) => resolve(answer.resume())).once('error', reject)
    })
  const slow = get('/slow')
  const long = await get('/long')
  await asked
  const closed = other.close()
  await until(() => !other.server.listening)
  requests.emit('answered')
  const answer = await slow
  expect([answer.statusCode, answer.headers.connection, long.headers.connection]).toEqual([200, 'close', 'keep-alive'])
  await closed
  agent.destroy()
})

test('a child instance with a prefix has its own operations, routes and error pages', async () => {
  const parent = Fastify(problemServerOptions)
  try {
    await parent.register(
      async (shop) => {
        await shop.register(safepointFastify, {
          safepoint: engine.safepoint,
          caller: () => ({ scope: 'user:9' }),
          operationsPath: '/operations',
        })
        shop.operation({ method: 'POST', url: '/things', operation: addThing, key: 'required' })
      },
      { prefix: '/shop' },
    )
    const refused = await parent.inject({ method: 'POST', url: '/shop/things', payload: { id: 'child' } })
    expect(refused.json()).toMatchObject({ status: 400, type: '/shop/errors/key_required' })
    expect((await parent.inject('/shop/errors/key_required')).statusCode).toBe(200)
    await parent.inject({
      method: 'POST',
      url: '/shop/things',
      payload: { id: 'child' },
      headers: { 'idempotency-key': 'child' },
    })
    const view = await parent.inject('/shop/operations/child')
    expect(view.json().undo.href).toBe('/shop/operations/child/undo')
  } finally {
    await parent.close()
  }
})
