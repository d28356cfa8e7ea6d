import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { press } from '../../../../simulators/razorpay/browser.ts'
import type { WebhookReading } from '../gateway.ts'
import { createRazorpayGateway } from './razorpay-gateway.ts'
import { readCheckoutReturn, verifyCheckoutReturn, verifyWebhookSignature } from './razorpay-signatures.ts'
import { readRazorpayWebhook } from './razorpay-webhooks.ts'
import {
  authorized,
  call,
  captured,
  config,
  control,
  gateway,
  queue,
  razorpay,
  receiver,
  request,
  useRazorpayGateway,
  webhookSecret,
} from './razorpay.test.setup.ts'

useRazorpayGateway()

describe('signatures', () => {
  const body = Buffer.from('{"entity":"event","event":"payment.captured"}')
  const secret = 'whsec_test_razorpay'
  const golden = '6f7fe8c17a33ef5b5c6214d444456de5dc24e735bdcaa29b876831c5219420ed'

  it.each([
    ['the golden vector', golden, [secret], true],
    ['in capitals', golden.toUpperCase(), [secret], true],
    ['of the old secret, while it is rotated', golden, ['whsec_new', secret], true],
    ['of the old secret, once it is given up', golden, ['whsec_new'], false],
    ['with no secret at all', golden, [], false],
    ['cut', golden.slice(0, 62), [secret], false],
    ['longer', `${golden}00`, [secret], false],
    ['not hex', 'z'.repeat(64), [secret], false],
    ['empty', '', [secret], false],
  ])('of an event: %s', (_, signature, secrets, verified) => {
    expect(verifyWebhookSignature(body, signature, secrets)).toBe(verified)
  })

  it('of an event are over the raw bytes', () => {
    const spaced = Buffer.from(body.toString().replaceAll(':', ': '))
    expect(verifyWebhookSignature(spaced, golden, [secret])).toBe(false)
  })

  it('of a return: the golden vector, and no other order, payment or secret', () => {
    const order = 'order_RB58MiP5SPFYyM'
    const payment = 'pay_29QQoUBi66xm2f'
    const signature = '3aa1238da1fa41b4ec25cbfa28374dfe8ee588e31693ce1af204adaf511f9b8a'
    expect(verifyCheckoutReturn(order, payment, signature, 'rzp_secret_test')).toBe(true)
    expect(verifyCheckoutReturn('order_RB58MiP5SPFYyN', payment, signature, 'rzp_secret_test')).toBe(false)
    expect(verifyCheckoutReturn(order, 'pay_29QQoUBi66xm2g', signature, 'rzp_secret_test')).toBe(false)
    expect(verifyCheckoutReturn(order, payment, signature, 'rzp_secret_tesu')).toBe(false)
    const params = { razorpay_payment_id: payment, razorpay_order_id: 'order_anything', razorpay_signature: signature }
    expect(readCheckoutReturn(params, { pageId: order }, 'rzp_secret_test')).toEqual({
      status: 'verified',
      paymentId: payment,
    })
    expect(readCheckoutReturn({}, { pageId: order }, 'rzp_secret_test')).toEqual({ status: 'rejected' })
  })
})

describe('an event', () => {
  const read = (text: string, headers: Record<string, string | string[] | undefined> = {}) => {
    const rawBody = Buffer.from(text)
    const signature = createHmac('sha256', webhookSecret).update(rawBody).digest('hex')
    const all = { 'x-razorpay-signature': signature, 'x-razorpay-event-id': 'evt_1', ...headers }
    return readRazorpayWebhook({ rawBody, headers: all }, [webhookSecret])
  }
  const event = (type: string, payload: object) =>
    JSON.stringify({ entity: 'event', event: type, created_at: 1_700_000_000, payload })

  it('is rejected without a signature, without an id, with two of either, or when it is no event', () => {
    const text = event('payment.captured', {})
    expect(read(text)).toEqual({
      status: 'verified',
      event: { id: 'evt_1', type: 'payment.captured', createdAt: '2023-11-14T22:13:20.000Z', subject: null },
    })
    const rejected = (reason: string) => ({ status: 'rejected', reason })
    expect(read(text, { 'x-razorpay-signature': undefined })).toEqual(rejected('unsigned'))
    expect(read(text, { 'x-razorpay-signature': ['a', 'b'] })).toEqual(rejected('malformed'))
    expect(read(text, { 'x-razorpay-signature': 'f'.repeat(64) })).toEqual(rejected('signature_mismatch'))
    for (const id of [undefined, '', 'a b', 'x'.repeat(256), ['evt_1', 'evt_2']])
      expect(read(text, { 'x-razorpay-event-id': id })).toEqual(rejected('malformed'))
    // Signed well, and still no event.
    for (const odd of ['{"entity":"event","event":"payment.captured"}', '[]', 'null', '', '{', '\u{fffd}'])
      expect(read(odd)).toEqual(rejected('malformed'))
  })

  it('is looked for under any case of the headers', () => {
    const text = event('payment.captured', {})
    const rawBody = Buffer.from(text)
    const signature = createHmac('sha256', webhookSecret).update(rawBody).digest('hex')
    const headers = { 'X-Razorpay-Signature': signature, 'X-Razorpay-Event-Id': 'evt_1' }
    expect(readRazorpayWebhook({ rawBody, headers }, [webhookSecret]).status).toBe('verified')
  })

  it.each([
    ['payment.captured', { payment: { entity: { id: 'pay_1' } } }],
    ['payment.captured', { order: { entity: null } }],
    ['refund.processed', { refund: { entity: {} } }],
    ['order.paid', {}],
    ['subscription.charged', { payment: { entity: {} } }],
  ])('%s with %j is kept, and is about nothing', (type, payload) => {
    expect(read(event(type, payload))).toMatchObject({ status: 'verified', event: { type, subject: null } })
  })
})

describe('events over the wire', () => {
  async function readAll(count: number): Promise<WebhookReading[]> {
    const received = await receiver.until(count)
    return Promise.all(received.map((one) => gateway.readWebhook(one, Date.now(), call('w'))))
  }
  const subjectOf = (readings: readonly WebhookReading[], type: string) =>
    readings.map((one) => (one.status === 'verified' ? one.event : undefined)).find((one) => one?.type === type)
      ?.subject

  it('say which page was paid by which payment, and what was given back', async () => {
    const { page, paymentId } = await authorized()
    await gateway.capture({ paymentId, amount: 4200, currency: 'INR' }, call('t'))
    await gateway.refund({ paymentId, amount: 1000 }, call('r'))
    const readings = await readAll(5)
    const about = (status: string, order: string | null) => ({
      kind: 'checkout',
      checkout: { id: page.id, status, paymentId, amount: 4200, currency: 'INR', order },
    })
    expect(subjectOf(readings, 'payment.authorized')).toMatchObject(about('authorized', null))
    expect(subjectOf(readings, 'payment.captured')).toMatchObject(about('paid', null))
    expect(subjectOf(readings, 'order.paid')).toMatchObject(about('paid', 'o1'))
    const refund = { kind: 'refund', paymentId, refunded: 1000, currency: 'INR', page: page.id, order: null }
    expect(subjectOf(readings, 'refund.created')).toEqual(refund)
    expect(subjectOf(readings, 'refund.processed')).toEqual(refund)
    const ids = readings.map((one) => (one.status === 'verified' ? one.event.id : ''))
    expect(new Set(ids).size).toBe(5)
  })

  it('say on which page an attempt failed, and name no order that only a browser has named', async () => {
    const page = await gateway.createCheckout(request(), call('c1'))
    await press({ ...page, fields: { ...page.fields, 'notes[order]': 'o-of-somebody-else' } }, 'decline')
    expect(subjectOf(await readAll(1), 'payment.failed')).toMatchObject({
      kind: 'checkout',
      checkout: { id: page.id, status: 'open', order: null, paymentId: null, declined: { code: 'payment_failed' } },
    })
  })

  it('of an authorization that went back by itself: nothing was taken, so nothing was given back', async () => {
    const { paymentId } = await authorized()
    await control(`/payments/${paymentId}/expire`)
    expect(subjectOf(await readAll(3), 'refund.processed')).toMatchObject({ paymentId, refunded: 0 })
  })

  it('five at once under one id are the same event, a copy under another id is another', async () => {
    const { paymentId } = await authorized()
    await receiver.until(1)
    queue({ path: '/v1/payments/*/capture' }, { kind: 'webhook', copies: 5 })
    await gateway.capture({ paymentId, amount: 4200, currency: 'INR' }, call('t'))
    const ids = (await readAll(11)).slice(1).map((one) => (one.status === 'verified' ? one.event.id : ''))
    // payment.captured and order.paid
    expect(new Set(ids).size).toBe(2)
  })

  it('of before a rotation of the secret are taken for as long as the old one is listed', async () => {
    await captured()
    const received = await receiver.until(3)
    const statuses = async (...webhookSecrets: string[]) => {
      const rotated = createRazorpayGateway({ ...config, webhookSecrets })
      const readings = received.map((one) => rotated.readWebhook(one, Date.now(), call('w')))
      return new Set((await Promise.all(readings)).map(({ status }) => status))
    }
    expect(await statuses('whsec_new', webhookSecret)).toEqual(new Set(['verified']))
    expect(await statuses('whsec_new')).toEqual(new Set(['rejected']))
  })

  it.each([
    ['wrong_secret', 'signature_mismatch'],
    ['reserialized', 'signature_mismatch'],
    ['unsigned', 'unsigned'],
  ] as const)('spoiled by %s are rejected as %s', async (tamper, reason) => {
    const page = await gateway.createCheckout(request(), call('c1'))
    queue({ path: '/v1/checkout/embedded', params: { action: 'pay' } }, { kind: 'webhook', tamper })
    await press(page, 'pay')
    expect(await readAll(1)).toEqual([{ status: 'rejected', reason }])
    expect(razorpay.book.payments.size).toBe(1)
  })
})
