import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createClient, type ClientOptions, type PendingRequest, type RequestStorage } from '../src/client/index.ts'
import { askedDelay, defaultRetry, retryDelay } from '../src/client/retry.ts'
import { uuidV7 } from '../src/client/uuid-v7.ts'
import { startClientServer, type ClientServer } from './support/client-server.ts'

let server: ClientServer
beforeEach(async () => void (server = await startClientServer()))
afterEach(() => server.close())

const quick = { tries: 4, baseMs: 1, capMs: 4, longestWaitMs: 2_000 }
const newClient = (options: Partial<ClientOptions> = {}) =>
  createClient({ baseUrl: server.url, retry: quick, ...options })

/** The outcome, with what a failing assertion should show of the rest. */
async function outcomeOf(verdict: Promise<{ outcome: string }>) {
  return (await verdict).outcome
}

test('a write is told with result, status, ETag and key, and the request carries that key', async () => {
  let key = ''
  const verdict = await newClient().post('/api/things', { n: 1 }, { onKey: (made) => (key = made) })
  expect(verdict).toMatchObject({
    outcome: 'succeeded',
    key,
    status: 201,
    etag: '"7"',
    replayed: false,
    result: { got: { n: 1 } },
  })
  expect(server.writes()[0]!.headers).toMatchObject({ 'idempotency-key': key, 'content-type': 'application/json' })
  expect(server.writes()[0]!.headers).not.toHaveProperty('retry-attempt')
})

test.each(['PUT', 'PATCH', 'DELETE'] as const)(
  '%s sends its method, and the version it saw as a strong entity tag',
  async (method) => {
    const client = newClient()
    const verb = method.toLowerCase() as 'put' | 'patch' | 'delete'
    await client[verb]('/api/things/1', method === 'DELETE' ? undefined : { n: 2 }, { ifMatch: 3 })
    const { headers, ...sent } = server.writes()[0]!
    expect(sent.method).toBe(method)
    expect(headers['if-match']).toBe('"3"')
    expect(headers['content-type']).toBe(method === 'DELETE' ? undefined : 'application/json')
  },
)

test('an answer that was lost after the commit is asked for again under the same key, and there is one effect', async () => {
  server.faults.push('drop-before', 'drop-after')
  const verdict = await newClient().post('/api/things', { n: 1 })
  expect(verdict).toMatchObject({ outcome: 'succeeded', replayed: true, result: { got: { n: 1 } } })
  const sent = server.writes()
  expect(new Set(sent.map(({ headers }) => headers['idempotency-key'])).size).toBe(1)
  expect(sent.map(({ headers }) => headers['retry-attempt'])).toEqual([undefined, '1', '2'])
  expect(new Set(sent.map(({ body }) => body))).toEqual(new Set(['{"n":1}']))
  expect(server.effects).toEqual([verdict.key])
})

test.each([
  ['503', { status: 503, problem: { code: 'unavailable', retryable: true } }],
  ["502 of a proxy's page", { status: 502 }],
  ['429', { status: 429, problem: { code: 'rate_limited', retryable: true } }],
  ['retryable 409', { status: 409, problem: { code: 'conflict', retryable: true } }],
  ['200 of a captive portal', { status: 200 }],
])('%s is tried again under the same key', async (_, fault) => {
  server.faults.push(fault, fault)
  expect(await newClient().post('/api/things', {})).toMatchObject({ outcome: 'succeeded' })
  expect(server.writes().map(({ headers }) => headers['retry-attempt'])).toEqual([undefined, '1', '2'])
})

test('an attempt without an answer in time is given up and tried again under the same key', async () => {
  server.faults.push('hold')
  const verdict = await newClient().post('/api/things', {}, { timeoutMs: 60 })
  expect(verdict).toMatchObject({ outcome: 'succeeded' })
  expect(server.writes()).toHaveLength(2)
})

test('a final refusal is told as failed with its problem, at once', async () => {
  server.faults.push({ status: 409, problem: { code: 'cart_changed', detail: 'The total is 5.' } })
  const client = newClient()
  const verdict = await client.post('/api/things', {})
  expect(verdict).toMatchObject({
    outcome: 'failed',
    status: 409,
    problem: { code: 'cart_changed', detail: 'The total is 5.' },
  })
  expect(server.writes()).toHaveLength(1)
  expect(await client.pending()).toEqual([])
})

test('what stays without an answer is told as unknown, never as failed; retry goes on under the same key', async () => {
  server.faults.push('drop-after', 'drop-before', 'drop-before', 'drop-before')
  const client = newClient()
  const verdict = await client.post('/api/things', {})
  expect(verdict.outcome).toBe('unknown')
  expect((await client.pending()).map(({ key }) => key)).toEqual([verdict.key])
  if (verdict.outcome !== 'unknown') return
  expect(await verdict.retry()).toMatchObject({ outcome: 'succeeded', replayed: true, key: verdict.key })
  expect(server.writes().at(-1)!.headers['retry-attempt']).toBe('1')
  expect(server.effects).toEqual([verdict.key])
  expect(await client.pending()).toEqual([])
})

test('a refusal after a lost answer does not hide that the first attempt was done', async () => {
  server.faults.push('drop-after')
  server.settings.guard = ({ path }) =>
    path.startsWith('/api/things') && server.writes().length > 1 ? { status: 403 } : 'none'
  const verdict = await newClient().post('/api/things', {})
  expect(verdict).toMatchObject({ outcome: 'succeeded', key: server.effects[0] })
})

test('a refusal after a lost answer is failed only once a cancel has made sure that nothing was or will be done', async () => {
  server.faults.push('drop-before', { status: 422, problem: { code: 'input_invalid' } })
  const verdict = await newClient().post('/api/things', {})
  expect(verdict).toMatchObject({ outcome: 'failed', problem: { code: 'input_invalid' } })
  expect(server.rows.get(verdict.key)).toEqual({ state: 'cancelled' })
})

test('a key that may mean more than one request is not used up to make a refusal certain: it is unknown', async () => {
  const refuse = { status: 422, problem: { code: 'cart_empty' } }
  server.faults.push('drop-before', refuse, refuse, refuse)
  const verdict = await newClient().post('/api/things', {}, { key: 'order-of-cart-7' })
  expect(verdict).toMatchObject({ outcome: 'unknown', cause: { problem: { code: 'cart_empty' } } })
  expect(server.rows.has('order-of-cart-7')).toBe(false)
})

test('the wait that the server asks for is kept, and retryAfterMs of the problem wins over Retry-After', async () => {
  server.faults.push({
    status: 429,
    headers: { 'Retry-After': '40' },
    problem: { code: 'rate_limited', retryable: true, retryAfterMs: 150 },
  })
  await newClient().post('/api/things', {})
  const [first, second] = server.writes()
  expect(second!.at - first!.at).toBeGreaterThanOrEqual(149)
  expect(second!.at - first!.at).toBeLessThan(5_000)
})

test('a server that asks for a longer wait than is allowed is not asked sooner: unknown, and the key stays', async () => {
  server.faults.push({ status: 503, headers: { 'Retry-After': '3600' } })
  const client = newClient()
  expect(await outcomeOf(client.post('/api/things', {}))).toBe('unknown')
  expect(server.writes()).toHaveLength(1)
  expect(await client.pending()).toHaveLength(1)
})

test('Retry-After is read in seconds and as an HTTP date by the clock of the server', () => {
  const later = new Headers({ Date: 'Tue, 15 Nov 1994 08:12:31 GMT', 'Retry-After': 'Tue, 15 Nov 1994 08:12:41 GMT' })
  expect(askedDelay(new Headers({ 'Retry-After': '7' }), undefined)).toBe(7_000)
  expect(askedDelay(later, undefined)).toBe(10_000)
  expect(askedDelay(new Headers({ 'Retry-After': 'Tue, 15 Nov 1994 08:12:41 GMT' }), undefined)).toBe(0)
  expect(askedDelay(new Headers({ 'Retry-After': 'soon' }), undefined)).toBeUndefined()
})

test('back-off is full jitter below a doubling, capped bound, and never below what the server asked for', () => {
  const bounds = [1, 2, 3, 10].map((attempt) => retryDelay(defaultRetry, attempt, undefined, () => 1))
  expect(bounds).toEqual([250, 500, 1_000, 8_000])
  expect(retryDelay(defaultRetry, 3, undefined, () => 0)).toBe(0)
  expect(retryDelay(defaultRetry, 1, 5_000, () => 0)).toBe(5_000)
})

test('an expired token is refreshed once for all requests that meet it, before or after the refresh, and each keeps its key', async () => {
  let token = 'old'
  let refreshes = 0
  server.settings.guard = ({ headers }) =>
    headers.authorization === 'Bearer new' ? 'none' : { status: 401, problem: { code: 'unauthenticated' } }
  const client = newClient({
    headers: () => ({ Authorization: `Bearer ${token}` }),
    onUnauthorized: async () => {
      refreshes++
      await new Promise((resolve) => setImmediate(resolve))
      token = 'new'
      return true
    },
  })
  const verdicts = await Promise.all([client.post('/api/things', { n: 1 }), client.post('/api/things', { n: 2 })])
  expect(verdicts.map(({ outcome }) => outcome)).toEqual(['succeeded', 'succeeded'])
  expect(refreshes).toBe(1)
  expect(new Set(server.writes().map(({ headers }) => headers['idempotency-key'])).size).toBe(2)
})

test('a 401 that cannot be helped is a refusal with nothing done', async () => {
  server.settings.guard = () => ({ status: 401, problem: { code: 'unauthenticated' } })
  const client = newClient({ onUnauthorized: () => Promise.reject(new Error('no refresh token')) })
  expect(await client.post('/api/things', {})).toMatchObject({
    outcome: 'failed',
    problem: { code: 'unauthenticated' },
  })
})

test('a redirect is not followed into a read whose success would be told as the success of the write', async () => {
  server.settings.guard = ({ method }) =>
    method === 'POST' ? { status: 302, headers: { Location: '/api/operations/x' } } : 'none'
  expect(await outcomeOf(newClient().post('/api/things', {}))).toBe('unknown')
})

test('an answer without end is not read for ever, and is unknown', async () => {
  server.settings.guard = ({ path }) =>
    path.startsWith('/api/things') ? { status: 200, body: 'x'.repeat(5_000) } : 'none'
  const verdict = await newClient({ maxResponseBytes: 1_000 }).post('/api/things', {})
  expect(verdict).toMatchObject({ outcome: 'unknown', cause: expect.any(RangeError) })
})

test('what can never be sent is refused before a key is used', async () => {
  const client = newClient({ maxBodyBytes: 100 })
  await expect(client.post('/api/things', 'x'.repeat(99))).rejects.toThrow(RangeError)
  await expect(client.post('/api/things', new ReadableStream())).rejects.toThrow(TypeError)
  await expect(client.post('//elsewhere.example/x', {})).rejects.toThrow(TypeError)
  for (const key of ['', '..', 'a b', 'é', 'x'.repeat(256), '"q"']) {
    await expect(client.post('/api/things', {}, { key })).rejects.toThrow(TypeError)
  }
  expect(server.seen).toEqual([])
  expect(await client.pending()).toEqual([])
})

test('get retries what may pass, and throws the problem of a refusal', async () => {
  let calls = 0
  server.settings.guard = () => (++calls <= 2 ? { status: 503 } : 'none')
  const client = newClient()
  expect(await client.get('/api/operations/k')).toEqual({ state: 'none' })
  await expect(client.get('/api/nowhere')).rejects.toMatchObject({
    name: 'ProblemError',
    status: 404,
    problem: { code: 'not_found' },
  })
})

test('undo runs the declared undo, and a second one is the first', async () => {
  const verdict = await newClient().post('/api/things', {})
  if (verdict.outcome !== 'succeeded') throw new Error(verdict.outcome)
  expect(await verdict.undo!()).toMatchObject({
    outcome: 'succeeded',
    result: { undone: verdict.key },
    replayed: false,
  })
  expect(server.effects).toEqual([])
  expect(await newClient().undo(verdict.key)).toMatchObject({ outcome: 'succeeded', replayed: true })
  expect(await newClient().undo('never')).toMatchObject({ outcome: 'failed', problem: { code: 'not_undoable' } })
})

test('the debug listener is told what happens and never a body or a header, and may throw', async () => {
  const events: unknown[] = []
  const complaint = vi.spyOn(console, 'error').mockReturnValue()
  server.faults.push('drop-before')
  const client = newClient({
    headers: () => ({ Authorization: 'secret-token' }),
    debug: (event) => {
      events.push(event)
      if (events.length === 1) throw new Error('a listener that throws')
    },
  })
  expect(await outcomeOf(client.post('/api/things', { card: 'secret-card' }))).toBe('succeeded')
  expect(events.map((event) => (event as { type: string }).type)).toEqual([
    'send',
    'retry',
    'send',
    'answer',
    'verdict',
  ])
  expect(JSON.stringify(events)).not.toContain('secret')
  expect(complaint).toHaveBeenCalledTimes(1)
  complaint.mockRestore()
})

test('a key is a UUID of version 7 that sorts by time', () => {
  expect(uuidV7()).toMatch(/^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
  const times = [0, 1, 1_700_000_000_000, 2 ** 47]
  expect(times.map((time) => Number.parseInt(uuidV7(time).replaceAll('-', '').slice(0, 12), 16))).toEqual(times)
  expect(new Set(Array.from({ length: 1_000 }, () => uuidV7(5))).size).toBe(1_000)
})

test('a form is sent as it is, in each attempt', async () => {
  const form = new FormData()
  form.append('photo', new Blob(['bytes']), 'meal.jpg')
  server.faults.push('drop-before', { status: 413, problem: { code: 'body_too_large' } })
  const stored: PendingRequest[] = []
  const storage: RequestStorage = { set: (_, request) => void stored.push(request), delete: () => {}, list: () => [] }
  await newClient({ storage }).post('/api/things', form)
  expect(server.writes()[1]!.headers['content-type']).toMatch(/^multipart\/form-data; boundary=/)
  expect(server.writes()[1]!.body).toContain('bytes')
  expect(stored[0]).toMatchObject({ bodyLost: true })
})
