import pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { startTcpProxy } from '../../safepoint/test/support/tcp-proxy.ts'
import { until } from '../../safepoint/test/support/until.ts'
import { world, type Reply } from './test/world.ts'

const shop = await world()
let probes = 0
const proxy = await startTcpProxy(shop.url, {
  intercept(from, bytes) {
    // Whether it speaks TLS is asked by nothing but the watch.
    if (from === 'client' && bytes.length === 8 && bytes.readUInt32BE(4) === 80_877_103) probes++
    return 'forward'
  },
})
const shopper = await shop.newShopper()
const { productId } = await shop.newProduct()
const server = await shop.another({ url: proxy.url })
const send = shop.sendTo(server, shopper.accessToken)
const add = (key: string) => send('POST', '/api/cart/add', { productId, quantity: 1 }, { 'idempotency-key': key })

const told = async (ask: () => Promise<Reply>) => {
  const since = performance.now()
  const { status, body, headers } = await ask()
  return { status, code: body?.code, retryAfter: headers['retry-after'], soon: performance.now() - since < 2000 }
}

test.each([
  ['is away', () => proxy.refuse()],
  ['says nothing', async () => proxy.swallow()],
])('while PostgreSQL %s every answer is 503 within 2 s, and the server recovers by itself', async (name, away) => {
  // Connections stand, so that what is lost is lost in the middle of something.
  await Promise.all(Array.from({ length: 10 }, () => send('GET', '/api/products')))
  await away()
  const asked: Array<[string, () => Promise<Reply>]> = [
    ['a read', () => send('GET', '/api/products')],
    ['the cart', () => send('GET', '/api/cart')],
    ['a write', () => add(name)],
    [
      'a durable write',
      () => send('POST', `/api/orders/${crypto.randomUUID()}/cancel`, {}, { 'idempotency-key': 'back' }),
    ],
    ['a look-up', () => send('GET', `/api/operations/${name}`)],
    ['a cancel', () => send('POST', '/api/operations/other/cancel', {})],
    ['a log-in', () => send('POST', '/api/auth/login', { email: shopper.email, password: shopper.password })],
    ['readiness', () => send('GET', '/readyz')],
  ]
  for (const [what, ask] of asked)
    expect([what, await told(ask)]).toEqual([
      what,
      { status: 503, code: 'unavailable', retryAfter: expect.stringMatching(/^[1-5]$/), soon: true },
    ])
  expect((await send('GET', '/healthz')).status).toBe(200)
  await proxy.restore()
  const done = await until(
    async () => {
      const reply = await add(name)
      return reply.status === 503 ? undefined : reply
    },
    { timeoutMs: 5000 },
  )
  expect(done.status).toBe(200)
  const [line] = await shop.sql<{ quantity: number }>(
    `select sum(i.quantity)::int as quantity from pantry.cart_item i join pantry.cart c on c.id = i.cart_id where c.account_id = $1`,
    [shopper.user.id],
  )
  const { body } = await send('GET', '/api/cart')
  expect(body.totalItems).toBe(line!.quantity)
  expect((await send('GET', `/api/operations/${name}`)).body.state).toBe('succeeded')
})

test('an answer that is merely slow is waited for: the server is asked whether it is there, and nothing is cut', async () => {
  const holder = new pg.Client(shop.url)
  await holder.connect()
  onTestFinished(() => holder.end())
  await holder.query('begin')
  await holder.query(`select from pantry.cart where account_id = $1 for update`, [shopper.user.id])
  const asked = probes
  const [slow, other] = [add('slow'), send('GET', '/api/products')]
  expect((await other).status).toBe(200)
  await until(() => probes > asked)
  await holder.query('rollback')
  expect((await slow).status).toBe(200)
  expect((await send('GET', '/readyz')).status).toBe(200)
})
