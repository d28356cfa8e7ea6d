import { hkdfSync } from 'node:crypto'
import { SignJWT } from 'jose'
import { uuidv7 } from 'safepoint'
import { expect, onTestFinished, test } from 'vitest'
import { until } from '../../../safepoint/test/support/until.ts'
import type { Cart } from '../cart/cart.ts'
import { listen, world, type Send, type Shopper } from '../test/world.ts'
import { streamLimit } from './account-stream.ts'
import { topicLimit } from './events.routes.ts'

const shop = await world()
const second = await shop.another()
const origin = await listen(second.app)

interface Told {
  readonly event: string
  readonly data: any
}

/** A stream over a real connection, closed with the test. `next` answers `undefined` once it has ended. */
async function openStream(token: string, topics: string, { path = '/api/events', from = origin } = {}) {
  const connection = new AbortController()
  onTestFinished(() => connection.abort())
  const response = await fetch(`${from}${path}?${new URLSearchParams({ topics })}`, {
    headers: { authorization: `Bearer ${token}` },
    signal: connection.signal,
  })
  if (!response.ok) return { response, problem: (await response.json()) as any }
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  const next = async (): Promise<Told | undefined> => {
    for (;;) {
      const end = text.indexOf('\n\n')
      if (end < 0) {
        const { value, done } = await reader.read()
        if (done) return undefined
        text += value
        continue
      }
      const block = text.slice(0, end)
      text = text.slice(end + 2)
      const data = /^data: (.*)$/m.exec(block)?.[1]
      if (data !== undefined) return { event: /^event: (.*)$/m.exec(block)?.[1] ?? 'message', data: JSON.parse(data) }
    }
  }
  return {
    response,
    next,
    /** Reads on until one of `topic` fits, past what is told of others and in between. */
    async untilTold(event: string, fits: (data: any) => boolean = () => true) {
      for (;;) {
        const told = await next()
        if (!told) throw new Error(`The stream ended before ${event} was told.`)
        if (told.event === event && fits(told.data)) return told.data
      }
    },
    close: () => connection.abort(),
  }
}

async function stream(token: string, topics: string) {
  const opened = await openStream(token, topics)
  if (!opened.next) throw new Error(`No stream: ${JSON.stringify(opened.problem)}`)
  return opened
}

async function placeOrder(send: Send): Promise<string> {
  const { productId } = await shop.newProduct()
  await send('POST', '/api/cart/add', { productId, quantity: 1 })
  const address = { name: 'Asha', line1: '2 Lane', city: 'Pune', postalCode: '411002', country: 'IN' }
  const { body: home } = await send('POST', '/api/addresses', address)
  const placed = await send('POST', '/api/orders', { addressId: home.id }, { 'idempotency-key': uuidv7() })
  expect(placed.status).toBe(201)
  return placed.body.id
}

test('one stream tells of cart, operation and order, first how they stand, then each change made through another server', async () => {
  const { accessToken, send } = await shop.newShopper()
  const orderId = await placeOrder(send)
  const { body: cart } = await send<Cart>('GET', '/api/cart')
  const events = await stream(accessToken, `cart,operation:later,order:${orderId}`)
  expect(events.response.headers.get('content-type')).toMatch(/^text\/event-stream/)
  const first = await Promise.all([events.next(), events.next(), events.next()])
  expect(Object.fromEntries(first.map((told) => [told!.event, told!.data]))).toEqual({
    cart: { topic: 'cart', version: cart.version, cartId: cart.id },
    'operation:later': { topic: 'operation:later', state: 'none' },
    [`order:${orderId}`]: { topic: `order:${orderId}`, ...(await send('GET', `/api/orders/${orderId}`)).body },
  })

  const { productId } = await shop.newProduct()
  const added = await send<Cart>('POST', '/api/cart/add', { productId, quantity: 1 }, { 'idempotency-key': 'later' })
  const told = new Map<string, any>()
  while (told.size < 3) {
    const one = (await events.next())!
    told.set(one.event === 'end' ? `end of ${one.data.topic}` : one.event, one.data)
  }
  expect(told.get('cart')).toEqual({ topic: 'cart', version: added.body.version, cartId: added.body.id })
  // As the operation's own stream tells it, the way to undo it included.
  const own = await send('GET', '/api/operations/later')
  expect(told.get('operation:later')).toEqual({ topic: 'operation:later', ...own.body })
  expect(own.body).toMatchObject({ state: 'succeeded', undo: { href: '/api/operations/later/undo' } })
  expect(told.get('end of operation:later')).toEqual({ topic: 'operation:later' })

  await send('POST', `/api/orders/${orderId}/cancel`, {}, { 'idempotency-key': uuidv7() })
  expect(await events.untilTold(`order:${orderId}`)).toMatchObject({ id: orderId, status: 'cancelled' })
})

test("another account's things are as unknown as what has never been, and the other topics go on", async () => {
  const [owner, other] = (await Promise.all([shop.newShopper(), shop.newShopper()])) as [Shopper, Shopper]
  const orderId = await placeOrder(owner.send)
  const { productId } = await shop.newProduct()
  await owner.send('POST', '/api/cart/add', { productId, quantity: 1 }, { 'idempotency-key': 'theirs' })
  const never = uuidv7()
  const topics = ['operation:theirs', `order:${orderId}`, `order:${never}`, 'order:nonsense', 'cart']
  const events = await stream(other.accessToken, topics.join())
  const told: Told[] = []
  while (told.length < topics.length) told.push((await events.next())!)
  expect(told).toEqual(
    expect.arrayContaining([
      { event: 'operation:theirs', data: { topic: 'operation:theirs', state: 'none' } },
      ...[orderId, never, 'nonsense'].map((id) => ({
        event: 'end',
        data: { topic: `order:${id}`, code: 'order_not_found' },
      })),
      { event: 'cart', data: { topic: 'cart', version: 0, cartId: null } },
    ]),
  )
  // Whatever the owner does, the other one is told of their own cart alone.
  await owner.send('POST', `/api/orders/${orderId}/cancel`, {}, { 'idempotency-key': uuidv7() })
  await owner.send('POST', '/api/operations/theirs/undo')
  await other.send('POST', '/api/cart/add', { productId, quantity: 1 })
  expect(await events.next()).toMatchObject({ event: 'cart', data: { version: 1 } })
})

test('a stream ends when all its topics have', async () => {
  const { accessToken, send } = await shop.newShopper()
  const { productId } = await shop.newProduct()
  // Keys may hold what separates topics, and what encodes it.
  const key = 'one, two: 50%'
  await send('POST', '/api/cart/add', { productId, quantity: 1 }, { 'idempotency-key': key })
  const topic = `operation:${encodeURIComponent(key)}`
  const events = await stream(accessToken, `${topic},${topic}`)
  expect(await events.next()).toMatchObject({ event: topic, data: { topic, key, state: 'succeeded' } })
  expect(await events.next()).toEqual({ event: 'end', data: { topic } })
  expect(await events.next()).toBeUndefined()
})

test('what is no topic, or too many of them, is a problem before the stream begins', async () => {
  const { accessToken } = await shop.newShopper()
  for (const [topics, message] of [
    ['', expect.any(String)],
    ['cart,', '"" is no topic.'],
    ['cart:1', '"cart:1" is no topic.'],
    ['order', '"order" is no topic.'],
    ['order:', '"order:" is no topic.'],
    ['constructor:1', '"constructor:1" is no topic.'],
    ['operation:%E0%A4%A', '"operation:%E0%A4%A" is no topic.'],
    [Array.from({ length: topicLimit + 1 }, (_, n) => `operation:${n}`).join(), `At most ${topicLimit} topics.`],
  ]) {
    const { problem } = await openStream(accessToken, topics as string)
    expect([topics, problem]).toEqual([
      topics,
      expect.objectContaining({ status: 422, code: 'input_invalid', errors: [{ path: 'topics', message }] }),
    ])
  }
  expect((await openStream(accessToken, `operation:${'k'.repeat(256)}`)).problem).toMatchObject({ code: 'key_invalid' })
  expect((await openStream('nobody', 'cart')).problem).toMatchObject({ status: 401, code: 'unauthenticated' })
})

test('every stream ends with the token it was opened with', async () => {
  const { user, send } = await shop.newShopper()
  const orderId = await placeOrder(send)
  const secret = 'a secret for tests that is long enough to be one'
  const now = Math.floor(Date.now() / 1000)
  const token = await new SignJWT({ sid: uuidv7(), role: 'customer' })
    .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt' })
    .setIssuer('pantry')
    .setAudience('pantry-api')
    .setSubject(user.id)
    .setJti(uuidv7())
    .setIssuedAt(now)
    .setExpirationTime(now + 2)
    .sign(Buffer.from(hkdfSync('sha256', secret, '', 'pantry access token', 32)))
  const paths = ['/api/events', '/api/cart/events', `/api/orders/${orderId}/events`, '/api/operations/never/events']
  const streams = await Promise.all(paths.map((path) => openStream(token, 'cart', { path })))
  const told = await Promise.all(streams.map((events) => events.next!()))
  expect(told).toMatchObject([
    { data: { topic: 'cart' } },
    { data: { version: expect.any(Number) } },
    { data: { id: orderId } },
    { data: { state: 'none' } },
  ])
  // The engine's own stream is cut: whoever reads it sees its end as one of the connection.
  const ends = await Promise.all(streams.map((events) => events.next!().catch(() => undefined)))
  expect(ends).toEqual(paths.map(() => undefined))
  expect(Date.now()).toBeGreaterThanOrEqual((now + 2) * 1000)
})

test('an account has so many streams at once and no more; one that is closed makes room', async () => {
  const [busy, other] = await Promise.all([shop.newShopper(), shop.newShopper()])
  const streams = await Promise.all(
    Array.from({ length: streamLimit }, (_, n) =>
      openStream(busy.accessToken, 'cart', { path: n % 2 ? '/api/events' : '/api/cart/events' }),
    ),
  )
  expect(streams.map(({ response }) => response.status)).toEqual(Array(streamLimit).fill(200))
  const refused = await openStream(busy.accessToken, 'cart')
  expect(refused.problem).toMatchObject({ status: 429, code: 'too_many_streams', retryable: true, limit: streamLimit })
  expect(refused.response.headers.get('retry-after')).toBe('10')
  expect((await openStream(other.accessToken, 'cart')).response.status).toBe(200)
  streams[0]!.close!()
  await until(async () => (await openStream(busy.accessToken, 'cart')).response.status === 200)
})

test('a server that closes ends its streams in good order, and does not wait for those who listen', async () => {
  const { accessToken } = await shop.newShopper()
  const closing = await shop.another()
  const events = await openStream(accessToken, 'cart,operation:none', { from: await listen(closing.app) })
  await events.next!()
  await events.next!()
  const closed = closing.app.close()
  expect(await events.next!()).toBeUndefined()
  await closed
})
