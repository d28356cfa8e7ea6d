import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import { afterAll, expect, it } from 'vitest'
import { until } from '../../../safepoint/test/support/until.ts'
import { buildApp } from '../app.ts'
import { orderWorld } from '../test/order-world.ts'
import { breakGateways, defaultBreaker } from './gateway-breaker.ts'

const world = await orderWorld()
const lines: Array<{ readonly level: number; readonly state?: string }> = []
const log = pino({ level: 'info' }, { write: (line) => void lines.push(JSON.parse(line)) })
const gateways = breakGateways(world.composed.gateways, { ...defaultBreaker, calls: 3, open: 1500 }, log)
const app = await buildApp({ composed: await world.another({ gateways, log }), log })
const origin = await app.listen({ host: '127.0.0.1', port: 0 })
afterAll(() => app.close())

async function newShopper() {
  const send = async (path: string, body: object, token = '', key: string = randomUUID()) => {
    const answer = await fetch(`${origin}${path}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'idempotency-key': key,
        ...(token && { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
    })
    return { status: answer.status, headers: answer.headers, body: (await answer.json()) as any }
  }
  const person = { email: `${randomUUID()}@example.com`, password: 'correct horse battery', name: 'Ada' }
  const { body: session } = await send('/api/auth/register', person)
  const post = (path: string, body: object, key?: string) => send(path, body, session.accessToken, key)
  const address = { name: 'Ada', line1: '1 Road', city: 'Pune', postalCode: '411001', country: 'IN' }
  const { id: addressId } = (await post('/api/addresses', address)).body
  return {
    async order() {
      const { productId } = await world.newVariant(5)
      await post('/api/cart/add', { productId, quantity: 1 })
      return (await post('/api/orders', { addressId })).body.id as string
    },
    confirm: (id: string, key?: string) =>
      post(`/api/orders/${id}/confirm`, { gateway: 'stripe', paymentMethod: 'pm_card_visa' }, key),
  }
}

it('a shopper is told at once that the gateway is not there, and when to come back; then the order is paid', async () => {
  const shopper = await newShopper()
  const order = await shopper.order()
  world.stripe.faults.add({ times: 1000, faults: [{ kind: 'rate_limit', retryAfterSeconds: 7 }] })
  const said = ({ status, headers, body }: Awaited<ReturnType<typeof shopper.confirm>>) => ({
    status,
    header: headers.get('retry-after'),
    body,
  })
  for (let i = 0; !lines.some(({ state }) => state === 'open'); i++) {
    expect(i).toBeLessThan(5)
    // The gateway's own word.
    const limited = await shopper.confirm(order, `limited ${i}`)
    expect(said(limited)).toMatchObject({ status: 503, header: '7', body: { retryable: false, retryAfterMs: 7000 } })
    expect(said(await shopper.confirm(order, `limited ${i}`))).toEqual(said(limited))
  }
  const calls = world.stripe.calls.list().length
  const began = performance.now()
  const refused = await shopper.confirm(order, 'refused')
  expect(performance.now() - began).toBeLessThan(300)
  expect([refused.status, refused.body.code]).toEqual([503, 'gateway_unavailable'])
  expect(refused.body.gatewayCode).toBe('circuit_open')
  // What is left of the breaker's time, a second at the least.
  expect(refused.body.retryAfterMs).toBeGreaterThanOrEqual(1000)
  expect(refused.body.retryAfterMs).toBeLessThanOrEqual(1500)
  expect(refused.headers.get('retry-after')).toBe(String(Math.ceil(refused.body.retryAfterMs / 1000)))
  // Nothing was sent: there is nothing to settle, and nothing to undo.
  expect(world.stripe.calls.list().length).toBe(calls)

  world.stripe.faults.clear()
  await until(() => lines.some(({ state }) => state === 'half-open'))
  const replayed = await shopper.confirm(order, 'refused')
  expect(replayed.headers.get('idempotent-replayed')).toBe('true')
  expect(said(replayed)).toEqual(said(refused))
  const paid = await shopper.confirm(order)
  expect([paid.status, paid.body.order.status]).toEqual([200, 'completed'])
  expect(lines.filter(({ state }) => state !== undefined)).toMatchObject([
    { level: 40, state: 'open' },
    { level: 40, state: 'half-open' },
    { level: 40, state: 'closed' },
  ])
  expect(world.stripe.book.net('order')[order]).toMatchObject({ charges: 1, net: 12_500 })
})
