import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import { until } from '../../../safepoint/test/support/until.ts'
import { bookOf, orderWorld, placeOne, type Customer } from '../../server/test/order-world.ts'
import { leave, sendPart, type Leaving, type Part, type RawRequest } from './leaving-client.ts'

const world = await orderWorld()
const { safepoint, stripe } = world
const origin = await world.listen()

const tokenOf = ({ accountId }: Customer) =>
  world.composed.pantry.tokens.issueAccess({ accountId, sessionId: randomUUID(), role: 'customer' })

/** As a client does that comes back later and asks properly. */
async function sendWhole({ method, path, token, key, body }: RawRequest) {
  const response = await fetch(`${origin}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      'idempotency-key': key,
      ...(body && { 'content-type': 'application/json' }),
    },
    ...(body && { body: JSON.stringify(body) }),
  })
  return { status: response.status, headers: response.headers, text: await response.text() }
}

const ended = (scope: string, key: string) =>
  until(
    async () => {
      const view = await safepoint.find(scope, key)
      return view.state === 'none' ? !view.inFlight && view : !['running', 'undoing'].includes(view.state) && view
    },
    { timeoutMs: 15_000 },
  )

const parts: readonly Part[] = ['half of the head', 'half of the body', 'all of it', 'all of it', 'all of it']
const leavings: readonly Leaving[] = ['close', 'reset', 'half-close']

async function newCheckout() {
  const { customer, order } = await placeOne(world)
  const request: RawRequest = {
    origin,
    method: 'POST',
    path: `/api/orders/${order.id}/confirm`,
    token: await tokenOf(customer),
    key: randomUUID(),
    body: { gateway: 'stripe', paymentMethod: 'pm_card_visa' },
  }
  return { order, request, scope: customer.scope }
}

const untouched = {
  status: 'pending',
  payments: [],
  charges: 0,
  net: 0,
  mails: 0,
  stock: [{ on_hand: 5, reserved: 2 }],
}
const completed = { status: 'completed', payments: ['captured'], charges: 1, net: 25_000, mails: 1 }

describe('order.confirm, whose policy is cancel-until-first-step', () => {
  it(
    'a client that closes its connection at any point leaves no charge and `cancelled`, or one charge and the result under its key',
    { timeout: 60_000 },
    async () => {
      const ends: Record<string, number> = {}
      const run = async (n: number) => {
        const { order, request, scope } = await newCheckout()
        const part = parts[n % parts.length]!
        const how = leavings[n % leavings.length]!
        const socket = await sendPart(request, part)
        // At any point of a checkout, which takes some 40 ms here.
        await pause(part === 'all of it' ? Math.random() * 50 : 0)
        await leave(socket, how)
        const view = await ended(scope, request.key)
        ends[view.state] = (ends[view.state] ?? 0) + 1
        if (view.state === 'none') {
          // Only a cancel makes absence final: nothing that is still on its way may take effect after it.
          const verdict = await safepoint.cancel(scope, request.key)
          if (part !== 'all of it') expect(verdict).toMatchObject({ outcome: 'cancelled' })
        }
        const last = await ended(scope, request.key)
        const book = await bookOf(world, order.id)
        if (last.state === 'succeeded') {
          expect(book).toMatchObject(completed)
          const replay = await sendWhole(request)
          expect([replay.status, replay.headers.get('idempotent-replayed')]).toEqual([200, 'true'])
          expect(JSON.parse(replay.text)).toEqual(last.result)
          expect((await bookOf(world, order.id)).charges).toBe(1)
        } else {
          expect(last.state).toBe('cancelled')
          expect(book.net).toBe(0)
          // A disconnect alone never takes back what has begun: only our own cancel, above, may have.
          if (view.state === 'cancelled') expect(book).toMatchObject(untouched)
          expect(await sendWhole(request)).toMatchObject({ status: 409, text: expect.stringContaining('"cancelled"') })
        }
      }
      for (let n = 0; n < 60; n += 3) await Promise.all([run(n), run(n + 1), run(n + 2)])
      expect(ends).toMatchObject({ succeeded: expect.any(Number), none: expect.any(Number) })
    },
  )

  it.each(leavings.flatMap((how) => (['arrived', 'begun', 'executed'] as const).map((at) => [how, at] as const)))(
    'a client that leaves (%s) while the gateway has the charge (%s) finds one charge and the result under its key',
    async (how, at) => {
      const { order, request, scope } = await newCheckout()
      const match = { path: '/v1/payment_intents', params: { 'metadata[order]': order.id } }
      const barrier = stripe.faults.add({ match, faults: [{ kind: 'hang', at }] })
      const socket = await sendPart(request, 'all of it')
      await barrier.held()
      const gone = leave(socket, how)
      // After a half-close the server may wait for its answer before it ends the connection.
      if (how !== 'half-close') await gone
      barrier.release()
      await gone
      expect(await ended(scope, request.key)).toMatchObject({ state: 'succeeded' })
      expect(await bookOf(world, order.id)).toMatchObject(completed)
      expect(await sendWhole(request)).toMatchObject({ status: 200 })
      expect((await bookOf(world, order.id)).charges).toBe(1)
    },
  )

  it.each(['close', 'reset'] as const)(
    'a client that leaves (%s) before the first step has begun leaves `cancelled` and nothing else',
    async (how) => {
      const { order, request, scope } = await newCheckout()
      const blocker = new pg.Client(world.url)
      await blocker.connect()
      try {
        await blocker.query('begin')
        await blocker.query('select from pantry.orders where id = $1 for update', [order.id])
        const socket = await sendPart(request, 'all of it')
        await until(async () => (await safepoint.find(scope, request.key)).state === 'running')
        await leave(socket, how)
        await until(async () => (await safepoint.find(scope, request.key)).state === 'cancelled')
      } finally {
        await blocker.end()
      }
      expect(await safepoint.find(scope, request.key)).toMatchObject({
        state: 'cancelled',
        reason: 'client_disconnect',
      })
      expect(await bookOf(world, order.id)).toMatchObject(untouched)
      expect(await sendWhole(request)).toMatchObject({ status: 409 })
    },
  )
})

describe('what a client may leave at any point, because its policy is finish', () => {
  interface Write {
    readonly name: string
    readonly request: (customer: Customer) => Promise<Omit<RawRequest, 'origin' | 'token' | 'key'>>
    /** How often it has taken effect. */
    readonly effects: (customer: Customer) => Promise<number>
  }
  const count = async (text: string, customer: Customer) =>
    (await world.sql<{ n: number }>(text, [customer.accountId]))[0]!.n
  const writes: readonly Write[] = [
    {
      name: 'cart.add-item',
      async request() {
        const { productId, variantId } = await world.newVariant(5)
        return { method: 'POST', path: '/api/cart/add', body: { productId, variantId, quantity: 1 } }
      },
      effects: (customer) =>
        count(
          `select coalesce(sum(i.quantity), 0)::int as n from pantry.cart c join pantry.cart_item i on i.cart_id = c.id where c.account_id = $1`,
          customer,
        ),
    },
    {
      name: 'address.add',
      async request() {
        const body = { name: 'Asha', line1: '7 Lane', city: 'Pune', postalCode: '411002', country: 'IN' }
        return { method: 'POST', path: '/api/addresses', body }
      },
      effects: (customer) =>
        count(
          `select count(*)::int as n from pantry.address where account_id = $1 and line1 = '7 Lane' and deleted_at is null`,
          customer,
        ),
    },
    {
      name: 'order.place',
      async request(customer) {
        await world.addToCart(customer, await world.newVariant(5))
        return { method: 'POST', path: '/api/orders', body: { addressId: customer.addressId } }
      },
      effects: (customer) => count('select count(*)::int as n from pantry.orders where account_id = $1', customer),
    },
  ]

  it.each(writes)('$name is committed and can be replayed, or has left nothing', async ({ request, effects }) => {
    for (let n = 0; n < 20; n++) {
      const customer = await world.newCustomer()
      const asked: RawRequest = {
        origin,
        token: await tokenOf(customer),
        key: randomUUID(),
        ...(await request(customer)),
      }
      const part = parts[n % parts.length]!
      const socket = await sendPart(asked, part)
      await pause(part === 'all of it' ? Math.random() * 12 : 0)
      await leave(socket, leavings[n % leavings.length]!)
      const view = await ended(customer.scope, asked.key)
      expect(['none', 'succeeded']).toContain(view.state)
      if (part !== 'all of it') expect(await effects(customer)).toBe(0)
      if (view.state === 'succeeded') expect(await effects(customer)).toBe(1)
      // The same request again: the first time, or a replay; never a second effect.
      const again = await sendWhole(asked)
      expect(again.status, again.text).toBeLessThan(300)
      if (view.state === 'succeeded') {
        expect(again.headers.get('idempotent-replayed')).toBe('true')
        expect(JSON.parse(again.text)).toEqual(view.result)
      }
      expect(await effects(customer)).toBe(1)
    }
  })
})
