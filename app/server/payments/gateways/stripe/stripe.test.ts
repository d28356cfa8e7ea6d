import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import type { GatewayError } from '../gateway-error.ts'
import {
  call,
  failure,
  gateway,
  net,
  queue,
  request,
  secretKey,
  stripe,
  total,
  useStripeGateway,
  webhookSecret,
  type FaultInput,
} from './stripe.test.setup.ts'
import { encodeForm } from './form-encoding.ts'
import { readStripeConfig, vendorUrl } from './stripe-config.ts'
import { createStripeGateway } from './stripe-gateway.ts'

useStripeGateway()

describe('charge', () => {
  it('takes the money once for a key, and says so the same way again', async () => {
    const recorded = request({ description: 'Groceries', customer: 'cus_1' })
    const result = await gateway.charge(recorded, call('k1'))
    expect(result).toEqual({
      status: 'captured',
      payment: {
        id: expect.stringMatching(/^pi_/),
        status: 'captured',
        amount: 4200,
        currency: 'INR',
        captured: 4200,
        refunded: 0,
        operation: 'k1',
        order: 'o1',
      },
    })
    expect(await gateway.charge(recorded, call('k1'))).toEqual(result)
    expect(stripe.book.net('order')['o1']).toMatchObject({ charges: 1, net: 4200 })
  })

  it('sends the key, the pinned version and nothing but what was recorded', async () => {
    await gateway.charge(request({ offSession: true, returnUrl: 'https://shop.example/back' }), call('k1'))
    expect(stripe.calls.list()).toMatchObject([
      {
        method: 'POST',
        path: '/v1/payment_intents',
        key: 'k1',
        params: {
          amount: '4200',
          currency: 'inr',
          confirm: 'true',
          'expand[0]': 'latest_charge',
          'metadata[operation]': 'k1',
          'metadata[order]': 'o1',
          off_session: 'true',
          payment_method: 'pm_card_visa',
          'payment_method_types[0]': 'card',
          return_url: 'https://shop.example/back',
        },
      },
    ])
    expect(Object.keys(stripe.calls.list()[0]?.params ?? {})).toHaveLength(10)
  })

  it.each([
    ['pm_card_chargeDeclined', 'generic_decline'],
    ['pm_card_visa_chargeDeclinedInsufficientFunds', 'insufficient_funds'],
    ['pm_card_chargeDeclinedExpiredCard', 'expired_card'],
  ])('%s is declined, as a value, with the most precise code', async (paymentMethod, code) => {
    const result = await gateway.charge(request({ paymentMethod }), call('k1'))
    expect(result).toMatchObject({
      status: 'declined',
      code,
      payment: { status: 'declined', captured: 0, operation: 'k1' },
    })
    expect(total()).toBe(0)
  })

  it('hands over where the customer has to go to authenticate, and is declined where nobody is there', async () => {
    const paymentMethod = 'pm_card_authenticationRequired'
    const result = await gateway.charge(request({ paymentMethod, returnUrl: 'https://shop.example/back' }), call('k1'))
    expect(result).toMatchObject({ status: 'requires_action', payment: { status: 'requires_action' } })
    if (result.status !== 'requires_action') throw new Error(result.status)
    expect(result.redirectUrl).toContain(`${stripe.url}/pay/authenticate/`)
    expect(await gateway.charge(request({ paymentMethod }), call('k2'))).toMatchObject({
      redirectUrl: null,
      clientSecret: expect.stringContaining('_secret_'),
    })
    expect(await gateway.charge(request({ paymentMethod, offSession: true }), call('k3'))).toMatchObject({
      status: 'declined',
      code: 'authentication_required',
    })
  })

  it('says processing where the gateway does not know yet', async () => {
    queue({ kind: 'processing' })
    expect(await gateway.charge(request(), call('k1'))).toMatchObject({
      status: 'processing',
      payment: { captured: 0 },
    })
  })
})

describe('a failed call says whether it may have taken effect', () => {
  const rows: [string, FaultInput, Partial<GatewayError>, number][] = [
    [
      'accepted, answer lost',
      { kind: 'drop', at: 'executed' },
      { kind: 'unknown', code: 'network', retryable: true },
      4200,
    ],
    [
      'cut before processing',
      { kind: 'drop', at: 'arrived' },
      { kind: 'unknown', code: 'network', retryable: true },
      0,
    ],
    ['500 not stored', { kind: 'error', stored: false }, { kind: 'unknown', code: 'api_error', status: 500 }, 0],
    ['500 stored, done', { kind: 'error', stored: true, effect: 'done' }, { kind: 'unknown', status: 500 }, 4200],
    ['503', { kind: 'error', stored: false, status: 503 }, { kind: 'unknown', status: 503, effect: 'unknown' }, 0],
    [
      'the key in flight elsewhere',
      { kind: 'in_flight' },
      { kind: 'unknown', code: 'idempotency_key_in_use', retryable: true, status: 409 },
      0,
    ],
    [
      'rate limit',
      { kind: 'rate_limit', retryAfterSeconds: 2 },
      { kind: 'unavailable', code: 'rate_limit', retryable: true, retryAfterMs: 2000, effect: 'none' },
      0,
    ],
  ]
  it.each(rows)('%s', async (_, fault, expected, taken) => {
    queue(fault)
    const error = await failure(gateway.charge(request(), call('k1')))
    expect(error).toMatchObject(expected)
    expect(error.cause).toBeDefined()
    expect(total()).toBe(taken)
  })

  it('no connection: surely not executed', async () => {
    await stripe.close()
    const error = await failure(gateway.charge(request(), call('k1')))
    expect(error).toMatchObject({ kind: 'unavailable', code: 'network', effect: 'none', retryable: true })
    expect((error.cause as Error).cause).toMatchObject({ code: 'ECONNREFUSED' })
  })

  it('a time-out or an abort on the way: unknown, and the charge may stand', async () => {
    const late = queue({ kind: 'hang', at: 'executed' })
    const timedOut = gateway.charge(request(), call('k1', { timeoutMs: 50 }))
    expect(await failure(timedOut)).toMatchObject({ kind: 'unknown', code: 'timeout', retryable: true })
    expect(net('k1')).toBe(4200)
    late.release()

    const held = queue({ kind: 'hang', at: 'begun' })
    const leaving = new AbortController()
    const aborted = gateway.charge(request(), call('k2', { signal: leaving.signal }))
    await held.held()
    leaving.abort(new Error('the user cancelled'))
    expect(await failure(aborted)).toMatchObject({ kind: 'unknown', code: 'aborted', cause: leaving.signal.reason })
    held.release()
    await stripe.calls.until((one) => one.key === 'k2' && one.outcome !== 'pending')
    expect(net('k2')).toBe(4200)
  })

  it('an abort before it was sent: surely not executed', async () => {
    const error = await failure(
      gateway.charge(request(), call('k1', { signal: AbortSignal.abort(new Error('cancelled')) })),
    )
    expect(error).toMatchObject({ kind: 'unavailable', code: 'aborted', effect: 'none' })
    expect(stripe.calls.list()).toEqual([])
  })

  it('a stored 500 met again: still unknown, and repeating is of no use', async () => {
    queue({ kind: 'error', stored: true })
    await failure(gateway.charge(request(), call('k1')))
    expect(await failure(gateway.charge(request(), call('k1')))).toMatchObject({
      kind: 'unknown',
      retryable: false,
      status: 500,
    })
  })

  it('a no that is final: refused, never retried', async () => {
    await gateway.charge(request(), call('k1'))
    expect(await failure(gateway.charge(request({ amount: 5000 }), call('k1')))).toMatchObject({
      kind: 'refused',
      code: 'idempotency_error',
      retryable: false,
    })
    expect(await failure(gateway.charge(request({ paymentMethod: 'pm_none' }), call('k2')))).toMatchObject({
      kind: 'refused',
      code: 'resource_missing',
      status: 400,
      requestId: expect.stringMatching(/^req_/),
    })
    const stranger = createStripeGateway({ baseUrl: stripe.url, secretKey: 'sk_test_wrong', webhookSecret })
    expect(await failure(stranger.charge(request(), call('k3')))).toMatchObject({ kind: 'refused', status: 401 })
  })

  it('a read has no effect that could be unknown', async () => {
    stripe.faults.add({ match: { method: 'GET' }, faults: [{ kind: 'drop', at: 'executed' }] })
    expect(await failure(gateway.getPayment('pi_1', call('k1')))).toMatchObject({ kind: 'unavailable', effect: 'none' })
  })

  async function withServer(listener: RequestListener, work: (url: string) => Promise<void>): Promise<void> {
    const server = createServer(listener)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    try {
      await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    } finally {
      server.closeAllConnections()
      server.close()
    }
  }

  it.each([
    ['no JSON', 'thank you'],
    ['another shape', '{"object":"payment_intent"}'],
  ])('a 200 with %s: something was done, and what is unknown', async (_, body) => {
    await withServer(
      (_request, response) => response.end(body),
      async (baseUrl) => {
        const odd = createStripeGateway({ baseUrl, secretKey, webhookSecret })
        expect(await failure(odd.charge(request(), call('k1')))).toMatchObject({
          kind: 'unknown',
          code: 'bad_response',
        })
      },
    )
  })

  it('a redirect is not followed: the secret key goes nowhere else', async () => {
    await withServer(
      (_request, response) => response.writeHead(307, { location: `${stripe.url}/v1/payment_intents` }).end(),
      async (baseUrl) => {
        const odd = createStripeGateway({ baseUrl, secretKey, webhookSecret })
        expect(await failure(odd.charge(request(), call('k1')))).toMatchObject({ kind: 'unknown', status: 307 })
        expect(stripe.calls.list()).toEqual([])
      },
    )
  })
})

describe('checkout', () => {
  const checkout = {
    amount: 4200,
    currency: 'INR',
    order: 'o1',
    description: 'Groceries',
    successUrl: 'https://shop.example/thanks',
    cancelUrl: 'https://shop.example/cart',
  }
  const pay = (url: string | null) =>
    fetch(url ?? '', {
      method: 'POST',
      redirect: 'manual',
      body: new URLSearchParams({ action: 'pay', payment_method: 'pm_card_visa' }),
    })

  it('is one page for a key, and is paid there under our key and order', async () => {
    const open = await gateway.createCheckout(checkout, call('c1'))
    expect(open).toMatchObject({ status: 'open', amount: 4200, currency: 'INR', order: 'o1', paymentId: null })
    expect(await gateway.createCheckout(checkout, call('c1'))).toEqual(open)
    expect((await pay(open.url)).status).toBe(303)
    const paid = await gateway.getCheckout(open.id, call('g1'))
    expect(paid).toMatchObject({ status: 'paid', url: null })
    expect(await gateway.getPayment(paid.paymentId ?? '', call('g2'))).toMatchObject({
      status: 'captured',
      operation: 'c1',
      order: 'o1',
    })
    expect(await gateway.closeCheckout(open.id, call('x1'))).toMatchObject({ status: 'paid' })
  })

  it('that is closed cannot be paid any more', async () => {
    const open = await gateway.createCheckout(checkout, call('c1'))
    expect(await gateway.closeCheckout(open.id, call('x1'))).toMatchObject({ status: 'expired' })
    expect(await gateway.closeCheckout(open.id, call('x2'))).toMatchObject({ status: 'expired' })
    expect((await pay(open.url)).status).toBe(410)
    expect(total()).toBe(0)
  })

  it('whose closing met a stored 500 is closed by the next call under the same key', async () => {
    const open = await gateway.createCheckout(checkout, call('c1'))
    stripe.faults.add({
      match: { path: '/v1/checkout/sessions/*/expire' },
      faults: [{ kind: 'error', stored: true, effect: 'none' }],
    })
    expect(await failure(gateway.closeCheckout(open.id, call('x1')))).toMatchObject({ kind: 'unknown' })
    expect(await gateway.closeCheckout(open.id, call('x1'))).toMatchObject({ status: 'expired' })
  })

  it('with an expiry that Stripe does not take is refused', async () => {
    const expiresAt = new Date(Date.now() + 60_000).toISOString()
    expect(await failure(gateway.createCheckout({ ...checkout, expiresAt }, call('c1')))).toMatchObject({
      kind: 'refused',
    })
  })
})

describe('configuration', () => {
  it('is complete or absent', () => {
    expect(readStripeConfig({})).toBeUndefined()
    expect(readStripeConfig({ STRIPE_SECRET_KEY: 'sk', STRIPE_BASE_URL: 'http://127.0.0.1:1' })).toBeUndefined()
    expect(readStripeConfig({ STRIPE_SECRET_KEY: 'sk', STRIPE_WEBHOOK_SECRET: 'whsec' })).toEqual({
      baseUrl: 'https://api.stripe.com',
      secretKey: 'sk',
      webhookSecret: 'whsec',
    })
  })

  it('sends no secret over an open network', () => {
    expect(() => createStripeGateway({ baseUrl: 'http://api.stripe.com', secretKey, webhookSecret })).toThrow('https')
  })

  it('offers test cards in its test mode only, and the slow one at the simulator only', () => {
    const offered = (baseUrl: string, key: string) =>
      createStripeGateway({ baseUrl, secretKey: key, webhookSecret }).testMethods
    expect(offered('http://127.0.0.1:1', 'sk_test_1')).toContain('pm_card_visa_slow')
    expect(offered(vendorUrl, 'rk_test_1')).toEqual(['pm_card_visa', 'pm_card_chargeDeclined'])
    expect(offered(vendorUrl, 'sk_live_1')).toBeUndefined()
  })

  it('offers the currencies whose minor units are ISO 4217', () => {
    expect(gateway.currencies.has('INR')).toBe(true)
    // Three decimals of which Stripe wants the last to be zero.
    expect(gateway.currencies.has('KWD')).toBe(false)
  })
})

describe('form encoding', () => {
  it('nests, leaves out what is undefined, and is the same for the same parameters', () => {
    const form = encodeForm({ a: 1, none: undefined, metadata: { 'x y': 'ü&=' }, list: [{ deep: true }, 'z'] })
    expect(form).toBe('a=1&metadata%5Bx+y%5D=%C3%BC%26%3D&list%5B0%5D%5Bdeep%5D=true&list%5B1%5D=z')
  })
})
