import { randomUUID } from 'node:crypto'
import { afterEach, describe, expect, it } from 'vitest'
import { bookOf, orderWorld } from '../test/order-world.ts'

const world = await orderWorld()
const { stripe } = world
const origin = await world.listen()
const address = { name: 'Asha', line1: '2 Lane', city: 'Pune', postalCode: '411002', country: 'IN' }

afterEach(() => void stripe.faults.clear())

async function newShopper() {
  const register = await fetch(`${origin}/api/auth/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email: `${randomUUID()}@example.com`, password: 'correct horse battery', name: 'Asha' }),
  })
  const { accessToken } = (await register.json()) as { accessToken: string }
  return async (method: string, path: string, body?: object, headers: Record<string, string> = {}) => {
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
}

/** A shopper before the gateway's page. */
async function beforeThePage() {
  const send = await newShopper()
  const { productId } = await world.newVariant(4, 9900)
  const { body: cart } = await send('POST', '/api/cart/add', { productId, quantity: 2 })
  const asked = {
    gateway: 'stripe',
    cartId: cart.id,
    shippingAddress: address,
    currency: 'INR',
    expectedTotal: cart.totalPrice,
  }
  const created = await send('POST', '/api/payments/create-from-cart', asked, { 'idempotency-key': 'go' })
  return {
    send,
    cart,
    asked,
    created,
    ...(created.body as { orderId: string; paymentId: string; checkout: { url: string } }),
  }
}
const payAt = (url: string, card = 'pm_card_visa') =>
  fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: `payment_method=${card}&action=pay`,
    redirect: 'manual',
  })
/** The path that the gateway sends the browser back to: its host is the shop's public one. */
const pathOf = (location: string | null) => new URL(location!).pathname

describe('payments over HTTP', () => {
  it('the whole way: cart, page, the browser comes back, and the order is paid', async () => {
    const { send, asked, created, orderId, paymentId, checkout } = await beforeThePage()
    expect(created).toMatchObject({ status: 201, body: { gateway: 'stripe', checkout: { url: expect.any(String) } } })
    expect([created.headers.get('location'), created.headers.get('operation-key')]).toEqual([
      `/api/orders/${orderId}`,
      'go',
    ])
    expect((await send('POST', '/api/payments/create-from-cart', asked)).body).toMatchObject({ code: 'key_required' })
    expect((await send('POST', '/api/payments/create-from-cart', asked, { 'idempotency-key': 'go' })).text).toBe(
      created.text,
    )
    const again = await send('POST', '/api/payments/create-from-cart', asked, { 'idempotency-key': 'other' })
    expect([again.status, again.body]).toEqual([200, created.body])
    const paid = await payAt(checkout.url)
    expect(paid.status).toBe(303)
    const path = pathOf(paid.headers.get('location'))
    expect(path).toBe(`/api/payments/${paymentId}/return`)
    // No token: the browser comes from the gateway.
    const back = await fetch(`${origin}${path}?session=x`, { redirect: 'manual' })
    expect([back.status, back.headers.get('location'), await back.text()]).toEqual([303, `/?order=${orderId}`, ''])
    expect((await send('GET', `/api/orders/${orderId}`)).body).toMatchObject({
      status: 'completed',
      payment: { status: 'captured', refunded: { amount: 0, currency: 'INR' } },
    })
    expect(await bookOf(world, orderId)).toMatchObject({ charges: 1, mails: 1, stock: [{ on_hand: 2, reserved: 0 }] })
  })

  it('verify answers how the payment stands: open, then paid, then the same', async () => {
    const { send, orderId, paymentId, checkout } = await beforeThePage()
    const verify = (body?: object) => send('POST', `/api/payments/${paymentId}/verify`, body)
    const open = await verify()
    expect(open).toMatchObject({ status: 200, body: { id: paymentId, status: 'requires_action' } })
    expect(open.headers.get('operation-key')).toBeTruthy()
    await payAt(checkout.url)
    const [one, two] = await Promise.all([verify({}), verify({})])
    for (const answer of [one, two]) expect(answer.status).toBe(200)
    expect(await verify()).toMatchObject({ status: 200, body: { status: 'captured' } })
    expect(await bookOf(world, orderId)).toMatchObject({ status: 'completed', charges: 1, mails: 1 })
  })

  it('verify of a gateway that is away answers what is known, never a failure', async () => {
    const { send, orderId, paymentId, checkout } = await beforeThePage()
    await payAt(checkout.url)
    stripe.faults.add({
      match: { method: 'GET', path: '/v1/checkout/sessions/*' },
      times: 100,
      faults: [{ kind: 'error', status: 503, stored: false }],
    })
    expect(await send('POST', `/api/payments/${paymentId}/verify`, {})).toMatchObject({
      status: 200,
      body: { status: 'requires_action' },
    })
    stripe.faults.clear()
    expect(await bookOf(world, orderId)).toMatchObject({ status: 'awaiting_payment', charges: 1 })
  })

  it('a declined page leaves an order that says so, and can be paid again', async () => {
    const { send, orderId, paymentId, checkout } = await beforeThePage()
    await payAt(checkout.url, 'pm_card_chargeDeclined')
    const back = await fetch(`${origin}/api/payments/${paymentId}/return`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'whatever=it+says',
      redirect: 'manual',
    })
    expect([back.status, back.headers.get('location')]).toEqual([303, `/?order=${orderId}`])
    expect((await send('GET', `/api/orders/${orderId}`)).body).toMatchObject({
      status: 'failed',
      notice: { en: expect.stringContaining('nothing was taken'), he: expect.any(String) },
      payment: { status: 'failed', declineCode: 'generic_decline' },
    })
    const card = { gateway: 'stripe', paymentMethod: 'pm_card_visa' }
    expect(await send('POST', `/api/orders/${orderId}/confirm`, card, { 'idempotency-key': 'card' })).toMatchObject({
      status: 200,
      body: { order: { status: 'completed' } },
    })
  })

  it('another account finds nothing, and a return to nowhere tells nothing', async () => {
    const { paymentId } = await beforeThePage()
    const stranger = await newShopper()
    expect(await stranger('POST', `/api/payments/${paymentId}/verify`, {})).toMatchObject({
      status: 404,
      body: { code: 'payment_not_found' },
    })
    expect((await fetch(`${origin}/api/payments/${paymentId}/verify`, { method: 'POST' })).status).toBe(401)
    for (const id of [randomUUID(), 'nonsense']) {
      const back = await fetch(`${origin}/api/payments/${id}/return`, { redirect: 'manual' })
      expect([back.status, back.headers.get('location')]).toEqual([303, '/'])
    }
  })

  it('what cannot be ordered is told with its problem', async () => {
    const send = await newShopper()
    const create = (more: object) =>
      send(
        'POST',
        '/api/payments/create-from-cart',
        { gateway: 'stripe', shippingAddress: address, currency: 'INR', ...more },
        { 'idempotency-key': randomUUID() },
      )
    expect(await create({})).toMatchObject({ status: 400, body: { code: 'cart_empty' } })
    expect(await create({ currency: 'EUR' })).toMatchObject({ status: 422, body: { code: 'currency_mismatch' } })
    expect(await create({ cartId: randomUUID() })).toMatchObject({ status: 404, body: { code: 'cart_not_found' } })
    expect(await create({ gateway: 'paypal' })).toMatchObject({ status: 503, body: { code: 'not_configured' } })
    expect(await create({ surprise: 1 })).toMatchObject({ status: 422, body: { code: 'input_invalid' } })
    const { productId } = await world.newVariant(1)
    await send('POST', '/api/cart/add', { productId, quantity: 2 })
    expect(await create({})).toMatchObject({
      status: 409,
      body: { code: 'out_of_stock', retryable: false, attempts: 1, items: [{ requested: 2, available: 1 }] },
    })
  })
})
