import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import pino from 'pino'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { buildApp } from './app.ts'
import { world, type Send } from './test/world.ts'
import { builtInLimits, readRateLimits, type RateLimits } from './rate-limits.ts'

const shop = await world()
const shopper = await shop.newShopper()
const { productId } = await shop.newProduct()
const rows = async () =>
  (
    await shop.sql(`select (select count(*) from safepoint.operation)::int as operations,
      (select count(*) from safepoint.cancel_event)::int as cancels, (select count(*) from pantry.account)::int as accounts`)
  )[0]

const opened: Array<() => Promise<void>> = []
afterAll(() => Promise.all(opened.map((close) => close())))

/** A server that admits only so much, counting from nothing. */
async function limited(limits: Partial<RateLimits>): Promise<(token?: string) => Send> {
  const app = await buildApp({
    composed: shop.composed,
    log: pino({ level: 'silent' }),
    rateLimits: { ...builtInLimits, ...limits },
  })
  opened.push(() => app.close())
  return (token) => shop.sendTo({ app, composed: shop.composed }, token)
}

const two = { max: 2, seconds: 60 }
const add = { productId, quantity: 1 }
const key = (name: string) => ({ 'idempotency-key': name })

test('I13: a request over the limit of its account is told when to come back, and leaves no row', async () => {
  const to = await limited({ write: two })
  const send = to(shopper.accessToken)
  for (const name of ['one', 'two']) expect((await send('POST', '/api/cart/add', add, key(name))).status).toBe(200)
  const before = await rows()
  const refused = await send('POST', '/api/cart/add', add, key('three'))
  expect(refused).toMatchObject({
    status: 429,
    headers: { 'content-type': 'application/problem+json' },
    body: { code: 'rate_limited', retryable: true, limit: 2 },
  })
  expect(Number(refused.headers['retry-after'])).toBe(Math.ceil(refused.body.retryAfterMs / 1000))
  expect(refused.body.retryAfterMs).toBeGreaterThan(50_000)
  expect((await send('PATCH', '/api/me', { name: 'Other' }, key('four'))).status).toBe(429)
  expect(await rows()).toEqual(before)
  // Another account is not concerned; and whoever has asked for too much can still look, and take it back.
  const other = await shop.newShopper()
  expect((await to(other.accessToken)('POST', '/api/cart/add', add)).status).toBe(200)
  expect((await send('GET', '/api/operations/three')).body).toEqual({ state: 'none' })
  expect((await send('POST', '/api/operations/three/cancel', {})).body).toMatchObject({ outcome: 'cancelled' })
})

test('I13: log-ins are counted by address and more strictly, whatever account is tried, and leave no row', async () => {
  const send = (await limited({ auth: two }))(shopper.accessToken)
  const { email, password } = shopper
  for (const attempt of [1, 2])
    expect((await send('POST', '/api/auth/login', { email, password: `wrong ${attempt}` })).status).toBe(401)
  const before = await rows()
  for (const [url, body] of [
    ['/api/auth/login', { email, password }],
    ['/api/auth/login', { email: 'other@example.com', password }],
    ['/api/auth/register', { email: 'new@example.com', password, name: 'New' }],
  ] as const)
    expect([url, (await send('POST', url, body, key('login'))).body.code]).toEqual([url, 'rate_limited'])
  expect(await rows()).toEqual(before)
})

test('I13: without a token, or with one that is not valid, no route leaves a row', async () => {
  const { body: api } = await shop.send('GET', '/openapi.json')
  const before = await rows()
  let tried = 0
  for (const [route, methods] of Object.entries<Record<string, { security?: unknown[] }>>(api.paths)) {
    for (const [method, { security }] of Object.entries(methods)) {
      if (method === 'get' || security?.length === 0) continue
      for (const token of [undefined, 'nonsense', `${shopper.accessToken.slice(0, -4)}AAAA`]) {
        const url = route.replace(/\{\w+\}/g, crypto.randomUUID())
        const reply = await shop.sendTo(shop, token)(method.toUpperCase(), url, {}, key(`unauthenticated ${tried++}`))
        expect([method, route, reply.status, reply.body.code]).toEqual([method, route, 401, 'unauthenticated'])
      }
    }
  }
  expect(tried).toBeGreaterThan(40)
  expect(await rows()).toEqual(before)
})

test('I13: what is shed because too many passwords wait is 503 with Retry-After, leaves no row, and may be sent again', async () => {
  const before = await rows()
  const people = Array.from({ length: 90 }, (_, n) => ({
    email: `shed${n}@example.com`,
    password: 'long enough',
    name: 'S',
  }))
  const register = (n: number) => shop.send('POST', '/api/auth/register', people[n], key(`shed ${n}`))
  const replies = await Promise.all(people.map((_, n) => register(n)))
  const made = replies.filter(({ status }) => status === 201).length
  const shed = replies.flatMap((reply, n) => (reply.status === 201 ? [] : [{ n, reply }]))
  expect(shed.length).toBeGreaterThan(0)
  for (const { reply } of shed) {
    expect(reply).toMatchObject({ status: 503, body: { code: 'busy', retryable: true } })
    expect(reply.headers['retry-after']).toBe('1')
  }
  expect(await rows()).toEqual({ ...before, operations: before!.operations + made, accounts: before!.accounts + made })
  expect((await register(shed[0]!.n)).status).toBe(201)
})

test('pages and pictures are not counted, and the limits come from a file, or are off', async () => {
  const send = (await limited({ read: two }))()
  for (const _ of [1, 2]) expect((await send('GET', '/api/products')).status).toBe(200)
  expect((await send('GET', '/api/products')).status).toBe(429)
  for (const url of ['/healthz', '/errors/rate_limited', '/images/bananas.svg'])
    expect([url, (await send('GET', url)).status]).toEqual([url, 200])

  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'pantry-limits-')), 'limits.json')
  onTestFinished(() => fs.rmSync(path.dirname(file), { recursive: true }))
  fs.writeFileSync(file, '{"auth": {"max": 5, "seconds": 10}}')
  expect(readRateLimits(file)).toEqual({ ...builtInLimits, auth: { max: 5, seconds: 10 } })
  expect([readRateLimits('off'), readRateLimits(undefined)]).toEqual([undefined, builtInLimits])
  for (const text of ['{', '[]', '{"login": {"max": 5, "seconds": 10}}', '{"auth": {"max": -1, "seconds": 10}}']) {
    fs.writeFileSync(file, text)
    expect(() => readRateLimits(file), text).toThrow(/RATE_LIMITS/)
  }
  expect(() => readRateLimits(`${file}.none`)).toThrow(/RATE_LIMITS.*\n.*ENOENT/)
})
