import fs from 'node:fs'
import { connect } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import pino from 'pino'
import { expect, test } from 'vitest'
import { buildApp } from './app.ts'
import { listen, world } from './test/world.ts'

const shop = await world()
const shopper = await shop.newShopper()
const { productId } = await shop.newProduct()
const rows = () =>
  shop.sql(`select (select count(*) from safepoint.operation)::int as operations, (select count(*) from pantry.cart_item)::int as lines,
    (select count(*) from pantry.address)::int as addresses`)

test('bad input is a clear problem and stores nothing', async () => {
  const add = { productId, quantity: 1 }
  const json = { 'content-type': 'application/json' }
  const cases: Array<[name: string, status: number, code: string, body: unknown, headers: Record<string, string>]> = [
    ['a key of 256 bytes', 400, 'key_invalid', add, { 'idempotency-key': 'k'.repeat(256) }],
    [
      'a key of 255 characters and more bytes',
      400,
      'key_invalid',
      add,
      { 'idempotency-key': Buffer.from('é'.repeat(200)).toString('latin1') },
    ],
    ['an empty key', 400, 'key_invalid', add, { 'idempotency-key': '""' }],
    ["a key of the server's own", 400, 'key_invalid', add, { 'idempotency-key': '~mine' }],
    ['a quote left open', 400, 'key_invalid', add, { 'idempotency-key': '"open' }],
    ['a version that is no number', 400, 'version_invalid', add, { 'if-match': 'three' }],
    ['a weak version', 400, 'version_invalid', add, { 'if-match': 'W/"3"' }],
    ['an unknown field', 422, 'input_invalid', { ...add, price: 1 }, {}],
    ['a field that is missing', 422, 'input_invalid', { productId }, {}],
    ['a quantity that is no number', 422, 'input_invalid', { productId, quantity: '1' }, {}],
    ['half a piece', 422, 'input_invalid', { productId, quantity: 0.5 }, {}],
    ['less than nothing', 422, 'input_invalid', { productId, quantity: -1 }, {}],
    ['more than there are numbers', 422, 'input_invalid', { productId, quantity: 1e300 }, {}],
    ['a list', 422, 'input_invalid', [add], {}],
    ['a NUL byte in an id', 404, 'product_not_found', { productId: 'a\u0000b', quantity: 1 }, {}],
    ['an id that is none', 404, 'product_not_found', { productId: "'; drop table pantry.cart; --", quantity: 1 }, {}],
    ['JSON that is cut', 400, 'malformed_request', '{"productId":', json],
    ['a prototype', 400, 'malformed_request', '{"__proto__": {"role": "admin"}}', json],
    ['another media type', 415, 'unsupported_media_type', '<add/>', { 'content-type': 'text/xml' }],
    ['a body over the limit', 413, 'body_too_large', JSON.stringify({ productId: 'x'.repeat(300_000) }), json],
  ]
  const before = await rows()
  for (const [name, status, code, body, headers] of cases) {
    const reply = await shopper.send('POST', '/api/cart/add', body, headers)
    expect([name, reply.status, reply.body?.code]).toEqual([name, status, code])
    expect([name, reply.headers['content-type']]).toEqual([name, 'application/problem+json'])
    expect(reply.body).toMatchObject({ type: `/errors/${code}`, title: expect.any(String), retryable: false })
  }
  expect(await rows()).toEqual(before)
  const key = { 'idempotency-key': 'k'.repeat(255) }
  expect((await shopper.send('POST', '/api/cart/add', add, key)).status).toBe(200)
  expect((await shopper.send('GET', `/api/operations/${'k'.repeat(255)}`)).body).toMatchObject({ state: 'succeeded' })
})

test('an operation of somebody else is as good as none', async () => {
  const other = await shop.newShopper()
  await shopper.send('POST', '/api/cart/add', { productId, quantity: 1 }, { 'idempotency-key': 'mine' })
  expect((await other.send('GET', '/api/operations/mine')).body).toEqual({ state: 'none' })
  const undo = await other.send('POST', '/api/operations/mine/undo')
  expect(undo.status).toBeGreaterThanOrEqual(400)
  expect((await shopper.send('GET', '/api/operations/mine')).body).toMatchObject({ state: 'succeeded' })
})

test('every route is documented, with its policies, and every code has its page in English and Hebrew', async () => {
  const { body: api } = await shop.send('GET', '/openapi.json')
  expect(api.openapi).toBe('3.1.0')
  const documented = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.keys(methods as object).map((method) => `${method} ${path}`),
  )
  for (const route of [
    'post /api/auth/register',
    'get /api/products/{id}',
    'post /api/cart/add',
    'delete /api/cart/items/{id}',
    'post /api/orders',
    'patch /api/addresses/{id}',
  ]) {
    expect(documented).toContain(route)
  }
  const add = api.paths['/api/cart/add'].post
  expect(add['x-safepoint']).toMatchObject({
    operation: 'cart.add-item',
    kind: 'atomic',
    onDisconnect: 'finish',
    undo: true,
  })
  expect(Object.keys(add['x-safepoint'].errors)).toContain('quantity_limit')
  const page = await shop.send('GET', '/errors/undo_outdated', undefined, {
    'accept-language': 'he',
    accept: 'text/html',
  })
  expect([page.status, /dir="rtl"/.test(page.text)]).toEqual([200, true])
})

test("answers carry a request id, the caller's own where it is fit to be logged", async () => {
  expect((await shop.send('GET', '/healthz', undefined, { 'x-request-id': 'abc-1' })).headers['x-request-id']).toBe(
    'abc-1',
  )
  expect((await shop.send('GET', '/healthz', undefined, { 'x-request-id': 'a b\tc' })).headers['x-request-id']).toMatch(
    /^[0-9a-f-]{36}$/,
  )
  expect((await shop.send('GET', '/readyz')).body).toEqual({ status: 'ok' })
})

test('an unknown route is a problem, and a trailing slash is ignored', async () => {
  expect((await shop.send('GET', '/api/nothing')).body).toMatchObject({ code: 'not_found', status: 404 })
  expect((await shop.send('GET', '/api/products/')).status).toBe(200)
})

test('a client that is cut off after its add was sent leaves it done, and finds it under its key', async () => {
  const { port, hostname } = new URL(await listen(shop.app))
  const body = JSON.stringify({ productId, quantity: 1 })
  const socket = connect(Number(port), hostname)
  await new Promise<void>((sent) =>
    socket.write(
      `POST /api/cart/add HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${shopper.accessToken}\r\nIdempotency-Key: cut\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      () => sent(),
    ),
  )
  socket.destroy()
  await expect.poll(async () => (await shopper.send('GET', '/api/operations/cut')).body.state).toBe('succeeded')
})

test('the built pages are served, with the entry page for what a browser asks; only named origins may read the API', async () => {
  const webRoot = fs.mkdtempSync(path.join(os.tmpdir(), 'pantry-web-'))
  fs.mkdirSync(path.join(webRoot, 'assets'))
  fs.writeFileSync(path.join(webRoot, 'index.html'), '<title>Pantry</title>')
  fs.writeFileSync(path.join(webRoot, 'assets', 'a-1.js'), 'export {}')
  const app = await buildApp({
    composed: shop.composed,
    log: pino({ level: 'silent' }),
    corsOrigins: ['https://shop.example.com'],
    webRoot,
  })
  try {
    const send = shop.sendTo({ app, composed: shop.composed })
    const html = { accept: 'text/html,*/*' }
    for (const url of ['/', '/checkout/7']) {
      const page = await send('GET', url, undefined, html)
      expect([url, page.status, page.text, page.headers['cache-control']]).toEqual([
        url,
        200,
        '<title>Pantry</title>',
        'no-cache',
      ])
    }
    expect((await send('GET', '/assets/a-1.js')).headers['cache-control']).toMatch(/immutable/)
    for (const url of ['/assets/none.js', '/api/none', '/../package.json', '/%2e%2e/package.json']) {
      const reply = await send('GET', url, undefined, html)
      expect([url, reply.status >= 400 || reply.text === '<title>Pantry</title>']).toEqual([url, true])
    }
    const admitted = await send('GET', '/api/products', undefined, { origin: 'https://shop.example.com' })
    expect(admitted.headers['access-control-allow-origin']).toBe('https://shop.example.com')
    expect(String(admitted.headers['access-control-expose-headers'])).toContain('operation-key')
    const refused = await send('GET', '/api/products', undefined, { origin: 'https://evil.example' })
    expect(refused.headers['access-control-allow-origin']).toBeUndefined()
    const docs = await send('GET', '/docs/', undefined, html)
    expect([docs.status, String(docs.headers['content-security-policy'])]).toEqual([
      200,
      expect.stringContaining("script-src 'self'"),
    ])
  } finally {
    await app.close()
    fs.rmSync(webRoot, { recursive: true })
  }
})

test('a process that drains is not ready', async () => {
  const app = await buildApp({
    composed: shop.composed,
    log: pino({ level: 'silent' }),
    refusing: () => 'The server is shutting down.',
  })
  try {
    const send = shop.sendTo({ app, composed: shop.composed })
    const ready = await send('GET', '/readyz')
    expect([ready.status, ready.body.code, ready.headers['retry-after']]).toEqual([503, 'unavailable', '1'])
    expect((await send('GET', '/healthz')).status).toBe(200)
  } finally {
    await app.close()
  }
})
