import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import {
  browserStorage,
  createClient,
  memoryStorage,
  type ClientEvent,
  type ClientOptions,
  type PendingRequest,
  type RequestStorage,
  type WebStorage,
} from '../src/client/index.ts'
import { startClientServer, type ClientServer } from './support/client-server.ts'
import { until } from './support/until.ts'

let server: ClientServer
beforeEach(async () => void (server = await startClientServer()))
afterEach(async () => {
  vi.unstubAllGlobals()
  await server.close()
})

const quick = { tries: 2, baseMs: 1, capMs: 4, longestWaitMs: 2_000 }
const newClient = (options: Partial<ClientOptions> = {}) =>
  createClient({ baseUrl: server.url, retry: quick, ...options })

/** What `localStorage` does, with room for `capacity` characters. */
function webStorage(capacity = Infinity): WebStorage & { readonly names: () => string[] } {
  const items = new Map<string, string>()
  return {
    get length() {
      return items.size
    },
    key: (index) => [...items.keys()][index] ?? null,
    getItem: (name) => items.get(name) ?? null,
    setItem(name, value) {
      if (value.length > capacity) throw new DOMException('The quota has been exceeded.', 'QuotaExceededError')
      items.set(name, value)
    },
    removeItem: (name) => void items.delete(name),
    names: () => [...items.keys()],
  }
}

test('key, method, path, body and version are durable before the first byte is sent', async () => {
  let stored = () => {}
  const written = new Promise<void>((resolve) => (stored = resolve))
  const memory = memoryStorage()
  const calls: PendingRequest[] = []
  const storage: RequestStorage = {
    ...memory,
    async set(id, request) {
      calls.push(request)
      await written
      await memory.set(id, request)
    },
  }
  const client = newClient({ storage })
  const verdict = client.patch('/api/things/1', { n: 1 }, { ifMatch: '"3"' })
  await until(() => calls.length === 1)
  // A read made meanwhile goes through, so that the write would have had the time to.
  await client.get('/api/operations/x')
  expect(server.writes()).toEqual([])
  expect(calls[0]).toMatchObject({ method: 'PATCH', path: '/api/things/1', body: '{"n":1}', ifMatch: '"3"' })
  stored()
  expect(await verdict).toMatchObject({ outcome: 'succeeded', key: calls[0]!.key })
  expect(await memory.list()).toEqual([])
})

test('after a reload, resume sends what has no answer: the same keys, the same bytes, announced as a retry, one effect', async () => {
  const storage = memoryStorage()
  server.faults.push('drop-after', 'drop-before')
  const before = await newClient({ storage }).post('/api/things', { b: 1, a: [2] }, { ifMatch: 4 })
  expect(before.outcome).toBe('unknown')

  const reloaded = newClient({ storage })
  expect(await reloaded.pending()).toMatchObject([{ key: before.key, body: '{"b":1,"a":[2]}' }])
  const [verdict] = await reloaded.resume()
  expect(verdict).toMatchObject({ outcome: 'succeeded', key: before.key, replayed: true })
  const [first, , last] = server.writes()
  expect(last!.body).toBe(first!.body)
  expect(last!.headers).toMatchObject({ 'idempotency-key': before.key, 'retry-attempt': '1', 'if-match': '"4"' })
  expect(server.effects).toEqual([before.key])
  expect(await reloaded.pending()).toEqual([])
})

test('what was only persisted, and never sent, is sent by resume, oldest first', async () => {
  const storage = memoryStorage()
  const offline = newClient({ storage, baseUrl: 'http://127.0.0.1:1' })
  const keys = [(await offline.post('/api/things', { n: 1 })).key, (await offline.post('/api/things', { n: 2 })).key]
  const verdicts = await newClient({ storage }).resume()
  expect(verdicts.map(({ outcome, key }) => [outcome, key])).toEqual(keys.map((key) => ['succeeded', key]))
  expect(server.effects).toEqual(keys)
})

test('of two tabs that are opened at once, each pending request is resumed by one', async () => {
  const storage = memoryStorage()
  server.faults.push('drop-before', 'drop-before', 'drop-before', 'drop-before')
  const before = newClient({ storage })
  const keys = [(await before.post('/api/things', { n: 1 })).key, (await before.post('/api/things', { n: 2 })).key]
  server.seen.length = 0

  const turns = new Map<string, Promise<unknown>>()
  const exclusively: ClientOptions['exclusively'] = (name, work) => {
    const turn = (turns.get(name) ?? Promise.resolve()).then(work)
    turns.set(
      name,
      turn.catch(() => {}),
    )
    return turn
  }
  const tabs = [newClient({ storage, exclusively }), newClient({ storage, exclusively })]
  const verdicts = (await Promise.all(tabs.map((tab) => tab.resume()))).flat()
  expect(verdicts.map(({ key }) => key).sort()).toEqual([...keys].sort())
  expect(server.writes().map(({ headers }) => headers['idempotency-key'])).toEqual(keys)
  // One turn a request: what takes long holds up nobody who wants another.
  expect(turns.size).toBe(2)
})

test('resume leaves alone what `only` does not want', async () => {
  const storage = memoryStorage()
  const offline = newClient({ storage, baseUrl: 'http://127.0.0.1:1' })
  await offline.post('/api/things', { n: 1 })
  expect(await newClient({ storage }).resume({ only: ({ createdAt }) => createdAt < '2000' })).toEqual([])
  expect(server.writes()).toEqual([])
})

test('what was cancelled without an answer is cancelled again after a reload, and never sent', async () => {
  const storage = memoryStorage()
  server.settings.guard = () => ({ status: 503 })
  const stop = new AbortController()
  const patient = newClient({
    storage,
    retry: { ...quick, tries: 3 },
    debug: (event) => event.type === 'retry' && stop.abort(),
  })
  const before = await patient.post('/api/things', {}, { signal: stop.signal })
  expect(before.outcome).toBe('unknown')
  const sent = server.writes().length

  server.settings.guard = () => 'none'
  const [verdict] = await newClient({ storage }).resume()
  expect(verdict).toMatchObject({ outcome: 'cancelled', key: before.key })
  expect(server.writes()).toHaveLength(sent)
  expect(new Set(server.cancels().map(({ headers }) => headers['idempotency-key'])).size).toBe(1)
})

test('cancel by key of a pending request is remembered before its answer, and forgets the request after it', async () => {
  const storage = memoryStorage()
  const { key } = await newClient({ storage, baseUrl: 'http://127.0.0.1:1' }).post('/api/things', {})
  server.settings.guard = () => ({ status: 503 })
  const client = newClient({ storage })
  await expect(client.cancel(key)).rejects.toMatchObject({ status: 503 })
  expect(await storage.list()).toMatchObject([{ key, cancel: { key: expect.any(String) } }])
  server.settings.guard = () => 'none'
  expect(await client.cancel(key)).toMatchObject({ outcome: 'cancelled' })
  expect(await storage.list()).toEqual([])
})

test('a storage that is full is told, and the write is still sent, kept in memory and resumed', async () => {
  const events: ClientEvent[] = []
  const client = newClient({
    storage: browserStorage('full', () => webStorage(10)),
    debug: (event) => event.type === 'storage_failed' && events.push(event),
  })
  server.faults.push('drop-after', 'drop-before')
  const verdict = await client.post('/api/things', {})
  expect(verdict).toMatchObject({ outcome: 'unknown', persisted: false })
  expect(events).toMatchObject([{ action: 'set', key: verdict.key, cause: { name: 'QuotaExceededError' } }])
  expect(await client.pending()).toMatchObject([{ key: verdict.key }])
  expect(await client.resume()).toMatchObject([{ outcome: 'succeeded', key: verdict.key }])
  expect(server.effects).toEqual([verdict.key])
})

test('a storage that cannot be read makes pending reject instead of saying that there is nothing', async () => {
  const broken = () => {
    throw new Error('denied')
  }
  const client = newClient({ storage: { set: broken, delete: broken, list: broken } })
  expect(await client.post('/api/things', {})).toMatchObject({ outcome: 'succeeded', persisted: false })
  await expect(client.pending()).rejects.toThrow('denied')
})

test('what is sent under one account is neither shown nor sent under another', async () => {
  const storage = memoryStorage()
  let account: string | undefined = 'ann'
  const offline = newClient({ storage, baseUrl: 'http://127.0.0.1:1', account: () => account })
  const { key } = await offline.post('/api/things', {})
  const client = newClient({ storage, account: () => account })
  account = 'bob'
  expect([await client.pending(), await client.resume()]).toEqual([[], []])
  account = undefined
  expect(await client.pending()).toEqual([])
  account = 'ann'
  expect(await client.resume()).toMatchObject([{ outcome: 'succeeded', key }])
})

test('in a page the default is localStorage, under a name with base URL and account, one item a request', async () => {
  const items = webStorage()
  vi.stubGlobal('document', {})
  vi.stubGlobal('localStorage', items)
  const down = 'http://127.0.0.1:1'
  const { key } = await newClient({ baseUrl: down, account: 'ann|1' }).post('/api/things', {})
  expect(items.names()).toEqual([`safepoint:${down}|ann%7C1|${key}`])
  expect(await newClient({ account: 'ann|1' }).pending()).toEqual([])
  items.setItem(`safepoint:${down}|ann%7C1|other`, '{damaged')
  const mine = { key: 'k', method: 'POST', path: '/x', account: 'ann|1', createdAt: '1' }
  const damaged = [
    { path: '//elsewhere' },
    { path: 7 },
    { method: 'CONNECT' },
    { key: 'k\n' },
    { body: 7 },
    { cancel: 7 },
  ]
  for (const [index, part] of damaged.entries())
    items.setItem(`safepoint:${down}|ann%7C1|${index}`, JSON.stringify({ ...mine, ...part }))
  expect(await newClient({ baseUrl: down, account: 'ann|1' }).pending()).toMatchObject([{ key }])
})

test('a slow storage does not bring back a request whose verdict was told', async () => {
  const memory = memoryStorage()
  let later = () => {}
  let sets = 0
  const storage: RequestStorage = {
    ...memory,
    async set(id, request) {
      if (++sets === 2) await new Promise<void>((resolve) => (later = resolve))
      await memory.set(id, request)
    },
  }
  server.faults.push('hold')
  const stop = new AbortController()
  const verdict = newClient({ storage }).post('/api/things', {}, { signal: stop.signal })
  await server.held()
  stop.abort()
  await until(() => server.cancels().length === 1)
  later()
  expect((await verdict).outcome).toBe('cancelled')
  expect(await memory.list()).toEqual([])
})

test('a request that is under way here is not pending, and resume does not send it a second time', async () => {
  const client = newClient()
  server.faults.push('hold')
  const verdict = client.post('/api/things', {})
  const [key] = await server.held()
  expect([await client.pending(), await client.resume()]).toEqual([[], []])
  server.release(key!)
  expect((await verdict).outcome).toBe('succeeded')
  expect(server.writes()).toHaveLength(1)
})

test('a form that was lost with the page is asked about, and never sent without its body', async () => {
  const storage = memoryStorage()
  const form = new URLSearchParams({ n: '1' })
  const { key } = await newClient({ storage, baseUrl: 'http://127.0.0.1:1' }).post('/api/things', form)

  const reloaded = newClient({ storage })
  expect(await reloaded.resume()).toMatchObject([{ outcome: 'unknown', key }])
  server.rows.set(key, { state: 'succeeded', status: 200, body: { n: 1 } })
  expect(await reloaded.resume()).toMatchObject([{ outcome: 'succeeded', key, result: { n: 1 } }])
  expect(server.writes()).toEqual([])
})
