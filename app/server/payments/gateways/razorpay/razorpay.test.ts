import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { press } from '../../../../simulators/razorpay/browser.ts'
import { startRazorpaySimulator } from '../../../../simulators/razorpay/start-razorpay-simulator.ts'
import type { GatewayError } from '../gateway-error.ts'
import { receiptOf } from './razorpay-checkout.ts'
import { readRazorpayConfig } from './razorpay-config.ts'
import { createRazorpayGateway } from './razorpay-gateway.ts'
import {
  authorized,
  call,
  captured,
  capturing,
  config,
  control,
  creating,
  credentials,
  failure,
  gateway,
  queue,
  razorpay,
  request,
  total,
  useRazorpayGateway,
  webhookSecret,
  type FaultInput,
} from './razorpay.test.setup.ts'

useRazorpayGateway()

const take = (paymentId: string, more: object = {}, key = 't1') =>
  gateway.capture({ paymentId, amount: 4200, currency: 'INR', ...more }, call(key))

describe('the page', () => {
  it('is an order of ours, and a form that takes the customer there', async () => {
    const page = await gateway.createCheckout(request({ customerEmail: 'ann@example.com' }), call('c1'))
    expect(page).toEqual({
      id: expect.stringMatching(/^order_/),
      status: 'open',
      url: `${razorpay.url}/v1/checkout/embedded`,
      fields: {
        key_id: credentials.keyId,
        order_id: page.id,
        amount: '4200',
        currency: 'INR',
        name: 'Pantry',
        description: 'Groceries',
        callback_url: 'https://shop.example/thanks?order=o1',
        cancel_url: 'https://shop.example/cart',
        'prefill[email]': 'ann@example.com',
      },
      expiresAt: null,
      declined: null,
      amount: 4200,
      currency: 'INR',
      order: 'o1',
      paymentId: null,
    })
    expect(razorpay.calls.list()).toMatchObject([
      {
        path: '/v1/orders',
        params: {
          amount: '4200',
          currency: 'INR',
          receipt: receiptOf('c1'),
          'notes[order]': 'o1',
          'notes[operation]': 'c1',
          'payment[capture]': 'manual',
        },
      },
    ])
    expect(receiptOf('c1')).toMatch(/^[0-9a-f]{40}$/)
  })

  it('is the same for a repeated call, whether or not the first one arrived', async () => {
    const repeated = { repeated: true }
    const first = await gateway.createCheckout(request(), call('c1', repeated))
    expect(await gateway.createCheckout(request(), call('c1', repeated))).toEqual(first)
    queue(creating, { kind: 'drop', at: 'executed' })
    expect(await failure(gateway.createCheckout(request(), call('c2')))).toMatchObject({ kind: 'unknown' })
    const second = await gateway.createCheckout(request(), call('c2', repeated))
    expect(second).toMatchObject({ status: 'open', fields: { order_id: second.id } })
    expect(razorpay.book.orders.size).toBe(2)
  })

  it('is found also where Razorpay refuses a receipt twice, and nobody said that the call was repeated', async () => {
    const strict = await startRazorpaySimulator({ ...credentials, webhookSecret, uniqueReceipts: true })
    try {
      const other = createRazorpayGateway({ ...config, baseUrl: strict.url })
      const first = await other.createCheckout(request(), call('c1'))
      expect(await other.createCheckout(request(), call('c1'))).toEqual(first)
      expect(await failure(other.createCheckout(request({ amount: 1 }), call('c2')))).toMatchObject({ kind: 'refused' })
    } finally {
      await strict.close()
    }
  })

  it('of which two were made: repeats agree on the older one, and never on another’s', async () => {
    const first = await gateway.createCheckout(request(), call('c1'))
    await gateway.createCheckout(request(), call('c1'))
    const again = () => gateway.createCheckout(request(), call('c1', { repeated: true }))
    const [one, two] = [await again(), await again()]
    expect(two).toEqual(one)
    expect([...razorpay.book.orders.keys()]).toContain(first.id)
    expect((await gateway.createCheckout(request(), call('c2', { repeated: true }))).id).not.toBe(one.id)
  })

  it('that was paid meanwhile is answered as paid, without a form', async () => {
    const { page, paymentId } = await authorized()
    const again = await gateway.createCheckout(request(), call('c1', { repeated: true }))
    expect(again).toMatchObject({ id: page.id, status: 'authorized', url: null, paymentId })
    expect(again.fields).toBeUndefined()
  })

  it('is open, authorized, then paid', async () => {
    const page = await gateway.createCheckout(request(), call('c1'))
    expect(await gateway.getCheckout(page.id, call('g'))).toMatchObject({
      status: 'open',
      order: 'o1',
      paymentId: null,
    })
    await press(page, 'pay')
    const held = await gateway.getCheckout(page.id, call('g'))
    expect(held).toMatchObject({ status: 'authorized', paymentId: expect.stringMatching(/^pay_/), declined: null })
    expect(total()).toBe(0)
    await take(held.paymentId!)
    expect(await gateway.getCheckout(page.id, call('g'))).toEqual({ ...held, status: 'paid' })
    expect(razorpay.book.net('operation')['c1']).toMatchObject({ charges: 1, net: 4200 })
  })

  it('on which the last attempt failed says why, until another is under way', async () => {
    const page = await gateway.createCheckout(request(), call('c1'))
    queue({ path: '/v1/checkout/embedded', params: { action: 'pay' } }, { kind: 'decline', code: 'incorrect_pin' })
    await press(page, 'pay')
    expect(await gateway.getCheckout(page.id, call('g'))).toMatchObject({
      status: 'open',
      paymentId: null,
      declined: { code: 'incorrect_pin', message: expect.any(String) },
    })
    await press(page, 'silent')
    expect(await gateway.getCheckout(page.id, call('g'))).toMatchObject({ status: 'open', declined: null })
    // Also where the later one is the one that failed.
    await press(page, 'decline')
    expect(await gateway.getCheckout(page.id, call('g'))).toMatchObject({ status: 'open', declined: null })
  })

  it('cannot be closed: it is abandoned, and whoever pays there later is only held', async () => {
    const page = await gateway.createCheckout(request(), call('c1'))
    expect(await gateway.closeCheckout(page.id, call('x'))).toMatchObject({ status: 'abandoned', paymentId: null })
    await press(page, 'pay')
    const late = await gateway.closeCheckout(page.id, call('x'))
    expect(late).toMatchObject({ status: 'authorized' })
    expect(total()).toBe(0)
    await take(late.paymentId!)
    expect(await gateway.closeCheckout(page.id, call('x'))).toMatchObject({ status: 'paid' })
  })

  it('with two payments: what is taken counts, and then what is still there of it', async () => {
    const { page, paymentId } = await authorized()
    await control(`/orders/${page.id}/pay`, { outcome: 'authorized' })
    await take(paymentId)
    expect(await gateway.getCheckout(page.id, call('g'))).toMatchObject({ status: 'paid', paymentId })
    await gateway.refund({ paymentId }, call('r'))
    expect(await gateway.getCheckout(page.id, call('g'))).toMatchObject({ status: 'paid', paymentId })
  })

  it('paid with another amount or currency says that one', async () => {
    const page = await gateway.createCheckout(request(), call('c1'))
    await control(`/orders/${page.id}/pay`, { outcome: 'authorized', amount: 100 })
    expect(await gateway.getCheckout(page.id, call('g'))).toMatchObject({ status: 'authorized', amount: 100 })
    const other = await gateway.createCheckout(request(), call('c2'))
    await control(`/orders/${other.id}/pay`, { outcome: 'captured', currency: 'USD' })
    expect(await gateway.getCheckout(other.id, call('g'))).toMatchObject({ status: 'paid', currency: 'USD' })
  })

  it('brings back a payment that Razorpay has signed, for the page that we stored only', async () => {
    const page = await gateway.createCheckout(request(), call('c1'))
    const other = await gateway.createCheckout(request(), call('c2'))
    const params = (await press(page, 'pay')).form?.fields ?? {}
    const verify = (more: object, pageId = page.id) => gateway.verifyReturn?.({ ...params, ...more }, { pageId })
    const paymentId = params['razorpay_payment_id']
    expect(verify({})).toEqual({ status: 'verified', paymentId })
    expect(verify({}, other.id)).toEqual({ status: 'rejected' })
    expect(verify({ razorpay_order_id: other.id }, other.id)).toEqual({ status: 'rejected' })
    expect(verify({ razorpay_payment_id: 'pay_29QQoUBi66xm2f' })).toEqual({ status: 'rejected' })
    expect(verify({ razorpay_signature: '' })).toEqual({ status: 'rejected' })
    const failed = (await press(page, 'decline')).form?.fields ?? {}
    expect(gateway.verifyReturn?.(failed, { pageId: page.id })).toEqual({ status: 'rejected' })
  })
})

describe('capture', () => {
  it('takes all of it, once, and says so again', async () => {
    const { paymentId } = await authorized()
    const first = await take(paymentId)
    expect(first).toEqual({
      id: paymentId,
      status: 'captured',
      amount: 4200,
      currency: 'INR',
      captured: 4200,
      refunded: 0,
      operation: null,
      order: null,
    })
    expect(await take(paymentId, {}, 't2')).toEqual(first)
    expect(total()).toBe(4200)
  })

  it('of a payment that cannot be captured any more answers it as it is', async () => {
    const { paymentId } = await authorized()
    await control(`/payments/${paymentId}/expire`)
    // Razorpay gave it back by itself: nothing was ever taken.
    expect(await take(paymentId)).toMatchObject({ status: 'cancelled', captured: 0, refunded: 0 })
    const page = await gateway.createCheckout(request(), call('c2'))
    await press(page, 'decline')
    const failed = [...razorpay.book.payments.values()].at(-1)!
    expect(await take(failed.id)).toMatchObject({ status: 'declined', captured: 0 })
  })

  it('of another amount, or for an order that another payment has paid, is refused, and takes nothing', async () => {
    const { page, paymentId } = await authorized()
    expect(await failure(take(paymentId, { amount: 100 }))).toMatchObject({ kind: 'refused', status: 400 })
    expect(await failure(take(paymentId, { currency: 'USD' }))).toMatchObject({ kind: 'refused' })
    await control(`/orders/${page.id}/pay`, { outcome: 'authorized' })
    const second = [...razorpay.book.payments.keys()].at(-1)!
    await take(paymentId)
    expect(await failure(take(second))).toMatchObject({ kind: 'refused', code: 'order_already_paid' })
    expect(total()).toBe(4200)
  })

  it('after a failure takes what was authorized late', async () => {
    const page = await gateway.createCheckout(request(), call('c1'))
    await press(page, 'decline')
    const [payment] = razorpay.book.payments.values()
    expect(await gateway.getPayment(payment!.id, call('g'))).toMatchObject({ status: 'declined' })
    await control(`/payments/${payment!.id}/settle`, { outcome: 'authorized' })
    expect(await gateway.getCheckout(page.id, call('g'))).toMatchObject({ status: 'authorized', declined: null })
    expect(await take(payment!.id)).toMatchObject({ status: 'captured' })
  })

  const rows: [string, FaultInput, Partial<GatewayError>, number][] = [
    ['accepted, answer lost', { kind: 'drop', at: 'executed' }, { kind: 'unknown', code: 'network' }, 4200],
    ['cut before processing', { kind: 'drop', at: 'arrived' }, { kind: 'unknown', code: 'network' }, 0],
    ['500, nothing done', { kind: 'error', stored: false }, { kind: 'unknown', code: 'SERVER_ERROR', status: 500 }, 0],
    ['500, all done', { kind: 'error', stored: true, effect: 'done' }, { kind: 'unknown', status: 500 }, 4200],
    ['502', { kind: 'error', stored: false, status: 502 }, { kind: 'unknown', code: 'GATEWAY_ERROR' }, 0],
    [
      'rate limit',
      { kind: 'rate_limit', retryAfterSeconds: 2 },
      { kind: 'unavailable', effect: 'none', retryAfterMs: 2000, retryable: true },
      0,
    ],
    ['slow', { kind: 'delay', ms: 5_000, at: 'executed' }, { kind: 'unknown', code: 'timeout' }, 4200],
  ]
  it.each(rows)(
    'that met %s is told apart, and ends captured once when it is tried again',
    async (_, fault, is, taken) => {
      const { paymentId } = await authorized()
      queue(capturing, fault)
      const attempt = gateway.capture({ paymentId, amount: 4200, currency: 'INR' }, call('t1', { timeoutMs: 300 }))
      const error = await failure(attempt)
      expect(error).toMatchObject(is)
      expect(error.cause).toBeDefined()
      expect(total()).toBe(taken)
      expect(await take(paymentId)).toMatchObject({ status: 'captured', captured: 4200 })
      expect(razorpay.book.net('order')['o1']).toMatchObject({ charges: 1, net: 4200 })
    },
  )
})

describe('a failed call says whether it may have taken effect', () => {
  it('no connection, or aborted before it was sent: surely not executed', async () => {
    const gone = call('c1', { signal: AbortSignal.abort(new Error('cancelled')) })
    expect(await failure(gateway.createCheckout(request(), gone))).toMatchObject({
      kind: 'unavailable',
      code: 'aborted',
    })
    expect(razorpay.calls.list()).toEqual([])
    await razorpay.close()
    const error = await failure(gateway.createCheckout(request(), call('c1')))
    expect(error).toMatchObject({ kind: 'unavailable', code: 'network', effect: 'none', retryable: true })
    expect((error.cause as Error).cause).toMatchObject({ code: 'ECONNREFUSED' })
  })

  it('aborted on the way: unknown', async () => {
    const { paymentId } = await authorized()
    const held = queue(capturing, { kind: 'hang', at: 'begun' })
    const leaving = new AbortController()
    const attempt = gateway.capture(
      { paymentId, amount: 4200, currency: 'INR' },
      call('t1', { signal: leaving.signal }),
    )
    await held.held()
    leaving.abort(new Error('the user cancelled'))
    expect(await failure(attempt)).toMatchObject({ kind: 'unknown', code: 'aborted', cause: leaving.signal.reason })
    held.release()
    await razorpay.calls.until((one) => one.path.endsWith('/capture') && one.outcome !== 'pending')
    expect(total()).toBe(4200)
  })

  it('a read has no effect that could be unknown', async () => {
    queue({ method: 'GET' }, { kind: 'drop', at: 'executed' })
    expect(await failure(gateway.getPayment('pay_29QQoUBi66xm2f', call('g')))).toMatchObject({
      kind: 'unavailable',
      effect: 'none',
    })
    queue({ method: 'GET' }, { kind: 'error', stored: false })
    expect(await failure(gateway.getPayment('pay_29QQoUBi66xm2f', call('g')))).toMatchObject({ kind: 'unavailable' })
  })

  it('a no that is final: refused, never retried', async () => {
    expect(await failure(gateway.createCheckout(request({ amount: 99 }), call('c1')))).toMatchObject({
      kind: 'refused',
      code: 'input_validation_failed',
      status: 400,
      retryable: false,
    })
    expect(await failure(gateway.getCheckout('order_00000000000000', call('g')))).toMatchObject({ kind: 'refused' })
    const stranger = createRazorpayGateway({ ...config, keySecret: 'wrong' })
    expect(await failure(stranger.createCheckout(request(), call('c1')))).toMatchObject({
      kind: 'refused',
      status: 401,
    })
  })

  it.each([
    ['no JSON', 200, 'thank you', { kind: 'unknown', code: 'bad_response' }],
    ['another shape', 200, '{"entity":"order"}', { kind: 'unknown', code: 'bad_response' }],
    ['a redirect, which is not followed', 307, '', { kind: 'unknown', status: 307 }],
    [
      'the bank’s trouble under a 400',
      400,
      '{"error":{"code":"GATEWAY_ERROR"}}',
      { kind: 'unknown', code: 'GATEWAY_ERROR' },
    ],
    ['a proxy’s 403', 403, '<h1>no</h1>', { kind: 'refused', code: 'http_403' }],
  ])('%s', async (_, status, body, expected) => {
    const server = createServer((_request, response) =>
      response.writeHead(status, { location: `${razorpay.url}/v1/orders` }).end(body),
    )
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    try {
      const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      const odd = createRazorpayGateway({ ...config, baseUrl })
      expect(await failure(odd.createCheckout(request(), call('c1')))).toMatchObject(expected)
      expect(razorpay.calls.list()).toEqual([])
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })
})

describe('what Razorpay is not asked for', () => {
  it('saved payment methods: refused before anything is sent', async () => {
    expect(gateway.savedMethods).toBe(false)
    const charge = {
      amount: 4200,
      currency: 'INR',
      paymentMethod: 'token_1',
      order: 'o1',
      requestedAt: new Date().toISOString(),
    }
    for (const attempt of [gateway.charge, gateway.findCharge, gateway.closeCharge])
      expect(await failure(attempt(charge, call('k1')))).toMatchObject({
        kind: 'refused',
        code: 'no_saved_methods',
        effect: 'none',
      })
    expect(razorpay.calls.list()).toEqual([])
  })

  it('cancelling: what is held is not captured by us, and what is captured is said to be', async () => {
    const { paymentId } = await authorized()
    expect(await gateway.cancelPayment(paymentId, call('x'))).toMatchObject({ status: 'cancelled', captured: 0 })
    expect(razorpay.calls.list().filter(({ method }) => method === 'POST')).toHaveLength(3)
    expect(await gateway.cancelPayment(await captured('c2'), call('x'))).toMatchObject({ status: 'captured' })
  })
})

describe('configuration', () => {
  it('is complete or absent', () => {
    const all = { RAZORPAY_KEY_ID: 'k', RAZORPAY_KEY_SECRET: 's', RAZORPAY_WEBHOOK_SECRET: 'new, old' }
    expect(readRazorpayConfig(all)).toEqual({
      baseUrl: 'https://api.razorpay.com',
      keyId: 'k',
      keySecret: 's',
      webhookSecrets: ['new', 'old'],
    })
    for (const name of Object.keys(all)) expect(readRazorpayConfig({ ...all, [name]: ' ' })).toBeUndefined()
    expect(readRazorpayConfig({ ...all, RAZORPAY_WEBHOOK_SECRET: ' , ' })).toBeUndefined()
  })

  it('takes the base with or without its version, and sends no secret over an open network', async () => {
    const versioned = createRazorpayGateway({ ...config, baseUrl: `${razorpay.url}/v1/` })
    expect(await versioned.createCheckout(request(), call('c1'))).toMatchObject({
      url: `${razorpay.url}/v1/checkout/embedded`,
    })
    expect(() => createRazorpayGateway({ ...config, baseUrl: 'http://api.razorpay.com' })).toThrow('https')
  })

  it('offers currencies whose minor units are ISO 4217', () => {
    expect([gateway.currencies.has('INR'), gateway.currencies.has('KWD')]).toEqual([true, false])
  })
})
