import { randomUUID } from 'node:crypto'
import net from 'node:net'
import { describe, expect, it } from 'vitest'
import { until } from '../../../safepoint/test/support/until.ts'
import { bookOf, orderWorld, placeOne } from '../test/order-world.ts'

const world = await orderWorld()
const origin = await world.listen()

async function newShopper() {
  const email = `${randomUUID()}@example.com`
  const register = await fetch(`${origin}/api/auth/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email, password: 'correct horse battery', name: 'Asha' }),
  })
  const { accessToken } = (await register.json()) as { accessToken: string }
  const send = async (method: string, path: string, body?: object, headers: Record<string, string> = {}) => {
    const response = await fetch(`${origin}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${accessToken}`,
        ...(body && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: text === '' ? undefined : JSON.parse(text),
    }
  }
  return { accessToken, send }
}

const address = { name: 'Asha', line1: '2 Lane', city: 'Pune', postalCode: '411002', country: 'IN' }

describe('orders over HTTP', () => {
  it('the whole way: cart, address, order, payment, history, cancel', async () => {
    const { send } = await newShopper()
    const { productId, variantId } = await world.newVariant(4, 9900)
    const { body: cart } = await send('POST', '/api/cart/add', { productId, variantId, quantity: 2 })
    const { body: home } = await send('POST', '/api/addresses', address)
    const input = { cartId: cart.id, addressId: home.id, expectedTotal: cart.totalPrice }
    expect((await send('POST', '/api/orders', input)).body).toMatchObject({ status: 400, code: 'key_required' })
    const placed = await send('POST', '/api/orders', input, { 'idempotency-key': 'place' })
    expect(placed).toMatchObject({
      status: 201,
      body: { status: 'pending', total: { amount: 19_800, currency: 'INR' } },
    })
    expect(placed.headers.get('location')).toBe(`/api/orders/${placed.body.id}`)
    expect(placed.headers.get('operation-key')).toBe('place')
    const replayed = await send('POST', '/api/orders', input, { 'idempotency-key': 'place' })
    expect([replayed.status, replayed.text, replayed.headers.get('idempotent-replayed')]).toEqual([
      201,
      placed.text,
      'true',
    ])
    expect((await send('GET', '/api/cart')).body).toMatchObject({ items: [], itemsCount: 0 })

    const confirm = (body: object, key: string) =>
      send('POST', `/api/orders/${placed.body.id}/confirm`, body, { 'idempotency-key': key })
    const declined = await confirm({ gateway: 'stripe', paymentMethod: 'pm_card_chargeDeclined' }, 'first')
    expect(declined).toMatchObject({
      status: 402,
      body: { code: 'payment_declined', retryable: false, declineCode: 'generic_decline' },
    })
    expect((await confirm({ gateway: 'cardcom', paymentMethod: 'x' }, 'other')).body).toMatchObject({
      status: 503,
      code: 'not_configured',
      retryable: false,
    })
    expect((await confirm({ gateway: 'stripe', surprise: 1 }, 'odd')).body).toMatchObject({
      status: 422,
      code: 'input_invalid',
    })
    const paid = await confirm({ gateway: 'stripe', paymentMethod: 'pm_card_visa' }, 'second')
    expect(paid).toMatchObject({
      status: 200,
      body: { order: { status: 'completed' }, payment: { status: 'captured', gateway: 'stripe' } },
    })

    const read = await send('GET', `/api/orders/${placed.body.id}`)
    expect(read.headers.get('etag')).toMatch(new RegExp(`^"${read.body.version}-`))
    expect(read.body.history.map(({ to }: { to: string }) => to)).toEqual([
      'pending',
      'awaiting_payment',
      'processing',
      'failed',
      'awaiting_payment',
      'processing',
      'payment_verified',
      'completed',
    ])
    expect((await send('GET', `/api/payments/${paid.body.payment.id}`)).body).toEqual(paid.body.payment)
    expect((await send('GET', '/api/orders?limit=1')).body).toMatchObject({
      items: [{ id: placed.body.id }],
      nextCursor: null,
    })
    const cancelled = await send(
      'POST',
      `/api/orders/${placed.body.id}/cancel`,
      { reason: 'too much' },
      { 'idempotency-key': 'back' },
    )
    expect(cancelled).toMatchObject({ status: 200, body: { status: 'cancelled', payment: { status: 'refunded' } } })
    expect(await bookOf(world, placed.body.id)).toMatchObject({ net: 0, stock: [{ on_hand: 4, reserved: 0 }] })
  })

  it('a cancel while the order is being paid is 409 and stores nothing: the same request goes through afterwards', async () => {
    const { send } = await newShopper()
    const { productId } = await world.newVariant(4, 5000)
    await send('POST', '/api/cart/add', { productId, quantity: 1 })
    const { body: home } = await send('POST', '/api/addresses', address)
    const { body: order } = await send('POST', '/api/orders', { addressId: home.id }, { 'idempotency-key': 'place' })
    const barrier = world.stripe.faults.add({
      match: { method: 'POST', path: '/v1/payment_intents' },
      faults: [{ kind: 'hang', at: 'begun' }],
    })
    const card = { gateway: 'stripe', paymentMethod: 'pm_card_visa' }
    const paying = send('POST', `/api/orders/${order.id}/confirm`, card, { 'idempotency-key': 'pay' })
    await barrier.held()
    const cancel = () => send('POST', `/api/orders/${order.id}/cancel`, {}, { 'idempotency-key': 'back' })
    const refused = await cancel()
    expect(refused).toMatchObject({ status: 409, body: { code: 'conflict', retryable: true, retryAfterMs: 1000 } })
    expect(refused.headers.get('retry-after')).toBe('1')
    expect((await send('GET', '/api/operations/back')).body).toEqual({ state: 'none' })
    barrier.release()
    expect((await paying).status).toBe(200)
    const done = await cancel()
    expect(done).toMatchObject({ status: 200, body: { status: 'cancelled', payment: { status: 'refunded' } } })
    expect(done.headers.get('idempotent-replayed')).toBeNull()
    expect(await bookOf(world, order.id)).toMatchObject({ charges: 1, net: 0 })
  })

  it('another account finds nothing, and nobody finds anything without a token', async () => {
    const { order } = await placeOne(world)
    const { send } = await newShopper()
    const asked = [
      ['GET', `/api/orders/${order.id}`],
      ['GET', `/api/orders/${order.id}/events`],
      ['GET', '/api/orders/nonsense'],
      ['GET', `/api/payments/${order.id}`],
      ['POST', `/api/orders/${order.id}/confirm`, { gateway: 'stripe', paymentMethod: 'pm_card_visa' }],
      ['POST', `/api/orders/${order.id}/cancel`, {}],
    ] as const
    for (const [method, path, body] of asked) {
      expect((await send(method, path, body, body && { 'idempotency-key': randomUUID() })).status, path).toBe(404)
      expect((await fetch(`${origin}${path}`, { method, headers: { 'idempotency-key': 'x' } })).status, path).toBe(401)
    }
    expect((await send('GET', '/api/orders')).body).toEqual({ items: [], nextCursor: null })
    expect(await bookOf(world, order.id)).toMatchObject({ status: 'pending', charges: 0 })
  })

  it('tells the order at each change as server-sent events', async () => {
    const { accessToken, send } = await newShopper()
    const { productId } = await world.newVariant(4)
    await send('POST', '/api/cart/add', { productId, quantity: 1 })
    const { body: home } = await send('POST', '/api/addresses', address)
    const { body: order } = await send('POST', '/api/orders', { addressId: home.id }, { 'idempotency-key': 'place' })
    const controller = new AbortController()
    const response = await fetch(`${origin}/api/orders/${order.id}/events`, {
      headers: { authorization: `Bearer ${accessToken}` },
      signal: controller.signal,
    })
    expect(response.headers.get('content-type')).toContain('text/event-stream')
    let text = ''
    const reading = (async () => {
      for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) text += chunk
    })().catch(() => {})
    await until(() => text.includes('"status":"pending"'))
    await send(
      'POST',
      `/api/orders/${order.id}/confirm`,
      { gateway: 'stripe', paymentMethod: 'pm_card_visa' },
      { 'idempotency-key': 'pay' },
    )
    await until(() => text.includes('"status":"completed"'))
    controller.abort()
    await reading
  })

  it('a socket closed at any point leaves no charge and `cancelled`, or one charge and the result under the key', async () => {
    const outcomes: number[] = []
    for (let round = 0; round < 30; round++) {
      const { accessToken, send } = await newShopper()
      const { productId } = await world.newVariant(4, 5000)
      await send('POST', '/api/cart/add', { productId, quantity: 1 })
      const { body: home } = await send('POST', '/api/addresses', address)
      const { body: order } = await send('POST', '/api/orders', { addressId: home.id }, { 'idempotency-key': 'place' })
      const body = JSON.stringify({ gateway: 'stripe', paymentMethod: 'pm_card_visa' })
      const socket = net.connect({ host: '127.0.0.1', port: Number(new URL(origin).port) })
      socket.on('error', () => {})
      socket.write(
        `POST /api/orders/${order.id}/confirm HTTP/1.1\r\nhost: pantry\r\nauthorization: Bearer ${accessToken}\r\nidempotency-key: pay\r\n` +
          `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      )
      // Closed after a part of the time that the whole takes: before it is read, before the first step, before and after the charge.
      await new Promise((resolve) => setTimeout(resolve, round * 1.5))
      socket.destroy()
      const retried = await until(async () => {
        const answer = await send('POST', `/api/orders/${order.id}/confirm`, JSON.parse(body), {
          'idempotency-key': 'pay',
          'retry-attempt': '1',
        })
        return answer.status === 202 || answer.body.code === 'in_progress' ? undefined : answer
      })
      const book = await bookOf(world, order.id)
      if (retried.status === 200) expect(book).toMatchObject({ status: 'completed', charges: 1, net: 5000 })
      else {
        expect(retried.body).toMatchObject({ status: 409, code: 'cancelled' })
        expect(book).toMatchObject({ status: 'pending', charges: 0, payments: [] })
      }
      outcomes.push(retried.status)
    }
    expect(outcomes).toContain(200)
  })
})
