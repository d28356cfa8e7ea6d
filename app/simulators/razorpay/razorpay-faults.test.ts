import { createHmac } from 'node:crypto'
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { postForm, press } from './browser.ts'
import {
  attempt,
  basic,
  call,
  capture,
  captured,
  control,
  eventIds,
  eventTypes,
  get,
  keyId,
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
import { razorpayWebhookRetry, startRazorpaySimulator } from './start-razorpay-simulator.ts'

useRazorpaySimulator()

const queue = (match: object, ...faults: object[]) => control('POST', '/faults', { match, faults })
const orders = { method: 'POST', path: '/v1/orders' }
const captures = { path: '/v1/payments/*/capture' }
const refunds = { path: '/v1/payments/*/refund' }
const paying = { path: '/v1/checkout/embedded', params: { action: 'pay' } }
const page = () => `${razorpay.url}/v1/checkout/embedded`
const key = { 'x-refund-idempotency': 'a-key-of-this-test' }
const refund = (id: string) => post(`/v1/payments/${id}/refund`, { amount: 1000 }, key)

describe('lost answers', () => {
  it('accepted, then dropped: the order, the capture and the refund stand', async () => {
    await queue(orders, { kind: 'drop', at: 'executed' })
    await expect(order({ receipt: 'r1' })).rejects.toThrow()
    expect((await get('/v1/orders?receipt=r1')).body.count).toBe(1)

    const payment = await attempt((await order()).id)
    await queue(captures, { kind: 'drop', at: 'executed' })
    await expect(capture(payment.id)).rejects.toThrow()
    expect(net()).toBe(4200)

    await queue(refunds, { kind: 'drop', at: 'executed' })
    await expect(refund(payment.id)).rejects.toThrow()
    expect(net()).toBe(3200)
    expect((await refund(payment.id)).body.status).toBe('processed')
    expect(net()).toBe(3200)
    expect(razorpay.calls.list().filter((one) => one.outcome === 'dropped')).toHaveLength(3)
  })

  it('dropped on the way: nothing was done, and the key is free', async () => {
    const payment = await captured()
    await queue(refunds, { kind: 'drop', at: 'arrived' })
    await expect(refund(payment.id)).rejects.toThrow()
    expect(net()).toBe(4200)
    expect((await refund(payment.id)).status).toBe(200)
    expect(net()).toBe(3200)
  })

  it('500: nothing was done, or all of it, as ordered', async () => {
    const payment = await attempt((await order()).id)
    await queue(captures, { kind: 'error', stored: false })
    expect(await capture(payment.id)).toMatchObject({ status: 500, body: { error: { code: 'SERVER_ERROR' } } })
    expect(net()).toBe(0)
    await queue(captures, { kind: 'error', stored: true, effect: 'done', status: 502 })
    expect(await capture(payment.id)).toMatchObject({ status: 502, body: { error: { code: 'GATEWAY_ERROR' } } })
    expect(net()).toBe(4200)
    await queue(refunds, { kind: 'error', stored: true, effect: 'done' })
    expect((await refund(payment.id)).status).toBe(500)
    expect((await refund(payment.id)).body.status).toBe('processed')
    expect(net()).toBe(3200)
  })

  it('a refund in flight under its key: 409, by order and in truth', async () => {
    const payment = await captured()
    await queue(refunds, { kind: 'in_flight' })
    expect((await refund(payment.id)).status).toBe(409)
    expect(net()).toBe(4200)

    const barrier = (await control('POST', '/barriers', { match: refunds, at: 'begun' })).body.id
    const first = refund(payment.id)
    await control('GET', `/barriers/${barrier}?waitMs=2000`)
    expect((await refund(payment.id)).body.error.description).toContain('still in progress')
    await control('POST', `/barriers/${barrier}/release`)
    expect((await first).status).toBe(200)
    expect(net()).toBe(3200)
  })

  it('slow: the answer comes after its delay, or the client has gone and the work stands', async () => {
    const payment = await attempt((await order()).id)
    await queue(captures, { kind: 'delay', ms: 5_000, at: 'executed' })
    const gone = fetch(`${razorpay.url}/v1/payments/${payment.id}/capture`, {
      method: 'POST',
      headers: { authorization: basic() },
      body: JSON.stringify({ amount: 4200, currency: 'INR' }),
      signal: AbortSignal.timeout(50),
    })
    await expect(gone).rejects.toThrow()
    await razorpay.calls.until((one) => one.aborted)
    expect(net()).toBe(4200)
    await queue(orders, { kind: 'delay', ms: 60 })
    const begun = performance.now()
    await order()
    expect(performance.now() - begun).toBeGreaterThan(55)
  })

  it('too many requests: 429 with a time to wait', async () => {
    await queue(orders, { kind: 'rate_limit', retryAfterSeconds: 2 })
    const reply = await post('/v1/orders', { amount: 4200, currency: 'INR' })
    expect([reply.status, reply.headers.get('retry-after')]).toEqual([429, '2'])
    expect(razorpay.book.orders.size).toBe(0)
  })
})

describe('events out of order', () => {
  it('one event five times at once, under one id', async () => {
    await queue(paying, { kind: 'webhook', copies: 5 })
    await press({ url: page(), fields: pageFields(await order()) }, 'pay')
    await receiver.until(5)
    expect(new Set(eventIds()).size).toBe(1)
    expect(new Set(receiver.received.map(({ rawBody }) => rawBody.toString())).size).toBe(1)
  })

  it('the same said again under ids of their own', async () => {
    await queue(paying, { kind: 'webhook', copies: 3, freshIds: true })
    await press({ url: page(), fields: pageFields(await order()) }, 'pay')
    await receiver.until(3)
    expect(new Set(eventIds()).size).toBe(3)
  })

  it('before the answer of the call that caused it', async () => {
    const payment = await attempt((await order()).id)
    await receiver.until(1)
    await queue(captures, { kind: 'webhook', early: true }, { kind: 'hang', at: 'executed' })
    const answer = capture(payment.id)
    await receiver.until(3)
    expect(razorpay.calls.list().at(-1)?.outcome).toBe('pending')
    await control('DELETE', '/faults')
    expect((await answer).status).toBe(200)
  })

  it('captured before authorized', async () => {
    await queue(paying, { kind: 'webhook', copies: 0 })
    await press({ url: page(), fields: pageFields(await order()) }, 'pay')
    const [payment] = razorpay.book.payments.values()
    await capture(payment!.id)
    await receiver.until(2)
    const [held] = razorpay.book.events.values()
    await control('POST', `/events/${held!.id}/deliver`, { copies: 2 })
    await receiver.until(4)
    expect(eventTypes().slice(2)).toEqual(['payment.authorized', 'payment.authorized'])
    expect(eventIds().slice(2)).toEqual([held!.id, held!.id])
  })

  it('failed, then captured: a late authorisation of the same payment', async () => {
    const made = await order()
    const back = await press({ url: page(), fields: pageFields(made) }, 'silent')
    expect(back.status).toBe(200)
    const [payment] = razorpay.book.payments.values()
    await control('POST', `/payments/${payment!.id}/settle`, { outcome: 'failed' })
    await receiver.until(1)
    await control('POST', `/payments/${payment!.id}/settle`, { outcome: 'authorized' })
    await receiver.until(2)
    expect((await capture(payment!.id)).status).toBe(200)
    await receiver.until(4)
    expect(eventTypes().slice(0, 2)).toEqual(['payment.failed', 'payment.authorized'])
  })

  it('a payment of another amount, or in another currency, than the order’s', async () => {
    const made = await order()
    expect(await attempt(made.id, 'authorized', { amount: 100 })).toMatchObject({ amount: 100, currency: 'INR' })
    const odd = await attempt(made.id, 'captured', { currency: 'USD' })
    expect(odd).toMatchObject({ amount: 4200, currency: 'USD', captured: true })
    expect(razorpay.book.total()).toEqual({ USD: 4200 })
  })

  it('the bank declines a call by order', async () => {
    await queue(paying, { kind: 'decline', code: 'insufficient_funds' })
    const back = await press({ url: page(), fields: pageFields(await order()) }, 'pay')
    expect(back.form?.fields['error[reason]']).toBe('insufficient_funds')
  })
})

describe('delivery', () => {
  it('is tried again under the same id, with the same bytes, until it is taken', async () => {
    receiver.answerWith(500, 503)
    await attempt((await order()).id)
    const received = await receiver.until(3)
    expect(new Set(eventIds()).size).toBe(1)
    expect(new Set(received.map(({ rawBody }) => rawBody.toString())).size).toBe(1)
    await razorpay.webhooks.idle()
    expect(razorpay.webhooks.deliveries().map(({ status }) => status)).toEqual([500, 503, 200])
  })

  it('waits five seconds for an answer', async () => {
    expect(razorpayWebhookRetry.timeoutMs).toBe(5_000)
    const mute = createServer(() => {})
    mute.listen(0, '127.0.0.1')
    await once(mute, 'listening')
    const webhookUrl = `http://127.0.0.1:${(mute.address() as AddressInfo).port}`
    const quick = { attempts: 2, baseMs: 5, capMs: 5, timeoutMs: 40 }
    const impatient = await startRazorpaySimulator({ keyId, keySecret, webhookSecret, webhookUrl, webhookRetry: quick })
    try {
      const headers = { authorization: basic() }
      const body = JSON.stringify({ amount: 4200, currency: 'INR' })
      const made = (await (await fetch(`${impatient.url}/v1/orders`, { method: 'POST', headers, body })).json()) as any
      await postForm(`${impatient.url}/v1/checkout/embedded`, { ...pageFields(made), action: 'authorize' })
      await impatient.webhooks.idle()
      expect(impatient.webhooks.deliveries()).toMatchObject([
        { attempt: 1, status: null, error: expect.any(String) },
        { attempt: 2, status: null },
      ])
    } finally {
      await impatient.close()
      mute.closeAllConnections()
      mute.close()
    }
  })

  it('of an older event keeps to the secret of its time after a rotation', async () => {
    const made = await order()
    await attempt(made.id)
    await receiver.until(1)
    await control('PUT', '/webhook', { url: receiver.url, secret: 'whsec_new' })
    await control('POST', `/events/${[...razorpay.book.events.keys()][0]}/deliver`)
    const [first, second] = await receiver.until(2)
    const signed = (one: typeof first, secret: string) =>
      one!.headers['x-razorpay-signature'] === createHmac('sha256', secret).update(one!.rawBody).digest('hex')
    expect([signed(first, webhookSecret), signed(second, webhookSecret)]).toEqual([true, true])
    await attempt(made.id)
    const third = (await receiver.until(3))[2]
    expect([signed(third, webhookSecret), signed(third, 'whsec_new')]).toEqual([false, true])
  })

  it.each(['wrong_secret', 'reserialized', 'unsigned'] as const)('can be spoiled by %s', async (tamper) => {
    await queue(paying, { kind: 'webhook', tamper })
    await press({ url: page(), fields: pageFields(await order()) }, 'pay')
    const [one] = await receiver.until(1)
    const right = createHmac('sha256', webhookSecret).update(one!.rawBody).digest('hex')
    expect(one!.headers['x-razorpay-signature']).not.toBe(right)
    expect(one!.headers['x-razorpay-event-id']).toMatch(/^evt_/)
  })
})

describe('the call log', () => {
  it('shows parameters flat, and the refund’s key', async () => {
    const payment = await captured({ notes: { order: 'o1' } })
    await refund(payment.id)
    const [made] = razorpay.calls.list()
    expect(made).toMatchObject({ path: '/v1/orders', key: null, params: { amount: '4200', 'notes[order]': 'o1' } })
    expect(razorpay.calls.list().at(-1)).toMatchObject({ key: 'a-key-of-this-test', executed: true })
    expect((await call('GET', '/_control/calls?after=1')).body.calls).toHaveLength(2)
  })
})
