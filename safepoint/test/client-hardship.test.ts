import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createClient, memoryStorage, type ClientOptions, type RequestStorage } from '../src/client/index.ts'
import { startClientServer, type ClientServer } from './support/client-server.ts'
import { until } from './support/until.ts'

let server: ClientServer
beforeEach(async () => void (server = await startClientServer()))
afterEach(async () => {
  vi.unstubAllGlobals()
  await server.close()
})

const quick = { tries: 3, baseMs: 1, capMs: 4, longestWaitMs: 2_000 }
const newClient = (options: Partial<ClientOptions> = {}) =>
  createClient({ baseUrl: server.url, retry: quick, ...options })
const unavailable = { status: 503, problem: { code: 'unavailable', retryable: true } } as const

describe('another account signs in', () => {
  let account = 'ann'
  const storage = () => memoryStorage()
  const clientOf = (options: Partial<ClientOptions> = {}) =>
    newClient({ account: () => account, headers: () => ({ Authorization: account }), ...options })
  beforeEach(() => void (account = 'ann'))
  const senders = () => new Set(server.seen.map(({ headers }) => headers.authorization))

  test('I5: what waits to be sent again does not go out under it: unknown, and kept for whose it is', async () => {
    server.faults.push(unavailable)
    const kept = storage()
    const client = clientOf({ storage: kept, debug: (event) => event.type === 'retry' && (account = 'bob') })
    const verdict = await client.post('/api/things', {})
    expect(verdict).toMatchObject({ outcome: 'unknown', cause: { name: 'NotSent' } })
    expect([...senders()]).toEqual(['ann'])
    expect(await client.pending()).toEqual([])
    account = 'ann'
    expect(await clientOf({ storage: kept }).resume()).toMatchObject([{ outcome: 'succeeded', key: verdict.key }])
  })

  test('I2: a cancel is not sent under it, whose "cancelled" would be told of somebody else', async () => {
    server.settings.guard = ({ path }) => {
      if (!path.endsWith('/cancel')) return 'none'
      account = 'bob'
      return unavailable
    }
    server.faults.push('hold')
    const stop = new AbortController()
    const verdict = clientOf({ timeoutMs: 200 }).post('/api/things', {}, { signal: stop.signal })
    await server.held()
    stop.abort()
    expect((await verdict).outcome).toBe('unknown')
    await expect(clientOf().cancel('k')).rejects.toMatchObject({ status: 503 })
    account = 'ann'
    await expect(clientOf().cancel('k')).rejects.toMatchObject({ name: 'NotSent' })
    expect(server.cancels().map(({ headers }) => headers.authorization)).toEqual(['ann', 'bob', 'bob', 'bob', 'ann'])
  })

  test('I5: what is followed is not looked up under it', async () => {
    server.faults.push('durable')
    server.settings.streams = false
    const verdict = clientOf().post('/api/things', {})
    await until(() => server.rows.size === 1)
    account = 'bob'
    expect((await verdict).outcome).toBe('unknown')
    expect([...senders()]).toEqual(['ann'])
  })
})

describe('the storage', () => {
  const blocked = (): RequestStorage => {
    const refuse = () => {
      throw new DOMException('Access is denied.', 'SecurityError')
    }
    return { set: refuse, delete: refuse, list: refuse }
  }

  test('is blocked: what was written is resumed from memory, and it is no secret that more may be hidden', async () => {
    const client = newClient({ storage: blocked() })
    server.faults.push('drop-after', 'drop-before', 'drop-before')
    const { outcome, key, persisted } = await client.post('/api/things', {})
    expect([outcome, persisted]).toEqual(['unknown', false])
    await expect(client.pending()).rejects.toThrow('denied')
    expect(await client.resume()).toMatchObject([{ outcome: 'succeeded', key, replayed: true }])
    await expect(client.resume()).rejects.toThrow('denied')
    expect(server.effects).toEqual([key])
  })

  test('remembers a cancel by key also of a request that is under way here: after a reload it is not sent again', async () => {
    const storage = memoryStorage()
    server.faults.push('hold')
    const client = newClient({ storage })
    void client.post('/api/things', {}, { key: 'mine' })
    await server.held()
    server.settings.guard = () => ({ status: 503 })
    await expect(client.cancel('mine')).rejects.toMatchObject({ status: 503 })
    expect(await storage.list()).toMatchObject([{ key: 'mine', cancel: { key: expect.any(String) } }])
    server.settings.guard = () => 'none'
    const sent = server.writes().length
    expect(await newClient({ storage }).resume()).toMatchObject([{ outcome: 'cancelled', key: 'mine' }])
    expect(server.writes()).toHaveLength(sent)
  })

  test('does not get back what was settled before its cancel by key could be noted', async () => {
    const storage = memoryStorage()
    const client = newClient({ storage })
    const { key } = await client.post('/api/things', {})
    expect(await client.cancel(key)).toMatchObject({ outcome: 'too_late' })
    expect(await storage.list()).toEqual([])
  })

  test('has locks that may not be used: it is resumed without', async () => {
    const storage = memoryStorage()
    const { key } = await newClient({ storage, baseUrl: 'http://127.0.0.1:1' }).post('/api/things', {})
    vi.stubGlobal('document', {})
    const request = () => Promise.reject(new DOMException('No locks here.', 'SecurityError'))
    vi.stubGlobal('navigator', { locks: { request } })
    expect(await newClient({ storage }).resume()).toMatchObject([{ outcome: 'succeeded', key }])
  })
})

describe('times', () => {
  test('that no timer can take are not over at once', async () => {
    for (const timeoutMs of [Infinity, 2 ** 40])
      expect(await newClient({ timeoutMs, idleMs: timeoutMs }).post('/api/things', {})).toMatchObject({
        outcome: 'succeeded',
      })
    server.faults.push('durable')
    const verdict = newClient({ idleMs: Infinity }).post('/api/things', {})
    const key = await until(() => [...server.streams.keys()][0])
    // Long enough for a stream that is taken for dead at once.
    for (let read = 0; read < 20; read++) await newClient().get('/api/operations/other')
    server.finish(key)
    expect(await verdict).toMatchObject({ outcome: 'succeeded' })
    expect(server.seen.filter(({ path }) => path.endsWith('/events'))).toHaveLength(1)
  })

  test('that are none are refused before a key is used', async () => {
    for (const ms of [0, -1, NaN]) {
      expect(() => newClient({ timeoutMs: ms })).toThrow(TypeError)
      expect(() => newClient({ idleMs: ms })).toThrow(TypeError)
      await expect(newClient().post('/api/things', {}, { timeoutMs: ms })).rejects.toThrow(TypeError)
    }
    expect(server.seen).toEqual([])
  })

  test('that a server asks for in weeks do not make a watch ask without a pause', async () => {
    let down = 2
    server.settings.guard = () => (down-- > 0 ? { status: 503, headers: { 'Retry-After': '9999999' } } : 'none')
    server.rows.set('w', { state: 'cancelled' })
    const states: string[] = []
    for await (const view of newClient({ retry: { ...quick, longestWaitMs: 60 } }).watch('w')) states.push(view.state)
    expect(states).toEqual(['cancelled'])
    const [first, second, third] = server.seen
    expect(Math.min(second!.at - first!.at, third!.at - second!.at)).toBeGreaterThanOrEqual(59)
  })

  test.each(['headers', 'onUnauthorized'] as const)(
    'of an application whose %s never come are bounded too',
    async (what) => {
      server.settings.guard = () =>
        what === 'headers' ? 'none' : { status: 401, problem: { code: 'unauthenticated' } }
      const never = () => new Promise<never>(() => {})
      const client = newClient({ timeoutMs: 40, retry: { ...quick, tries: 1 }, [what]: never })
      const verdict = await client.post('/api/things', {})
      expect(verdict).toMatchObject({ outcome: 'unknown', cause: { name: 'TimeoutError' } })
      await expect(client.get('/api/operations/x')).rejects.toMatchObject({ name: 'TimeoutError' })
    },
  )
})

describe('an answer', () => {
  test('without a body is a result without a value', async () => {
    server.faults.push({ status: 204, body: '' })
    expect(await newClient().post('/api/things', {})).toMatchObject({
      outcome: 'succeeded',
      status: 204,
      result: undefined,
    })
  })

  test("I3: of a gateway's own, in JSON, does not make sure that nothing was done", async () => {
    server.faults.push(
      { status: 504, body: '{"code":"UPSTREAM_TIMEOUT"}', headers: { 'Content-Type': 'application/json' } },
      { status: 422, problem: { code: 'input_invalid' } },
    )
    const verdict = await newClient().post('/api/things', {})
    expect(verdict).toMatchObject({ outcome: 'failed', problem: { code: 'input_invalid' } })
    // Made certain by a cancel: the first attempt may still be on its way.
    expect(server.rows.get(verdict.key)).toEqual({ state: 'cancelled' })
  })

  test('of a server that knows no cancel leaves the operation its own end', async () => {
    server.settings.guard = ({ path }) => (path.endsWith('/cancel') ? { status: 404 } : 'none')
    server.faults.push('hold')
    const stop = new AbortController()
    const verdict = newClient().post('/api/things', {}, { signal: stop.signal })
    const [key] = await server.held()
    stop.abort()
    await until(() => server.cancels().length === 1)
    server.release(key!)
    expect(await verdict).toMatchObject({ outcome: 'too_late', state: 'succeeded' })
  })
})
