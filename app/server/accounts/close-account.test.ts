import { describe, expect, test } from 'vitest'
import type { Reply, Shopper } from '../test/world.ts'
import type { SignedIn } from './accounts.schema.ts'
import { closingWorld } from './close-account.test.setup.ts'

const shop = await closingWorld()
const { sql, elsewhere, leftOf, isClosed } = shop

const close = ({ send }: Pick<Shopper, 'send'>, headers: Record<string, string> = {}) =>
  send('DELETE', '/api/me', undefined, headers)
const told = ({ status, body }: Reply) => [status, body?.code]
const logIn = ({ email, password }: Shopper) => shop.send<SignedIn>('POST', '/api/auth/login', { email, password })
const orderOf = async (id: string) => (await sql('select * from pantry.orders where id = $1', [id]))[0]!

/** A person in every table that knows people: an order paid and one shipped, an order given up, a cart, a wish, mails. */
async function someone() {
  const who = await shop.newShopper()
  const mark = `Zelda ${who.user.id.slice(-12)}`
  await who.send('PATCH', '/api/me', { name: mark })
  const addressId = await shop.newAddress(who, { name: mark, line1: `${mark} Lane`, phone: '+972 4 123 4567' })
  await who.send('DELETE', `/api/addresses/${await shop.newAddress(who, { name: mark, line1: 'of before' })}`)
  const order = async () => {
    await shop.fillCart(who)
    return shop.placeOrder(who, addressId)
  }
  const [paid, shipped, cancelled] = [await order(), await order(), await order()]
  for (const id of [paid, shipped]) await shop.pay(who, id)
  const admin = await shop.newAdmin()
  const shipping = { 'idempotency-key': crypto.randomUUID() }
  expect((await admin.send('POST', `/api/admin/orders/${shipped}/ship`, {}, shipping)).status).toBe(200)
  const reason = { reason: `${mark} has no use for it` }
  await who.send('POST', `/api/orders/${cancelled}/cancel`, reason, { 'idempotency-key': 'cancel' })
  const { productId } = await shop.fillCart(who)
  await who.send('PUT', `/api/wishlist/${productId}`)
  await shop.send('POST', '/api/auth/password/forgot', { email: who.email })
  return { ...who, mark, addressId, orders: { paid, shipped, cancelled }, admin }
}

/** Where in the shop's tables a text stands, with the rows' columns that hold it. */
async function placesOf(text: string): Promise<string[]> {
  const columns = await sql<{ place: string; tables: string; name: string }>(
    `select table_name || '.' || column_name as place, format('%I.%I', table_schema, table_name) as tables, format('%I', column_name) as name
    from information_schema.columns where table_schema = 'pantry' order by 1`,
  )
  const places: string[] = []
  for (const { place, tables, name } of columns) {
    const [found] = await sql(`select count(*)::int as n from ${tables} where strpos(${name}::text, $1) > 0`, [text])
    for (let n = 0; n < found!.n; n++) places.push(place)
  }
  return places
}

describe('closing an account', () => {
  test('takes the person out of every table; the books keep who was billed for what was paid, and where to send what is still to be sent', async () => {
    const who = await someone()
    expect((await placesOf(who.mark)).length).toBeGreaterThan(8)
    expect(await placesOf(who.email)).not.toEqual([])
    const before = await orderOf(who.orders.paid)
    const closed = await close(who)
    expect([closed.status, closed.text]).toEqual([204, ''])
    expect(await leftOf(who.user.id)).toEqual({})
    expect(await placesOf(who.email)).toEqual([])
    expect(await placesOf(who.mark)).toEqual([
      'orders.billing_address',
      'orders.billing_address',
      'orders.shipping_address',
    ])
    const { paid, shipped, cancelled } = who.orders
    const after = await orderOf(paid)
    expect(after).toMatchObject({
      status: 'completed',
      total: before.total,
      shipping_address: before.shipping_address,
      billing_address: before.billing_address,
    })
    const erased = { name: '(erased)', line1: '(erased)', city: '(erased)', postalCode: '(erased)', country: 'IL' }
    expect(await orderOf(shipped)).toMatchObject({ shipping_address: erased, billing_address: before.billing_address })
    expect(await orderOf(cancelled)).toMatchObject({ shipping_address: erased, billing_address: erased, note: null })
    // What was paid is still sent, by its address; then that goes too.
    const view = async () => (await who.admin.send('GET', `/api/admin/orders/${paid}`)).body
    expect((await view()).shippingAddress.name).toBe(who.mark)
    const key = { 'idempotency-key': crypto.randomUUID() }
    expect((await who.admin.send('POST', `/api/admin/orders/${paid}/ship`, {}, key)).status).toBe(200)
    expect(await view()).toMatchObject({ fulfilment: 'shipped', shippingAddress: erased })
    const list = await who.admin.send('GET', '/api/admin/orders')
    expect(list.body.items.find(({ id }: { id: string }) => id === paid).customer.name).toBe('(closed)')
  })

  test('ends every session at once, on every server, with the tokens and streams that are out', async () => {
    const who = await shop.newShopper()
    const { body: other } = await logIn(who)
    const reads = ['/api/me', '/api/cart', '/api/orders', '/api/addresses', '/api/me/export', '/api/wishlist']
    const asOther = shop.sendTo(shop.second, other.accessToken)
    expect((await asOther('GET', '/api/me')).status).toBe(200)
    expect((await close(who)).status).toBe(204)
    for (const path of reads)
      expect([path, ...told(await who.send('GET', path))]).toEqual([path, 401, 'unauthenticated'])
    await expect.poll(async () => told(await asOther('GET', '/api/cart'))).toEqual([401, 'unauthenticated'])
    for (const { refreshToken } of [who, other])
      expect(told(await shop.send('POST', '/api/auth/refresh', { refreshToken }))).toEqual([401, 'token_invalid'])
    const credentials = { email: who.email, password: who.password }
    expect(told(await shop.send('POST', '/api/auth/login', credentials))).toEqual([401, 'credentials_invalid'])
    expect((await shop.send('POST', '/api/auth/password/forgot', { email: who.email })).status).toBe(202)
    expect(await leftOf(who.user.id)).toEqual({})
  })

  test('frees the address at once, for an account that knows nothing of the one before', async () => {
    const who = await someone()
    await close(who)
    const { email, password } = who
    const again = await shop.send<SignedIn>('POST', '/api/auth/register', { email, password, name: 'Anew' })
    expect(again.status).toBe(201)
    expect(again.body.user.id).not.toBe(who.user.id)
    const send = shop.sendTo(shop, again.body.accessToken)
    for (const path of ['/api/orders', '/api/addresses', '/api/wishlist'])
      expect((await send('GET', path)).body.items).toEqual([])
    expect((await send('GET', `/api/orders/${who.orders.paid}`)).status).toBe(404)
    expect((await close(who)).status).toBe(204)
    expect((await send('GET', '/api/me')).status).toBe(200)
  })

  test('is done at the version that was seen', async () => {
    const who = await shop.newShopper()
    await who.send('PATCH', '/api/me', { name: 'Dana' })
    const stale = await close(who, { 'if-match': '"1"' })
    expect([...told(stale), stale.body.currentVersion]).toEqual([412, 'precondition_failed', 2])
    expect((await who.send('GET', '/api/me')).body.name).toBe('Dana')
    expect(told(await close(who, { 'if-match': 'W/"2"' }))[0]).toBe(400)
    expect((await close(who, { 'if-match': '"2"' })).status).toBe(204)
  })

  test('twice is once, at once and later; under its key it is told the same though the account is gone', async () => {
    const who = await shop.newShopper()
    const away = elsewhere(who)
    const key = { 'idempotency-key': 'leave' }
    const calls = [who.send, away, who.send, away].map((send, n) => close({ send }, n < 2 ? key : {}))
    expect((await Promise.all(calls)).map(({ status }) => status)).toEqual([204, 204, 204, 204])
    const [before] = await sql('select version, closed_at from pantry.account where id = $1', [who.user.id])
    for (const send of [who.send, away]) {
      const replayed = await close({ send }, { ...key, 'retry-attempt': '1' })
      expect([replayed.status, replayed.headers['idempotent-replayed']]).toEqual([204, 'true'])
      expect((await close({ send }, { 'if-match': '"1"' })).status).toBe(204)
    }
    expect(await sql('select version, closed_at from pantry.account where id = $1', [who.user.id])).toEqual([before])
    expect(before!.version).toBe(2)
  })

  test('can be asked after, and cancelled too late, by the session that closed it; no other thing, and by nobody else', async () => {
    const who = await shop.newShopper()
    const { body: left } = await logIn(who)
    await shop.send('POST', '/api/auth/logout', { refreshToken: left.refreshToken })
    await who.send('PATCH', '/api/me', { name: 'Dana' }, { 'idempotency-key': 'rename' })
    await close(who, { 'idempotency-key': 'leave' })
    for (const send of [who.send, elsewhere(who)]) {
      expect((await send('GET', '/api/operations/leave')).body).toMatchObject({ state: 'succeeded' })
      expect((await send('POST', '/api/operations/leave/cancel', {})).body).toMatchObject({ outcome: 'too_late' })
    }
    expect(told(await who.send('POST', '/api/operations/rename/undo'))).toEqual([401, 'unauthenticated'])
    const asLeft = shop.sendTo(shop, left.accessToken)
    for (const reply of [await close({ send: asLeft }), await asLeft('GET', '/api/operations/leave')])
      expect(told(reply)).toEqual([401, 'unauthenticated'])
    expect((await shop.send('DELETE', '/api/me')).status).toBe(401)
  })

  test('is not done once it was cancelled, nor by a session that was logged out', async () => {
    const who = await shop.newShopper()
    const { body } = await who.send('POST', '/api/operations/leave/cancel', {})
    expect(body).toMatchObject({ outcome: 'cancelled' })
    expect(told(await close(who, { 'idempotency-key': 'leave' }))).toEqual([409, 'cancelled'])
    expect(await isClosed(who)).toBe(false)
    await shop.send('POST', '/api/auth/logout', { refreshToken: who.refreshToken })
    expect(told(await close(who))).toEqual([401, 'unauthenticated'])
    expect(await isClosed(who)).toBe(false)
  })

  test('needs no body, and takes none', async () => {
    const who = await shop.newShopper()
    expect(told(await who.send('DELETE', '/api/me', { password: who.password }))).toEqual([422, 'input_invalid'])
    expect((await who.send('DELETE', '/api/me', {})).status).toBe(204)
  })

  test('sends no mail after it, not even one that was waiting', async () => {
    const who = await shop.newShopper()
    await shop.send('POST', '/api/auth/password/forgot', { email: who.email })
    await close(who)
    const mails = () => sql('select state, failure from pantry.mail where account_id = $1', [who.user.id])
    expect(await mails()).toEqual([{ state: 'failed', failure: 'The account was closed.' }])
    const [{ id }] = (await sql('select id from pantry.mail where account_id = $1', [who.user.id])) as [{ id: string }]
    const admin = await shop.newAdmin()
    expect(told(await admin.send('POST', `/api/admin/mails/${id}/resend`))).toEqual([409, 'mail_not_failed'])
    expect((await mails())[0]!.state).toBe('failed')
  })
})

describe('an account with orders', () => {
  test('of which nobody has begun to pay one, is closed with it: its stock is free again', async () => {
    const who = await shop.newShopper()
    const addressId = await shop.newAddress(who)
    const { variantId } = await shop.fillCart(who)
    const orderId = await shop.placeOrder(who, addressId)
    expect(await shop.heldOf(variantId)).toBe(2)
    expect((await close(who)).status).toBe(204)
    expect(await orderOf(orderId)).toMatchObject({ status: 'cancelled', reason: 'customer_cancel' })
    expect(await shop.heldOf(variantId)).toBe(0)
    expect(await leftOf(who.user.id)).toEqual({})
  })

  test('of which a payment page is open, stays until that is cancelled, and is told which order it is', async () => {
    const who = await shop.newShopper()
    await shop.fillCart(who)
    const shippingAddress = { name: 'Noa', line1: '1 Rd', city: 'Haifa', postalCode: '1', country: 'IL' }
    const wish = { gateway: 'stripe', shippingAddress, currency: 'INR' }
    const { body } = await who.send('POST', '/api/payments/create-from-cart', wish, { 'idempotency-key': 'pay' })
    const key = { 'idempotency-key': 'leave' }
    const refused = await close(who, key)
    expect([...told(refused), refused.body.retryable]).toEqual([409, 'account_unsettled', false])
    expect(refused.body.orders).toEqual([{ id: body.orderId, status: 'awaiting_payment' }])
    expect((await who.send('GET', '/api/me')).body).toMatchObject({ email: who.email, version: 1 })
    await who.send('POST', `/api/orders/${body.orderId}/cancel`, {}, { 'idempotency-key': 'cancel' })
    expect((await close(who, key)).status).toBe(204)
    expect(await leftOf(who.user.id)).toEqual({})
  })

  test('gets its money back after it, too, and where it would have been sent is forgotten', async () => {
    const who = await shop.newShopper()
    const addressId = await shop.newAddress(who)
    await shop.fillCart(who)
    const id = await shop.placeOrder(who, addressId)
    await shop.pay(who, id)
    expect((await close(who)).status).toBe(204)
    const mails = () => sql('select template from pantry.mail where account_id = $1', [who.user.id])
    const before = await mails()
    const admin = await shop.newAdmin()
    const why = { reason: 'was never sent' }
    const refunded = await admin.send('POST', `/api/admin/orders/${id}/refund`, why, { 'idempotency-key': 'refund' })
    expect([refunded.status, refunded.body.status]).toEqual([200, 'cancelled'])
    expect(shop.stripe.book.net('order')[id]).toMatchObject({ charges: 1, net: 0 })
    expect(await orderOf(id)).toMatchObject({
      shipping_address: { name: '(erased)' },
      billing_address: { name: 'Noa' },
    })
    expect(await mails()).toEqual(before)
    expect(await leftOf(who.user.id)).toEqual({})
  })

  /** How an order stands whose money is on its way. */
  const unsettled: Record<string, string[]> = {
    'is being charged': [`update pantry.orders set status = 'processing', reason = 'charge_begun' where id = $1`],
    'is paid and not booked': [
      `update pantry.orders set status = 'processing', reason = 'charge_begun' where id = $1`,
      `update pantry.orders set status = 'payment_verified', reason = 'captured' where id = $1`,
    ],
    'is held up': [
      `update pantry.orders set status = 'processing', reason = 'charge_begun' where id = $1`,
      `update pantry.orders set status = 'error', reason = 'captured' where id = $1`,
    ],
  }
  test.each(Object.entries(unsettled))('that %s, stays', async (_, steps) => {
    const who = await shop.newShopper()
    const addressId = await shop.newAddress(who)
    await shop.fillCart(who)
    const id = await shop.placeOrder(who, addressId)
    await sql(`update pantry.orders set status = 'awaiting_payment', reason = 'confirming' where id = $1`, [id])
    for (const step of steps) await sql(step, [id])
    const refused = await close(who)
    expect([...told(refused), refused.body.orders]).toEqual([
      409,
      'account_unsettled',
      [{ id, status: (await orderOf(id)).status }],
    ])
    expect(await isClosed(who)).toBe(false)
  })

  /** Money of a completed order that is on its way back, or owed. */
  const moving: Record<string, string> = {
    'is being given back': `update pantry.payment set status = 'refunding' where order_id = $1`,
    'is owed': `update pantry.payment set owed_amount = 100 where order_id = $1`,
    'is with the gateway on its way back': `update pantry.payment set refunded_amount = 50, pending_amount = 50 where order_id = $1`,
    'is looked after by somebody': `update pantry.payment set handled_by = gen_random_uuid() where order_id = $1`,
    'came when nobody waited for it': `update pantry.payment set unwanted = true where order_id = $1`,
    'is disputed': `insert into pantry.dispute (gateway, dispute_id, payment_id, status, amount, currency, opened_at)
      select gateway, 'dp_' || id, id, 'open', amount, currency, clock_timestamp() from pantry.payment where order_id = $1`,
    'is about to be given back': `update pantry.orders set closing_by = gen_random_uuid() where id = $1`,
  }
  test.each(Object.entries(moving))('whose money %s, stays', async (_, step) => {
    const who = await shop.newShopper()
    const addressId = await shop.newAddress(who)
    await shop.fillCart(who)
    const id = await shop.placeOrder(who, addressId)
    await shop.pay(who, id)
    await sql(step, [id])
    expect(told(await close(who))).toEqual([409, 'account_unsettled'])
    expect(await isClosed(who)).toBe(false)
  })
})

describe('an administrator', () => {
  test('leaves others behind; of two that leave at once one stays, as the last of all does', async () => {
    await sql(`update pantry.account set role = 'customer'`)
    const [one, other] = [await shop.newAdmin(), await shop.newAdmin()]
    const away = { send: elsewhere(other) }
    const replies = await Promise.all([close(one), close(away)])
    expect(replies.map(told).toSorted()).toEqual([
      [204, undefined],
      [409, 'last_administrator'],
    ])
    const last = replies[0].status === 409 ? one : other
    expect(told(await close(last))).toEqual([409, 'last_administrator'])
    await shop.newAdmin()
    expect((await close(last)).status).toBe(204)
    expect(await sql(`select from pantry.account where role = 'admin' and closed_at is null`)).toHaveLength(1)
  })
})
