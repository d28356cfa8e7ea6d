import { afterEach, beforeEach, expect, test } from 'vitest'
import { readEvents } from '../src/client/event-stream.ts'
import { createClient, type ClientOptions, type OperationView } from '../src/client/index.ts'
import { problem, startClientServer, type ClientServer } from './support/client-server.ts'
import { until } from './support/until.ts'

let server: ClientServer
beforeEach(async () => void (server = await startClientServer()))
afterEach(() => server.close())

const quick = { tries: 4, baseMs: 1, capMs: 4, longestWaitMs: 2_000 }
const newClient = (options: Partial<ClientOptions> = {}) =>
  createClient({ baseUrl: server.url, retry: quick, ...options })
const openStreams = () => [...server.streams.values()].flatMap((open) => [...open])
const eventsCalls = () => server.seen.filter(({ path }) => path.endsWith('/events'))

test('202 is followed on the event stream, and ends in the stored response as if it had come at once', async () => {
  server.faults.push('durable')
  const verdict = newClient().post('/api/things', {})
  await until(() => openStreams().length === 1)
  const key = [...server.streams.keys()][0]!
  server.finish(key)
  expect(await verdict).toMatchObject({
    outcome: 'succeeded',
    key,
    status: 200,
    etag: '"7"',
    result: { got: 'durable' },
  })
  expect(server.effects).toEqual([key])
})

test('202 is followed by polling where there is no event stream', async () => {
  server.settings.streams = false
  server.faults.push('durable')
  const verdict = newClient().post('/api/things', {})
  const key = await until(() => [...server.rows.keys()][0])
  await until(() => server.seen.filter(({ path }) => path === `/api/operations/${key}`).length >= 3)
  server.finish(key)
  expect(await verdict).toMatchObject({ outcome: 'succeeded', status: 200 })
  expect(eventsCalls()).toHaveLength(1)
})

test('a durable operation that ends failed or cancelled is told so', async () => {
  for (const state of ['failed', 'cancelled'] as const) {
    server.faults.push('durable')
    const verdict = newClient().post('/api/things', {}, { key: state })
    await until(() => server.streams.get(state)?.size)
    server.change(state, { state, status: 402, body: problem('card_declined', 402) })
    expect(await verdict).toMatchObject(
      state === 'failed'
        ? { outcome: 'failed', problem: { code: 'card_declined', status: 402 } }
        : { outcome: 'cancelled' },
    )
  }
})

test('a 202 that is an operation’s own final answer is a success', async () => {
  server.settings.guard = ({ path }) =>
    path.startsWith('/api/things')
      ? { status: 202, body: '{"photos":[]}', headers: { 'Content-Type': 'application/json', 'Operation-Key': 'k' } }
      : 'none'
  expect(await newClient().post('/api/things', {})).toMatchObject({
    outcome: 'succeeded',
    status: 202,
    result: { photos: [] },
  })
})

test('a retry that finds the operation in progress follows it; one that waits for a human is told as needs_attention', async () => {
  server.rows.set('k', { state: 'running' })
  const client = newClient()
  const verdict = client.post('/api/things', {}, { key: 'k' })
  await until(() => openStreams().length === 1)
  server.change('k', { state: 'needs_attention' })
  expect((await verdict).outcome).toBe('needs_attention')
  expect((await client.pending()).map(({ key }) => key)).toEqual(['k'])
  server.change('k', { state: 'cancelled' })
  expect(await client.resume()).toMatchObject([{ outcome: 'cancelled' }])
})

test('a key whose response was stripped is told by its state, without a result, and is not sent for ever', async () => {
  server.rows.set('old', { state: 'succeeded' })
  server.settings.guard = ({ path }) =>
    path.startsWith('/api/things') ? { status: 409, problem: { code: 'key_expired', state: 'succeeded' } } : 'none'
  const verdict = await newClient().post('/api/things', {}, { key: 'old' })
  expect(verdict).toMatchObject({ outcome: 'succeeded', replayed: true })
  expect(server.writes()).toHaveLength(1)
})

test('watch tells each change once, over broken streams, until the operation is terminal', async () => {
  server.rows.set('w', { state: 'running' })
  const states: string[] = []
  const done = (async () => {
    for await (const view of newClient().watch('w')) states.push(view.state)
  })()
  await until(() => openStreams().length === 1)
  for (const stream of openStreams()) stream.destroy()
  await until(() => eventsCalls().length >= 2 && openStreams().length === 1)
  server.change('w', { state: 'undoing' })
  await until(() => states.length === 2)
  // Changed while no stream was open: the next look finds it.
  server.rows.set('w', { state: 'cancelled' })
  for (const stream of openStreams()) stream.destroy()
  await done
  expect(states).toEqual(['running', 'undoing', 'cancelled'])
})

test('a stream that has gone silent is connected anew', async () => {
  server.rows.set('w', { state: 'running' })
  const stop = new AbortController()
  const done = (async () => {
    for await (const _ of newClient({ idleMs: 20 }).watch('w', { signal: stop.signal }));
  })()
  await until(() => eventsCalls().length >= 3)
  stop.abort()
  await done
})

test('progress events are told on the view they belong to', async () => {
  server.rows.set('w', { state: 'running' })
  const views: OperationView[] = []
  const done = (async () => {
    for await (const view of newClient().watch('w')) views.push(view)
  })()
  await until(() => views.length === 1 && openStreams().length === 1)
  openStreams()[0]!.write('event: progress\ndata: {"done":1,"total":3}\n\n:\n\nevent: other\ndata: not json\n\n')
  await until(() => views.length === 2)
  expect(views[1]).toMatchObject({ state: 'running', key: 'w', progress: { done: 1, total: 3 } })
  server.change('w', { state: 'succeeded' })
  await done
})

test('watch goes on through an outage, ends without an error on its signal, and throws a definite refusal', async () => {
  let down = 6
  server.settings.guard = () => (down-- > 0 ? { status: 503 } : 'none')
  server.rows.set('w', { state: 'running' })
  const stop = new AbortController()
  const states: string[] = []
  for await (const view of newClient().watch('w', { signal: stop.signal })) {
    states.push(view.state)
    stop.abort()
  }
  expect(states).toEqual(['running'])
  await until(() => openStreams().length === 0, { message: 'the stream is closed' })

  server.settings.guard = () => ({ status: 403, problem: { code: 'forbidden' } })
  await expect(newClient().watch('w')[Symbol.asyncIterator]().next()).rejects.toMatchObject({ status: 403 })
})

test('leaving the loop closes the stream', async () => {
  server.rows.set('w', { state: 'running' })
  for await (const _ of newClient().watch('w')) break
  await until(() => openStreams().length === 0)
})

test('an event stream is read the same wherever it is torn', async () => {
  const text =
    '\uFEFFretry: 5\r\n\r\nevent: a\r\ndata: {"x":"é€𝄞"}\r\ndata:second\r\n\r\n: comment\rdata\r\rid: 1\ndata: last\n\ndata: unfinished'
  const bytes = new TextEncoder().encode(text)
  const whole = [
    { event: 'a', data: '{"x":"é€𝄞"}\nsecond' },
    { event: 'message', data: '' },
    { event: 'message', data: 'last' },
  ]
  for (let at = 0; at <= bytes.length; at++) {
    const events = []
    const torn = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(bytes.slice(0, at))
        controller.enqueue(bytes.slice(at))
        controller.close()
      },
    })
    for await (const event of readEvents(torn, { idleMs: 1_000 })) events.push(event)
    expect(events).toEqual(whole)
  }
})

test('an event without end is not kept in memory for ever', async () => {
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new TextEncoder().encode('data: xxxxxxxx\n')),
  })
  const read = async () => {
    for await (const _ of readEvents(endless, { idleMs: 1_000, maxChars: 1_000 }));
  }
  await expect(read()).rejects.toThrow(RangeError)
})

test('events: those of one connection, with the client’s own headers, until the signal fires; a refusal is thrown', async () => {
  server.faults.push('durable')
  const client = newClient({ headers: () => ({ Authorization: 'Bearer 1' }) })
  void client.post('/api/things', {}, { key: 'k' })
  await until(() => server.rows.has('k'))
  const leaving = new AbortController()
  const told: string[] = []
  for await (const { data } of client.events('/api/operations/k/events', { signal: leaving.signal })) {
    told.push((JSON.parse(data) as { state: string }).state)
    if (told.length === 1) server.finish('k')
    else leaving.abort()
  }
  expect(told.at(-1)).toBe('succeeded')
  expect(eventsCalls().at(-1)!.headers).toMatchObject({ authorization: 'Bearer 1', accept: 'text/event-stream' })
  const read = async () => {
    for await (const _ of client.events('/api/nowhere'));
  }
  await expect(read()).rejects.toMatchObject({ name: 'ProblemError', status: 404 })
})
