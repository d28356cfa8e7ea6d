import { afterEach, beforeEach, expect, test } from 'vitest'
import { createClient, memoryStorage, type ClientOptions } from '../src/client/index.ts'
import { startClientServer, type ClientServer } from './support/client-server.ts'
import { until } from './support/until.ts'

let server: ClientServer
beforeEach(async () => void (server = await startClientServer()))
afterEach(() => server.close())

const quick = { tries: 4, baseMs: 1, capMs: 4, longestWaitMs: 2_000 }
const newClient = (options: Partial<ClientOptions> = {}) =>
  createClient({ baseUrl: server.url, retry: quick, ...options })

/** A write that the server is working on, and the controller of its signal. */
async function heldWrite(client = newClient(), body: unknown = {}) {
  server.faults.push('hold')
  const stop = new AbortController()
  const verdict = client.post('/api/things', body, { signal: stop.signal })
  const [key] = await server.held()
  return { verdict, stop, key: key! }
}

test('I2: aborting the signal sends a real cancel and resolves to its answer; nothing is committed after it', async () => {
  const client = newClient()
  const { verdict, stop, key } = await heldWrite(client)
  stop.abort('changed my mind')
  expect(await verdict).toMatchObject({ outcome: 'cancelled', key, interrupted: true })
  expect(server.cancels()).toHaveLength(1)
  expect(JSON.parse(server.cancels()[0]!.body)).toEqual({ reason: 'changed my mind' })
  expect(server.cancels()[0]!.headers['idempotency-key']).not.toBe(key)
  server.release(key)
  expect(server.effects).toEqual([])
  expect(await client.pending()).toEqual([])
})

test('I3: a success that arrives before the answer to the cancel is the truth, told as too_late with the result', async () => {
  const later = { status: 503, problem: { code: 'unavailable', retryable: true, retryAfterMs: 60_000 } }
  server.settings.guard = ({ path }) => (path.endsWith('/cancel') ? later : 'none')
  const { verdict, stop, key } = await heldWrite(newClient({ retry: { ...quick, longestWaitMs: 120_000 } }), { n: 1 })
  stop.abort()
  await until(() => server.cancels().length > 0)
  server.release(key)
  expect(await verdict).toMatchObject({
    outcome: 'too_late',
    state: 'succeeded',
    result: { got: { n: 1 } },
    status: 201,
  })
  expect(await verdict).toHaveProperty('undo')
})

test('an abort after the commit, whose answer was lost, is too late, with the committed result and its undo', async () => {
  server.faults.push('drop-after', 'drop-before', 'drop-before')
  const stop = new AbortController()
  const patient = newClient({ retry: { tries: 5, baseMs: 60_000, capMs: 60_000 } })
  const verdict = patient.post('/api/things', { n: 2 }, { signal: stop.signal })
  await until(() => server.effects.length === 1)
  stop.abort()
  const told = await verdict
  expect(told).toMatchObject({ outcome: 'too_late', state: 'succeeded', result: { got: { n: 2 } } })
  if (told.outcome !== 'too_late' || told.state !== 'succeeded') return
  expect(await told.undo!()).toMatchObject({ outcome: 'succeeded' })
  expect(server.effects).toEqual([])
})

test('an abort during the back-off is answered at once, and no further attempt is sent', async () => {
  server.faults.push({ status: 503, problem: { code: 'unavailable', retryable: true } })
  const stop = new AbortController()
  const waiting: unknown[] = []
  const client = newClient({
    retry: { tries: 5, baseMs: 60_000, capMs: 60_000 },
    debug: (event) => event.type === 'retry' && waiting.push(event),
  })
  const verdict = client.post('/api/things', {}, { signal: stop.signal })
  await until(() => waiting.length === 1)
  stop.abort()
  expect(await verdict).toMatchObject({ outcome: 'cancelled' })
  expect(server.writes()).toHaveLength(1)
  expect(server.rows.get((await verdict).key)).toEqual({ state: 'cancelled' })
})

test('a cancel whose answer is lost is sent again under its own key, and is one event', async () => {
  server.cancelFaults.push('drop-before', 'drop-after')
  const { verdict, stop } = await heldWrite()
  stop.abort()
  expect(await verdict).toMatchObject({ outcome: 'cancelled' })
  expect(server.cancels().map(({ headers }) => headers['retry-attempt'])).toEqual([undefined, '1', '2'])
  expect(server.cancelEvents.size).toBe(1)
})

test('the cancel goes out with keepalive, so that it outlives the page', async () => {
  const inits: RequestInit[] = []
  const client = newClient({
    fetch: (url, init) => {
      if (url.endsWith('/cancel')) inits.push(init)
      return fetch(url, init)
    },
  })
  const { verdict, stop } = await heldWrite(client)
  stop.abort()
  await verdict
  expect(inits.map(({ keepalive }) => keepalive)).toEqual([true])
})

test('a reason that is too long or cannot be stored does not make the cancel fail', async () => {
  const { verdict, stop } = await heldWrite()
  stop.abort(`\0\ud800${'x'.repeat(100_000)}`)
  expect(await verdict).toMatchObject({ outcome: 'cancelled' })
  expect(JSON.parse(server.cancels()[0]!.body).reason).toBe(`\ufffd\ufffd${'x'.repeat(498)}`)
})

test('an abort before anything was sent under a new key is cancelled without asking a server', async () => {
  const client = newClient()
  const verdict = await client.post('/api/things', {}, { signal: AbortSignal.abort() })
  expect(verdict.outcome).toBe('cancelled')
  expect(server.seen).toEqual([])
  expect(await client.pending()).toEqual([])
})

test('an abort while the headers are being fetched sends nothing afterwards', async () => {
  let pass = () => {}
  const token = new Promise<void>((resolve) => (pass = resolve))
  let asked = false
  const stop = new AbortController()
  const client = newClient({
    headers: async () => {
      asked = true
      await token
      return {}
    },
  })
  const verdict = client.post('/api/things', {}, { signal: stop.signal })
  await until(() => asked)
  stop.abort()
  expect((await verdict).outcome).toBe('cancelled')
  pass()
  await client.get('/api/operations/any')
  expect(server.writes()).toEqual([])
})

test('an abort before sending under a key of the caller is a real cancel, as the key may have been sent before', async () => {
  const verdict = await newClient().post('/api/things', {}, { key: 'mine', signal: AbortSignal.abort() })
  expect(verdict).toMatchObject({ outcome: 'cancelled', key: 'mine' })
  expect(server.cancels()).toHaveLength(1)
  expect(server.writes()).toEqual([])
})

test('a cancel that never gets an answer is unknown, never cancelled, and retry cancels again instead of sending', async () => {
  server.settings.guard = ({ path }) => (path.endsWith('/cancel') ? { status: 503 } : 'none')
  const client = newClient({ timeoutMs: 60 })
  const { verdict, stop, key } = await heldWrite(client)
  stop.abort()
  const told = await verdict
  expect(told.outcome).toBe('unknown')
  server.settings.guard = () => 'none'
  if (told.outcome === 'unknown') expect(await told.retry()).toMatchObject({ outcome: 'cancelled', key })
  expect(server.writes()).toHaveLength(1)
  expect(await client.pending()).toEqual([])
})

test('where a cancel is refused the operation goes on, and its own end is told', async () => {
  server.settings.guard = ({ path }) =>
    path.endsWith('/cancel') ? { status: 409, problem: { code: 'not_cancellable' } } : 'none'
  const { verdict, stop, key } = await heldWrite()
  stop.abort()
  await until(() => server.cancels().length === 1)
  server.release(key)
  expect(await verdict).toMatchObject({ outcome: 'too_late', state: 'succeeded' })
})

test('undoing is told as such, settles to the end of the undo, and stays pending until then', async () => {
  server.settings.undoOnCancel = true
  server.faults.push('durable')
  const stop = new AbortController()
  const storage = memoryStorage()
  const verdict = newClient({ storage }).post('/api/things', {}, { signal: stop.signal })
  const key = await until(() => [...server.streams.keys()][0])
  stop.abort()
  const told = await verdict
  expect(told.outcome).toBe('undoing')
  expect(await storage.list()).toHaveLength(1)
  server.change(key, { state: 'cancelled' })
  if (told.outcome === 'undoing') expect(await told.settled).toMatchObject({ outcome: 'cancelled', key })
  expect(await storage.list()).toEqual([])
})

test('a durable operation is cancelled while it is followed', async () => {
  server.faults.push('durable')
  const stop = new AbortController()
  const verdict = newClient().post('/api/things', {}, { signal: stop.signal })
  await until(() => server.streams.size === 1)
  stop.abort()
  expect(await verdict).toMatchObject({ outcome: 'cancelled' })
  await until(() => [...server.streams.values()].every((open) => open.size === 0), { message: 'the stream is closed' })
})

test('cancel by key tells the truth about what has ended, and comes before what has not arrived', async () => {
  const client = newClient()
  const { key } = await client.post('/api/things', {})
  expect(await client.cancel(key)).toMatchObject({ outcome: 'too_late', state: 'succeeded' })
  expect(await client.cancel('not-yet', { reason: 'no' })).toMatchObject({ outcome: 'cancelled' })
  expect(await client.post('/api/things', {}, { key: 'not-yet' })).toMatchObject({ outcome: 'cancelled' })
  expect(server.effects).toEqual([key])
})

test('cancel by key throws the problem where the server refuses to decide', async () => {
  server.settings.guard = () => ({ status: 409, problem: { code: 'not_cancellable' } })
  await expect(newClient().cancel('k')).rejects.toMatchObject({ problem: { code: 'not_cancellable' } })
  expect(server.cancels()).toHaveLength(1)
})

test('I2, I3: cancelled at random points, with faults on both calls, each verdict agrees with what was committed', async () => {
  let seed = 7
  const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647
  const told = { cancelled: 0, too_late: 0, succeeded: 0 }
  const client = newClient({ retry: { ...quick, tries: 12 } })
  for (let run = 0; run < 150; run++) {
    for (let n = 0; n < 2; n++) {
      const draw = random()
      server.faults.push(draw < 0.2 ? 'drop-before' : draw < 0.4 ? 'drop-after' : draw < 0.5 ? { status: 502 } : 'none')
      server.cancelFaults.push(random() < 0.3 ? 'drop-before' : random() < 0.3 ? 'drop-after' : 'none')
    }
    const stop = new AbortController()
    const verdict = client.post('/api/things', { run }, { signal: stop.signal })
    setTimeout(() => stop.abort(), random() * 8)
    const { outcome, key } = await verdict
    expect(['cancelled', 'too_late', 'succeeded']).toContain(outcome)
    expect(server.effects.filter((effect) => effect === key)).toHaveLength(outcome === 'cancelled' ? 0 : 1)
    told[outcome as keyof typeof told]++
  }
  expect(told.cancelled).toBeGreaterThan(0)
  expect(told.too_late + told.succeeded).toBeGreaterThan(0)
  expect(await client.pending()).toEqual([])
})
