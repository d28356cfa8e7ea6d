import fs from 'node:fs'
import { connect } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import type { FastifyInstance } from 'fastify'
import pg from 'pg'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
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
    ['JSON said to be text', 415, 'unsupported_media_type', JSON.stringify(add), { 'content-type': 'text/plain' }],
    ['bytes that are not UTF-8', 400, 'malformed_request', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), json],
    ['nothing where there has to be something', 422, 'input_invalid', '', json],
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
  const documented = Object.entries<object>(api.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  )
  // Neither the document and its reader, nor what browsers and proxies ask on their own.
  const served = routesOf(shop.app).filter((route) => !/^(HEAD|OPTIONS|TRACE) |^GET \/(docs|openapi\.json)/.test(route))
  expect(served.length).toBeGreaterThan(35)
  expect(documented.toSorted()).toEqual(served.toSorted())
  // What a route may answer is said: how it ends well, with its media type where there is a body, and problems.
  for (const [path, methods] of Object.entries<Record<string, any>>(api.paths))
    for (const [method, { responses }] of Object.entries(methods)) {
      const { default: problem, ...others } = responses
      expect([method, path, Object.keys(problem.content)]).toEqual([method, path, ['application/problem+json']])
      const good = Object.keys(others).filter((status) => status < '400')
      expect([method, path, good.length > 0]).toEqual([method, path, true])
      const empty = good.filter((status) => others[status].content === undefined)
      expect(
        empty.filter((status) => !/^(204|30[34])$/.test(status)).map((status) => `${status} ${method} ${path}`),
      ).toEqual(path === '/api/auth/password/forgot' ? ['202 post /api/auth/password/forgot'] : [])
      if (path.endsWith('/events'))
        expect([path, Object.keys(others[200].content)]).toEqual([path, ['text/event-stream']])
    }
  // Every write is an operation, or speaks of one.
  const writes = Object.entries<Record<string, Record<string, unknown>>>(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([method]) => method !== 'get')
      .map(([method, documentation]) => ({ route: `${method} ${path}`, policies: documentation['x-safepoint'] })),
  )
  expect(writes.filter(({ policies }) => policies === undefined).map(({ route }) => route)).toEqual([
    'post /api/operations/{key}/cancel',
    'post /api/operations/{key}/undo',
    // Figures are no operation: nothing is stored.
    'post /api/client-events',
    // Where a gateway sends the browser: nothing that it brings is believed.
    'post /api/payments/{id}/return',
  ])
  for (const { policies } of writes.filter((one) => one.policies !== undefined))
    expect(policies).toMatchObject({
      operation: expect.any(String),
      onDisconnect: expect.any(String),
      key: expect.any(String),
    })
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

test('a body that is empty is none, although its type was said, as clients do that say it with every request', async () => {
  const json = { 'content-type': 'application/json' }
  const { send } = await shop.newShopper()
  await send('POST', '/api/cart/add', { productId, quantity: 1 })
  expect((await send('DELETE', '/api/cart', '', json)).body.items).toEqual([])
  expect((await send('POST', '/api/operations/empty/cancel', '', json)).body).toMatchObject({ outcome: 'cancelled' })
})

test('a 401 says how to be let in', async () => {
  for (const reply of [
    await shop.send('GET', '/api/cart'),
    await shop.send('POST', '/api/auth/login', { email: 'nobody@example.com', password: 'no password' }),
  ])
    expect([reply.status, reply.headers['www-authenticate']]).toEqual([401, 'Bearer'])
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

test('what is harmless finishes although its client has gone, and is found under its key', async () => {
  const { send, accessToken, user } = await shop.newShopper()
  const { body: cart } = await send('POST', '/api/cart/add', { productId, quantity: 1 })
  const item = `/api/cart/items/${cart.items[0].id}`
  const home = { name: 'Asha', line1: '1 Lane', city: 'Pune', postalCode: '411001', country: 'IN' }
  const writes: Array<[key: string, method: string, url: string, body?: object]> = [
    ['change', 'PATCH', item, { quantity: 3 }],
    ['removal', 'DELETE', item],
    ['add', 'POST', '/api/cart/add', { productId, quantity: 2 }],
    ['wish', 'PUT', `/api/wishlist/${productId}`],
    ['profile', 'PATCH', '/api/me', { name: 'Gone' }],
    ['address', 'POST', '/api/addresses', home],
  ]
  const { port, hostname } = new URL(await listen(shop.app))
  const connections = promisify(shop.app.server.getConnections.bind(shop.app.server))
  const holder = new pg.Client(shop.url)
  await holder.connect()
  onTestFinished(() => holder.end())
  for (const [key, method, url, given] of writes) {
    // What each of them writes is held, so that its client certainly leaves in the middle of it.
    await holder.query('begin')
    await holder.query('select from pantry.account where id = $1 for update', [user.id])
    await holder.query('select from pantry.cart where account_id = $1 for update', [user.id])
    const body = given ? JSON.stringify(given) : ''
    const head = [
      `${method} ${url} HTTP/1.1`,
      'Host: x',
      `Authorization: Bearer ${accessToken}`,
      `Idempotency-Key: ${key}`,
    ]
    if (given) head.push('Content-Type: application/json', `Content-Length: ${body.length}`)
    const socket = connect(Number(port), hostname)
    socket.write(`${head.join('\r\n')}\r\n\r\n${body}`)
    const standing = async () => (await send('GET', `/api/operations/${key}`)).body
    await expect.poll(standing).toEqual({ state: 'none', inFlight: true })
    socket.destroy()
    await expect.poll(() => connections()).toBe(0)
    await holder.query('rollback')
    await expect.poll(async () => [key, (await standing()).state]).toEqual([key, 'succeeded'])
  }
  expect((await send('GET', '/api/cart')).body.totalItems).toBe(2)
  expect((await send('GET', '/api/wishlist')).body.items).toMatchObject([{ productId }])
  expect((await send('GET', '/api/me')).body.name).toBe('Gone')
  expect((await send('GET', '/api/addresses')).body.items).toMatchObject([home])
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
    for (const url of ['/api//cart', '//api/cart', `/${'a'.repeat(300)}`]) {
      const reply = await send('GET', url, undefined, { accept: 'application/json' })
      expect([url, reply.status, reply.body?.code]).toEqual([url, 404, 'not_found'])
    }
    const own = await send('GET', '/api/products', undefined, { origin: shop.composed.publicUrl() })
    expect(own.headers['access-control-allow-origin']).toBe(shop.composed.publicUrl())
    const admitted = await send('GET', '/api/products', undefined, { origin: 'https://shop.example.com' })
    expect(admitted.headers['access-control-allow-origin']).toBe('https://shop.example.com')
    const exposed = String(admitted.headers['access-control-expose-headers'])
    for (const name of ['operation-key', 'idempotent-replayed', 'retry-after', 'etag', 'date', 'x-request-id'])
      expect(exposed.split(', ')).toContain(name)
    const preflight = await send('OPTIONS', '/api/orders', undefined, {
      origin: 'https://shop.example.com',
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'idempotency-key,retry-attempt,if-match,authorization,content-type',
    })
    expect(preflight.status).toBe(204)
    const allowed = String(preflight.headers['access-control-allow-headers'])
    for (const name of ['idempotency-key', 'retry-attempt', 'if-match', 'authorization', 'content-type'])
      expect(allowed.split(', ')).toContain(name)
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

/** `METHOD /path/{parameter}` of every route, read off the router's own tree. */
function routesOf(app: FastifyInstance): string[] {
  const routes: string[] = []
  const parents: string[] = []
  for (const line of app.printRoutes({ commonPrefix: false }).split('\n')) {
    const [, indent = '', segment = '', methods] = /^([│ ]*)[├└]── (.*?)(?: \(([A-Z, ]+)\))?$/u.exec(line) ?? []
    if (segment === '') continue
    const path = (parents[indent.length / 4 - 1] ?? '') + segment
    parents[indent.length / 4] = path
    for (const method of methods?.split(', ') ?? []) routes.push(`${method} ${path.replace(/:(\w+)/g, '{$1}')}`)
  }
  return routes
}
