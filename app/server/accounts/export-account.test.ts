import { expect, test } from 'vitest'
import { accountExport, type AccountExport } from './account-export.schema.ts'
import { closingWorld } from './close-account.test.setup.ts'

const shop = await closingWorld()

const whole = async (send: (typeof shop)['send']) => {
  const reply = await send<AccountExport>('GET', '/api/me/export')
  expect(reply.status).toBe(200)
  return { ...reply, body: accountExport.parse(reply.body) }
}

/** A person with something in every list. */
async function someone() {
  const who = await shop.newShopper()
  const addressId = await shop.newAddress(who, { line2: 'Flat 4' })
  const gone = await shop.newAddress(who, { line1: 'of before' })
  await who.send('DELETE', `/api/addresses/${gone}`)
  await shop.fillCart(who)
  const paid = await shop.placeOrder(who, addressId)
  await shop.pay(who, paid)
  await shop.fillCart(who)
  const cancelled = await shop.placeOrder(who, addressId)
  const words = { reason: 'no use for it' }
  await who.send('POST', `/api/orders/${cancelled}/cancel`, words, { 'idempotency-key': 'cancel' })
  const { productId } = await shop.fillCart(who)
  await who.send('PUT', `/api/wishlist/${productId}`)
  await shop.send('POST', '/api/auth/password/forgot', { email: who.email })
  await who.send('POST', '/api/operations/never/cancel', { reason: 'not wanted' })
  return { ...who, addressId, gone, paid, cancelled, productId }
}

test('has all that the shop holds of a person, to keep as a file', async () => {
  const who = await someone()
  const { body, headers } = await whole(who.send)
  expect(headers['content-type']).toBe('application/json; charset=utf-8')
  expect(headers['content-disposition']).toMatch(/^attachment; filename="pantry-\d{4}-\d\d-\d\d\.json"$/)
  expect(headers['cache-control']).toBe('no-store')
  expect(body.profile).toMatchObject({ ...who.user, createdAt: expect.any(String) })
  expect(body.sessions).toHaveLength(1)
  expect(body.passwordResets).toEqual([{ askedAt: expect.any(String), expiresAt: expect.any(String) }])
  expect(body.addresses.map(({ id, line2, deletedAt }) => [id, line2, deletedAt !== undefined])).toEqual([
    [who.addressId, 'Flat 4', false],
    [who.gone, undefined, true],
  ])
  expect(body.wishlist).toMatchObject([{ productId: who.productId, name: 'Rice' }])
  expect(body.carts.map(({ state }) => state).toSorted()).toEqual(['active', 'ordered', 'ordered'])
  const orders = new Map(body.orders.map((order) => [order.id, order]))
  expect([...orders.keys()]).toEqual([who.paid, who.cancelled])
  const seen = await who.send('GET', `/api/orders/${who.paid}`)
  const { total, shippingAddress, items, history } = seen.body
  expect(orders.get(who.paid)).toMatchObject({
    total,
    shippingAddress,
    status: 'completed',
    items: [{ name: items[0].name, quantity: 2, unitPrice: items[0].unitPrice }],
    history,
    payments: [{ gateway: 'stripe', status: 'captured', amount: total, captured: total.amount, refunded: 0 }],
  })
  expect(orders.get(who.paid)!.payments[0]!.history.at(-1)).toMatchObject({ to: 'captured' })
  expect(orders.get(who.cancelled)!.history.at(-1)).toMatchObject({
    to: 'cancelled',
    note: 'no use for it',
    by: 'customer',
  })
  expect(body.mails.map(({ template, to }) => [template, to])).toContainEqual(['receipt', who.email])
  expect(body.operations).toContainEqual(expect.objectContaining({ operation: 'order.cancel', key: 'cancel' }))
  expect(body.cancelEvents).toMatchObject([{ key: 'never', outcome: 'cancelled', reason: 'not wanted' }])
})

test('has nothing of anybody else, and nothing that opens a door', async () => {
  const [who, other] = [await someone(), await someone()]
  const { text } = await whole(who.send)
  for (const theirs of [other.email, other.user.id, other.paid, other.addressId, other.productId])
    expect(text).not.toContain(theirs)
  const [stored] = await shop.sql('select password_hash from pantry.account where id = $1', [who.user.id])
  const [reset] = await shop.sql('select id from pantry.password_reset where account_id = $1', [who.user.id])
  const { tokens } = shop.composed.pantry
  for (const secret of [
    stored!.password_hash,
    '$argon2',
    who.accessToken.split('.')[2],
    who.refreshToken.split('.')[1],
    tokens.resetTokenOf(reset!.id).split('.')[1],
    'client_secret',
    '_secret_',
  ])
    expect(text).not.toContain(secret)
  expect((await shop.send('GET', '/api/me/export')).status).toBe(401)
})

test('of an open payment page tells that there is one, and not what pays it', async () => {
  const who = await shop.newShopper()
  await shop.fillCart(who)
  const shippingAddress = { name: 'Noa', line1: '1 Rd', city: 'Haifa', postalCode: '1', country: 'IL' }
  const wish = { gateway: 'stripe', shippingAddress, currency: 'INR' }
  const { body } = await who.send('POST', '/api/payments/create-from-cart', wish, { 'idempotency-key': 'pay' })
  const { text, body: exported } = await whole(who.send)
  expect(exported.orders[0]!.payments[0]).toMatchObject({ id: body.paymentId, status: 'requires_action' })
  expect(text).not.toContain(body.checkout.url)
})

test('is whole however long it is, page by page', async () => {
  const who = await shop.newShopper()
  await shop.sql(
    `insert into pantry.address (id, account_id, name, line1, city, postal_code, country)
    select gen_random_uuid(), $1, 'A "quoted", \\ name', n::text, 'Pune', '411001', 'IN' from generate_series(1, 250) n`,
    [who.user.id],
  )
  await shop.sql(
    `insert into safepoint.operation (scope, key, id, name, state, ended_at)
    select 'user:' || $1::text, 'key ' || n, gen_random_uuid(), 'cart.add-item', 'succeeded', clock_timestamp() from generate_series(1, 300) n`,
    [who.user.id],
  )
  const { body } = await whole(who.send)
  expect(new Set(body.addresses.map(({ line1 }) => line1)).size).toBe(250)
  expect(new Set(body.operations.map(({ key }) => key)).size).toBe(300)
  const empty = await shop.newShopper()
  const { body: nothing } = await whole(empty.send)
  expect([nothing.addresses, nothing.orders, nothing.mails]).toEqual([[], [], []])
})

test('is in the documentation with its form', async () => {
  const { body } = await shop.send('GET', '/openapi.json')
  const { responses } = body.paths['/api/me/export'].get
  expect(Object.keys(responses['200'].content['application/json'].schema.properties)).toEqual(
    Object.keys(accountExport.shape),
  )
})
