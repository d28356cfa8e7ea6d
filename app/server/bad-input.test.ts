import { expect, test } from 'vitest'
import { readOfferedGateways } from './payments/offered-gateways.ts'
import { world } from './test/world.ts'

// Offered, so that their webhooks read what they are sent; nothing of it is worth a call. (Not offered, they answer 503 as all of
// a gateway does: whoever sends it has to send it again.)
const baseUrl = 'http://127.0.0.1:9'
const shop = await world({
  gateways: readOfferedGateways(
    {},
    {
      stripe: { baseUrl, secretKey: 'sk_test', webhookSecret: 'whsec_test' },
      razorpay: { baseUrl, keyId: 'rzp_test', keySecret: 'secret', webhookSecrets: ['whsec'] },
      cardcom: { baseUrl, terminalNumber: 1000, apiName: 'api', apiPassword: 'password' },
    },
  ),
})
const shopper = await shop.newShopper()
const { productId } = await shop.newProduct()
const rows = async () =>
  (
    await shop.sql(`select (select count(*) from safepoint.operation)::int as operations,
      (select count(*) from safepoint.cancel_event)::int as cancels, (select count(*) from pantry.cart_item)::int as lines,
      (select count(*) from pantry.address)::int as addresses, (select count(*) from pantry.orders)::int as orders,
      (select count(*) from pantry.account)::int as accounts, (select count(*) from pantry.wish)::int as wishes,
      (select count(*) from pantry.webhook_event)::int as events`)
  )[0]!

interface Documentation {
  readonly 'x-safepoint'?: { readonly key: string }
  readonly requestBody?: { readonly content: Record<string, { readonly schema: { readonly properties?: object } }> }
}

const { body: api } = await shop.send('GET', '/openapi.json')
const operations = Object.entries<Record<string, Documentation>>(api.paths).flatMap(([route, methods]) =>
  Object.entries(methods)
    .filter(([, { 'x-safepoint': policies }]) => policies)
    .map(([method, documentation]) => ({ method: method.toUpperCase(), route, documentation })),
)
const json = { 'content-type': 'application/json' }
const keyed = () => ({ 'idempotency-key': crypto.randomUUID() })

/** The fields a route takes, each with a NUL byte in it. */
function withNul({ requestBody }: Documentation): object {
  const fields = Object.keys(requestBody?.content['application/json']?.schema.properties ?? {})
  return Object.fromEntries((fields.length > 0 ? fields : ['more']).map((field) => [field, 'a\u0000b']))
}

test.each(operations.map((one) => [`${one.method} ${one.route}`, one] as const))(
  '%s: bad input is a clear problem, stores nothing, and is never the fault of the server',
  async (_, { method, route, documentation }) => {
    const url = (id: string = crypto.randomUUID()) => route.replace(/\{\w+\}/g, id)
    const deep = `{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`
    const takesKey = /required|optional/.test(documentation['x-safepoint']!.key)
    const cases: Array<[name: string, url: string, body: unknown, headers: Record<string, string>]> = [
      ['an unknown field', url(), { surprise: true }, keyed()],
      ['NUL bytes', url(), withNul(documentation), keyed()],
      ['JSON that is cut', url(), '{"a":', { ...json, ...keyed() }],
      ['a prototype', url(), '{"__proto__": {"role": "admin"}}', { ...json, ...keyed() }],
      ['a list', url(), [1], keyed()],
      ['nesting without end', url(), deep, { ...json, ...keyed() }],
      ['a body over the limit', url(), JSON.stringify({ a: 'x'.repeat(300_000) }), { ...json, ...keyed() }],
      ['a media type of another kind', url(), '<a/>', { 'content-type': 'text/xml', ...keyed() }],
      ['a repeated query', `${url()}?surprise=1&surprise=2`, {}, keyed()],
    ]
    if (takesKey) {
      const keys = { oversized: 'k'.repeat(256), empty: '""', open: '"open', reserved: '~mine', bytes: '\xff\xfe' }
      for (const [name, value] of Object.entries(keys))
        cases.push([`a key that is ${name}`, url(), {}, { 'idempotency-key': value }])
      for (const value of ['three', 'W/"3"', '"1", "2"', '-1', '"99999999999999999999"'])
        cases.push([`a version that is ${value}`, url(), {}, { 'if-match': value, ...keyed() }])
    }
    if (documentation['x-safepoint']!.key === 'required') cases.push(['no key', url(), {}, {}])
    if (route.includes('{'))
      cases.push(['a NUL byte in the path', url('a%00b'), {}, keyed()], ['half a byte', url('%E0%A4'), {}, keyed()])
    const before = await rows()
    for (const [name, address, body, headers] of cases) {
      const reply = await shopper.send(method, address, body, headers)
      // Takes no other answer than 200, and is told there that nothing was received.
      if (route === '/api/payments/cardcom-webhook') {
        expect([name, reply.status, reply.body]).toEqual([name, 200, { received: false }])
        continue
      }
      expect([name, reply.status], reply.text).toEqual([
        name,
        expect.toSatisfy((status) => status >= 400 && status < 500),
      ])
      expect([name, reply.headers['content-type']]).toEqual([name, 'application/problem+json'])
      expect(reply.body).toMatchObject({
        type: `/errors/${reply.body.code}`,
        title: expect.any(String),
        retryable: false,
      })
    }
    expect(await rows()).toEqual(before)
  },
)

test('a missing key, one that is too long, and versions that are none are told apart', async () => {
  const order = (headers: Record<string, string>) => shopper.send('POST', '/api/orders', { addressId: 'x' }, headers)
  const codes = [
    [{}, 400, 'key_required'],
    [{ 'idempotency-key': 'k'.repeat(256) }, 400, 'key_invalid'],
    [{ 'idempotency-key': Buffer.from('é'.repeat(200)).toString('latin1') }, 400, 'key_invalid'],
    [{ 'idempotency-key': 'fine', 'if-match': 'three' }, 400, 'version_invalid'],
  ] as const
  for (const [headers, status, code] of codes) {
    const reply = await order(headers)
    expect([reply.status, reply.body.code]).toEqual([status, code])
  }
  for (const path of ['a%00b', '%2e%2e', 'k'.repeat(256), '%FF'])
    for (const [method, suffix] of [
      ['GET', ''],
      ['POST', '/cancel'],
      ['POST', '/undo'],
    ] as const) {
      const reply = await shopper.send(method, `/api/operations/${path}${suffix}`, method === 'POST' ? {} : undefined)
      expect([path, suffix, reply.status >= 400 && reply.status < 500], reply.text).toEqual([path, suffix, true])
    }
})

test('I5: a key of somebody else names nothing of theirs, whatever is tried with it', async () => {
  const other = await shop.newShopper()
  const key = { 'idempotency-key': 'mine' }
  const mine = await shopper.send('POST', '/api/cart/add', { productId, quantity: 1 }, key)
  const cart = (await shopper.send('GET', '/api/cart')).body
  const before = await rows()
  expect((await other.send('GET', '/api/operations/mine')).body).toEqual({ state: 'none' })
  const undo = await other.send('POST', '/api/operations/mine/undo')
  expect([undo.status, undo.body.code]).toEqual([404, 'unknown_operation'])
  expect(await rows()).toEqual(before)
  // Their own key of the same name is another one: cancelling it before it was used is theirs to do.
  expect((await other.send('POST', '/api/operations/mine/cancel', {})).body).toMatchObject({ outcome: 'cancelled' })
  expect((await other.send('POST', '/api/cart/add', { productId, quantity: 1 }, key)).body.code).toBe('cancelled')
  expect((await shopper.send('POST', '/api/cart/add', { productId, quantity: 1 }, key)).text).toBe(mine.text)
  expect((await shopper.send('POST', '/api/cart/add', { productId, quantity: 2 }, key)).body.code).toBe('key_reused')
  expect((await shopper.send('GET', '/api/cart')).body).toEqual(cart)
})
