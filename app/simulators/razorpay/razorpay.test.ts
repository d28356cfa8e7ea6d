import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { postForm, press } from './browser.ts'
import {
  attempt,
  basic,
  call,
  capture,
  captured,
  control,
  eventTypes,
  get,
  keySecret,
  net,
  order,
  pageFields,
  post,
  razorpay,
  receiver,
  useRazorpaySimulator,
  webhookSecret,
} from './razorpay.test.setup.ts'
import { startRazorpaySimulator } from './start-razorpay-simulator.ts'
import { signReturn, signWebhook } from './signatures.ts'

useRazorpaySimulator()

const page = () => `${razorpay.url}/v1/checkout/embedded`

describe('signatures', () => {
  it('are the golden vectors', () => {
    const body = '{"entity":"event","event":"payment.captured"}'
    expect(signWebhook(body, 'whsec_test_razorpay', undefined)).toEqual({
      'x-razorpay-signature': '6f7fe8c17a33ef5b5c6214d444456de5dc24e735bdcaa29b876831c5219420ed',
    })
    expect(signReturn('order_RB58MiP5SPFYyM', 'pay_29QQoUBi66xm2f', 'rzp_secret_test')).toBe(
      '3aa1238da1fa41b4ec25cbfa28374dfe8ee588e31693ce1af204adaf511f9b8a',
    )
  })
})

describe('orders', () => {
  it('have the documented shape, with empty notes as a list', async () => {
    const made = await order({ receipt: 'r1' })
    expect(made).toEqual({
      id: expect.stringMatching(/^order_[A-Za-z0-9]{14}$/),
      entity: 'order',
      amount: 4200,
      amount_paid: 0,
      amount_due: 4200,
      currency: 'INR',
      receipt: 'r1',
      offer_id: null,
      status: 'created',
      attempts: 0,
      notes: [],
      created_at: expect.any(Number),
    })
    expect((await get(`/v1/orders/${made.id}`)).body).toEqual(made)
    expect((await order({ notes: { order: 'o1' } })).notes).toEqual({ order: 'o1' })
  })

  it('are found by receipt, newest first', async () => {
    const first = await order({ receipt: 'r1' })
    await order({ receipt: 'r2' })
    const second = await order({ receipt: 'r1' })
    const found = (await get('/v1/orders?receipt=r1&count=100')).body
    expect(found).toMatchObject({ entity: 'collection', count: 2 })
    expect(found.items.map((one: { id: string }) => one.id)).toEqual([second.id, first.id])
    expect((await get('/v1/orders?receipt=none')).body).toMatchObject({ count: 0, items: [] })
  })

  it('with a receipt that is there are refused only where that is asked for', async () => {
    await order({ receipt: 'r1' })
    await order({ receipt: 'r1' })
    const strict = await startRazorpaySimulator({ keyId: 'k', keySecret: 's', webhookSecret, uniqueReceipts: true })
    try {
      const send = () =>
        fetch(`${strict.url}/v1/orders`, {
          method: 'POST',
          headers: { authorization: basic('k', 's') },
          body: JSON.stringify({ amount: 100, currency: 'INR', receipt: 'r1' }),
        })
      expect((await send()).status).toBe(200)
      expect((await send()).status).toBe(400)
      expect(strict.book.orders.size).toBe(1)
    } finally {
      await strict.close()
    }
  })

  it.each([
    [{ amount: 99, currency: 'INR' }, 'The amount must be at least INR 1.00', 'amount'],
    [{ amount: 10.5, currency: 'INR' }, 'The amount must be an integer.', 'amount'],
    [{ amount: 4200 }, 'The currency field is required.', 'currency'],
    [{ amount: 4200, currency: 'INR', receipt: 'r'.repeat(41) }, expect.stringContaining('40'), 'receipt'],
    [{ amount: 4200, currency: 'INR', colour: 'red' }, expect.stringContaining('colour'), undefined],
  ])('%j is refused in the vendor’s words', async (params, description, field) => {
    const reply = await post('/v1/orders', params)
    expect(reply.status).toBe(400)
    expect(reply.body.error).toMatchObject({ code: 'BAD_REQUEST_ERROR', description, metadata: {} })
    expect(reply.body.error.field).toBe(field)
    expect(razorpay.book.orders.size).toBe(0)
  })

  it('of a stranger, of nobody, or on no path at all', async () => {
    expect(await call('POST', '/v1/orders', {}, { authorization: basic('rzp_test_x') })).toMatchObject({
      status: 401,
      body: { error: { code: 'BAD_REQUEST_ERROR', description: 'Authentication failed' } },
    })
    expect((await get('/v1/orders/order_00000000000000')).body.error.description).toBe('The id provided does not exist')
    expect((await get('/v1/nothing')).status).toBe(400)
  })
})

describe('capture', () => {
  it('takes the authorized amount once', async () => {
    const made = await order({ notes: { order: 'o1', operation: 'k1' } })
    const payment = await attempt(made.id)
    expect(payment).toMatchObject({ status: 'authorized', captured: false, notes: [] })
    expect(net()).toBe(0)
    const wrong = await capture(payment.id, 4100)
    expect(wrong.body.error.description).toBe('Capture amount must be equal to the amount authorized')
    expect((await capture(payment.id, 4200, 'USD')).status).toBe(400)
    expect((await capture(payment.id)).body).toMatchObject({ status: 'captured', captured: true, order_id: made.id })
    expect((await capture(payment.id)).body.error.description).toBe('This payment has already been captured')
    expect((await get(`/v1/orders/${made.id}`)).body).toMatchObject({
      status: 'paid',
      amount_paid: 4200,
      amount_due: 0,
    })
    expect(razorpay.book.net('order')['o1']).toMatchObject({ charges: 1, net: 4200 })
    expect(razorpay.book.net('operation')['k1']).toMatchObject({ charges: 1, net: 4200 })
  })

  it('of a second payment of a paid order is refused, and so is another attempt', async () => {
    const made = await order()
    const [first, second] = [await attempt(made.id), await attempt(made.id)]
    await capture(first.id)
    expect((await capture(second.id)).body.error.description).toContain('already paid')
    expect((await control('POST', `/orders/${made.id}/pay`, { outcome: 'authorized' })).status).toBe(409)
    expect((await get(`/v1/orders/${made.id}/payments`)).body.items.map((one: any) => one.status)).toEqual([
      'captured',
      'authorized',
    ])
    expect(net()).toBe(4200)
  })

  it('happens by itself where the order says so, and where the order says nothing', async () => {
    const made = await order({ payment: undefined })
    await press({ url: page(), fields: pageFields(made) }, 'pay')
    expect(net()).toBe(4200)
  })

  it('that never comes: the authorization goes back by itself, and the payment says that it was not captured', async () => {
    const payment = await attempt((await order()).id)
    await control('POST', `/payments/${payment.id}/expire`)
    expect((await get(`/v1/payments/${payment.id}`)).body).toMatchObject({ status: 'refunded', captured: false })
    expect((await capture(payment.id)).status).toBe(400)
    expect(net()).toBe(0)
  })
})

describe('disputes', () => {
  it('are opened and decided by a bank: told by events with the payment, answered by their id, and nothing the payment says', async () => {
    const payment = await captured()
    const { body: dispute } = await control('POST', `/payments/${payment.id}/dispute`, { amount: 4000 })
    expect(dispute).toMatchObject({ entity: 'dispute', payment_id: payment.id, amount: 4000, amount_deducted: 0 })
    expect((await get(`/v1/disputes/${dispute.id}`)).body).toEqual(dispute)
    await control('POST', `/disputes/${dispute.id}/settle`, { outcome: 'lost' })
    expect((await get(`/v1/disputes/${dispute.id}`)).body).toMatchObject({ status: 'lost', amount_deducted: 4000 })
    expect((await get(`/v1/payments/${payment.id}`)).body).toMatchObject({ status: 'captured', amount_refunded: 0 })
    await razorpay.webhooks.idle()
    expect(
      eventTypes()
        .filter((type) => type.startsWith('payment.dispute'))
        .toSorted(),
    ).toEqual(['payment.dispute.created', 'payment.dispute.lost'])
    expect((await get('/v1/disputes/disp_none')).status).toBe(400)
    expect((await control('POST', `/payments/${(await attempt((await order()).id)).id}/dispute`)).status).toBe(409)
  })
})

describe('refunds', () => {
  const refund = (id: string, body: object, key?: string) =>
    post(`/v1/payments/${id}/refund`, body, key === undefined ? {} : { 'x-refund-idempotency': key })

  it('are made once for a key, and answered again', async () => {
    const payment = await captured()
    const first = await refund(payment.id, { amount: 1200, notes: { operation: 'r1' } }, 'key-of-ten_')
    expect(first.body).toMatchObject({
      id: expect.stringMatching(/^rfnd_/),
      entity: 'refund',
      amount: 1200,
      status: 'processed',
      payment_id: payment.id,
      notes: { operation: 'r1' },
    })
    expect((await refund(payment.id, { amount: 1200, notes: { operation: 'r1' } }, 'key-of-ten_')).text).toBe(
      first.text,
    )
    expect((await get(`/v1/payments/${payment.id}`)).body).toMatchObject({
      amount_refunded: 1200,
      refund_status: 'partial',
    })
    expect(await refund(payment.id, { amount: 1300 }, 'key-of-ten_')).toMatchObject({
      status: 400,
      body: {
        error: { description: 'Different request with the same idempotency key has already been processed.' },
      },
    })
    expect(net()).toBe(3000)
    expect((await get(`/v1/payments/${payment.id}/refunds?count=100`)).body).toMatchObject({
      entity: 'collection',
      count: 1,
      items: [first.body],
    })
  })

  it.each([
    ['too-short', 'at least 10 characters'],
    ['no spaces here', 'alphanumeric'],
  ])('under the key %j are refused', async (key, words) => {
    const payment = await captured()
    expect((await refund(payment.id, { amount: 1200 }, key)).body.error.description).toContain(words)
    expect(net()).toBe(4200)
  })

  it('never give back more than was captured, nor what was not', async () => {
    const payment = await captured()
    expect((await refund(payment.id, { amount: 4300 })).body.error.description).toContain(
      'greater than amount captured',
    )
    expect((await refund(payment.id, {})).body.amount).toBe(4200)
    expect((await refund(payment.id, {})).body.error.description).toContain('fully refunded already')
    expect((await get(`/v1/payments/${payment.id}`)).body).toMatchObject({ status: 'refunded', captured: true })
    const held = await attempt((await order()).id)
    expect((await refund(held.id, {})).status).toBe(400)
    expect(net()).toBe(0)
  })

  it('that are under way count as given back, and come back when they fail', async () => {
    const payment = await captured()
    razorpay.faults.add({ match: { path: '/v1/payments/*/refund' }, faults: [{ kind: 'processing' }] })
    const made = (await refund(payment.id, {})).body
    expect(made.status).toBe('pending')
    expect(net()).toBe(0)
    await control('POST', `/refunds/${made.id}/settle`, { outcome: 'failed' })
    expect((await get(`/v1/refunds/${made.id}`)).body.status).toBe('failed')
    expect((await get(`/v1/payments/${payment.id}`)).body).toMatchObject({ status: 'captured', amount_refunded: 0 })
    expect(net()).toBe(4200)
  })
})

describe('the hosted page', () => {
  it('shows what is to be paid, and brings a signed payment back by posting it to the shop', async () => {
    const made = await order()
    const fields = pageFields(made, { 'prefill[email]': 'ann@example.com', description: '<b>"Groceries"</b>' })
    const shown = await postForm(page(), fields)
    expect(shown.text).toContain('₹42.00')
    expect(shown.text).not.toContain('<b>')
    const back = await press({ url: page(), fields }, 'pay')
    const payment = [...razorpay.book.payments.values()][0]!
    expect(payment).toMatchObject({ status: 'authorized', email: 'ann@example.com', description: '<b>"Groceries"</b>' })
    expect(back.form).toEqual({
      action: 'https://shop.example/return',
      fields: {
        razorpay_payment_id: payment.id,
        razorpay_order_id: made.id,
        razorpay_signature: createHmac('sha256', keySecret).update(`${made.id}|${payment.id}`).digest('hex'),
      },
    })
  })

  it('brings a failure back as error fields, without a signature', async () => {
    const made = await order()
    const back = await press({ url: page(), fields: pageFields(made) }, 'decline')
    expect(back.form?.fields).toMatchObject({ 'error[code]': 'BAD_REQUEST_ERROR', 'error[reason]': 'payment_failed' })
    expect(back.form?.fields['razorpay_signature']).toBeUndefined()
    expect((await get(`/v1/orders/${made.id}/payments`)).body.items).toMatchObject([
      { status: 'failed', error_reason: 'payment_failed' },
    ])
  })

  it('can be left, and be paid without coming back', async () => {
    const made = await order()
    const at = { url: page(), fields: pageFields(made) }
    expect(await press(at, 'leave')).toMatchObject({ status: 303, location: 'https://shop.example/cart' })
    expect(razorpay.book.payments.size).toBe(0)
    expect((await press(at, 'silent')).form).toBeUndefined()
    expect((await press(at, 'authorize')).form).toBeUndefined()
    expect([...razorpay.book.payments.values()].map(({ status }) => status)).toEqual(['created', 'authorized'])
  })

  it.each([
    ['another amount than the order’s', { amount: '1' }, 400],
    ['another currency than the order’s', { currency: 'USD' }, 400],
    ['another merchant’s key', { key_id: 'rzp_test_x' }, 401],
    ['an order that is not there', { order_id: 'order_00000000000000' }, 400],
    ['no way back', { callback_url: '' }, 400],
  ])('refuses %s', async (_, more, status) => {
    const fields = pageFields(await order(), more)
    expect((await postForm(page(), { ...fields, action: 'pay' })).status).toBe(status)
    expect(razorpay.book.payments.size).toBe(0)
  })

  it('of a paid order takes nothing more', async () => {
    const made = await order({ payment: undefined })
    const at = { url: page(), fields: pageFields(made) }
    await press(at, 'pay')
    expect(await press(at, 'pay')).toMatchObject({ status: 400, text: expect.stringContaining('already paid') })
    expect(net()).toBe(4200)
  })
})

describe('events', () => {
  it('tell of a capture twice, under two ids, signed over the bytes that are sent', async () => {
    await captured()
    const received = await receiver.until(3)
    expect(eventTypes().toSorted()).toEqual(['order.paid', 'payment.authorized', 'payment.captured'])
    expect(new Set(received.map(({ headers }) => headers['x-razorpay-event-id'])).size).toBe(3)
    for (const { rawBody, headers } of received) {
      const signature = createHmac('sha256', webhookSecret).update(rawBody).digest('hex')
      expect(headers['x-razorpay-signature']).toBe(signature)
    }
    const paid = received.map(({ rawBody }) => JSON.parse(rawBody.toString())).find((one) => one.event === 'order.paid')
    expect(paid).toMatchObject({
      entity: 'event',
      contains: ['payment', 'order'],
      payload: { payment: { entity: { status: 'captured', notes: [] } }, order: { entity: { status: 'paid' } } },
    })
  })

  it('are snapshots: what happens later does not change what was said', async () => {
    const payment = await attempt((await order()).id)
    await receiver.until(1)
    await capture(payment.id)
    await receiver.until(3)
    const [id] = [...razorpay.book.events.values()]
      .filter(({ type }) => type === 'payment.authorized')
      .map((one) => one.id)
    await control('POST', `/events/${id}/deliver`)
    const again = (await receiver.until(4))[3]!
    expect(JSON.parse(again.rawBody.toString()).payload.payment.entity.status).toBe('authorized')
  })

  it('tell of a refund with the payment beside it, also of one that Razorpay made by itself', async () => {
    const payment = await captured()
    await post(`/v1/payments/${payment.id}/refund`, { amount: 1200 })
    const held = await attempt((await order()).id)
    await control('POST', `/payments/${held.id}/expire`)
    await receiver.until(8)
    const refunds = receiver.received
      .map(({ rawBody }) => JSON.parse(rawBody.toString()))
      .filter((one) => one.event === 'refund.processed')
    expect(refunds.map((one) => one.payload.payment.entity)).toMatchObject(
      expect.arrayContaining([
        expect.objectContaining({ id: payment.id, amount_refunded: 1200, captured: true }),
        expect.objectContaining({ id: held.id, captured: false }),
      ]),
    )
  })
})

describe('control', () => {
  it('shows the book and empties it', async () => {
    await captured({ notes: { order: 'o1' } })
    expect((await control('GET', '/book')).body).toMatchObject({
      orders: [{ status: 'paid' }],
      payments: [{ status: 'captured' }],
      net: { byOrder: { o1: { charges: 1, net: 4200 } }, total: { INR: 4200 } },
    })
    await control('POST', '/reset')
    expect((await control('GET', '/book')).body).toMatchObject({ orders: [], payments: [], net: { total: {} } })
  })

  it('says what it cannot do', async () => {
    const payment = await captured()
    expect((await control('POST', `/payments/${payment.id}/settle`, { outcome: 'authorized' })).status).toBe(409)
    expect((await control('POST', `/payments/${payment.id}/settle`, { outcome: 'rich' })).status).toBe(400)
    expect((await control('POST', '/payments/pay_none/settle', { outcome: 'failed' })).status).toBe(404)
    expect((await control('POST', '/nothing')).status).toBe(404)
  })
})
