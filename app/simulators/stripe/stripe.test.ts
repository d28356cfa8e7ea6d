import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { describe, expect, it } from 'vitest'
import { startStripeSimulator } from './start-stripe-simulator.ts'
import {
  call,
  charge,
  charged,
  control,
  get,
  post,
  secretKey,
  stripe,
  useStripeSimulator,
  visa,
  webhookSecret,
  type Params,
} from './stripe.test.setup.ts'

useStripeSimulator()

describe('idempotency keys', () => {
  it('answers a repeat with the same bytes, says that it is one, and charges once', async () => {
    const first = await charge('k1')
    const second = await charge('k1')
    expect(first.status).toBe(200)
    expect(first.body).toMatchObject({
      object: 'payment_intent',
      status: 'succeeded',
      amount: 4200,
      amount_received: 4200,
    })
    expect(second.text).toBe(first.text)
    expect(first.headers.get('idempotent-replayed')).toBeNull()
    expect(second.headers.get('idempotent-replayed')).toBe('true')
    expect(second.headers.get('original-request')).toBe(first.headers.get('request-id'))
    expect(charged()).toBe(4200)
  })

  it('refuses other parameters, and another path, under a used key', async () => {
    await charge('k1')
    const other = await charge('k1', { amount: '4300' })
    expect(other.status).toBe(400)
    expect(other.body.error).toMatchObject({
      type: 'idempotency_error',
      message:
        "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than 'k1' if you meant to execute a different request.",
    })
    const elsewhere = await post('/v1/refunds', { payment_intent: 'pi_none' }, 'k1')
    expect(elsewhere.status).toBe(400)
    expect(elsewhere.body.error.type).toBe('idempotency_error')
    expect(charged()).toBe(4200)
  })

  it('takes the same parameters in another order for the same request', async () => {
    const first = await charge('k1', { 'metadata[order]': 'o1' })
    const second = await post('/v1/payment_intents', { 'metadata[order]': 'o1', ...visa }, 'k1')
    expect(second.text).toBe(first.text)
  })

  it('answers 409 while the first call is in flight, and its answer afterwards', async () => {
    const barrier = stripe.faults.add({ faults: [{ kind: 'hang', at: 'begun' }] })
    const first = charge('k1')
    await barrier.held()
    const second = await charge('k1')
    expect(second.status).toBe(409)
    expect(second.body.error.code).toBe('idempotency_key_in_use')
    expect(second.headers.get('stripe-should-retry')).toBe('true')
    barrier.release()
    const answer = await first
    expect((await charge('k1')).text).toBe(answer.text)
    expect(charged()).toBe(4200)
  })

  it('keeps nothing of a request that fails validation: put right, it executes under the same key', async () => {
    expect((await charge('k1', { amount: '42.5' })).body.error.code).toBe('parameter_invalid_integer')
    expect((await charge('k1', { payment_method: 'pm_none' })).body.error.code).toBe('resource_missing')
    expect((await charge('k1')).status).toBe(200)
  })

  it('keeps a decline: the repeat is declined again and no second attempt is made', async () => {
    const declined = { payment_method: 'pm_card_chargeDeclined' }
    const first = await charge('k1', declined)
    const second = await charge('k1', declined)
    expect(first.status).toBe(402)
    expect(second.text).toBe(first.text)
    expect(stripe.book.charges.size).toBe(1)
  })

  it('counts a key longer than 255 characters as an error, and ignores keys on GET', async () => {
    expect((await charge('k'.repeat(256))).status).toBe(400)
    expect((await charge('k'.repeat(255))).status).toBe(200)
    const id = [...stripe.book.intents.keys()][0]
    for (let i = 0; i < 2; i += 1) {
      const read = await call('GET', `/v1/payment_intents/${id}`, {}, 'k1')
      expect(read.headers.get('idempotent-replayed')).toBeNull()
    }
  })
})

describe('requests', () => {
  it('needs the secret key, as Bearer or as the user name of Basic', async () => {
    const as = (authorization?: string) =>
      fetch(`${stripe.url}/v1/events`, { headers: authorization === undefined ? {} : { authorization } })
    expect((await as()).status).toBe(401)
    expect((await as('Bearer sk_test_wrong')).status).toBe(401)
    expect((await as(`Basic ${Buffer.from(`${secretKey}:`).toString('base64')}`)).status).toBe(200)
  })

  it.each([
    [{ foo: '1' }, 'parameter_unknown', 'foo'],
    [{ 'metadata[a][b]': '1' }, undefined, 'metadata[a]'],
    [{ '__proto__[x]': '1' }, 'parameter_unknown', '__proto__'],
    [{ amount: '' }, 'parameter_invalid_integer', 'amount'],
    [{ amount: '49' }, 'amount_too_small', 'amount'],
    [{ amount: '100000000' }, 'amount_too_large', 'amount'],
    [{ amount: '-5' }, 'parameter_invalid_integer', 'amount'],
    [{ currency: 'xyz' }, undefined, 'currency'],
    [{ confirm: 'yes' }, undefined, 'confirm'],
    [{ capture_method: 'later' }, undefined, 'capture_method'],
    [{ 'expand[]': 'customer_secrets' }, undefined, 'expand'],
  ])('refuses %j before anything begins', async (wrong, code, param) => {
    const reply = await charge('k1', wrong)
    expect(reply.status).toBe(400)
    expect(reply.body.error).toMatchObject({ type: 'invalid_request_error', param, ...(code ? { code } : {}) })
    expect(stripe.book.intents.size).toBe(0)
  })

  it('refuses a missing parameter, an unknown path and an unknown object', async () => {
    expect((await post('/v1/payment_intents', { currency: 'inr' })).body.error.code).toBe('parameter_missing')
    expect((await get('/v1/customers')).status).toBe(404)
    expect((await get('/v1/payment_intents/pi_none')).body.error.code).toBe('resource_missing')
  })

  it('lists by time and page, newest first, and finds by metadata', async () => {
    for (const order of ['o1', 'o2', 'o3']) await charge(undefined, { 'metadata[order]': order })
    const first = await get('/v1/payment_intents', { limit: '2' })
    expect(first.body).toMatchObject({ object: 'list', has_more: true })
    expect(first.body.data.map((intent: { metadata: Params }) => intent.metadata['order'])).toEqual(['o3', 'o2'])
    const rest = await get('/v1/payment_intents', { limit: '2', starting_after: first.body.data[1].id })
    expect(rest.body).toMatchObject({ has_more: false, data: [{ metadata: { order: 'o1' } }] })
    const later = await get('/v1/payment_intents', { 'created[gt]': String(Math.floor(Date.now() / 1000) + 60) })
    expect(later.body.data).toEqual([])
    const found = await get('/v1/payment_intents/search', { query: "metadata['order']:'o2' AND status:'succeeded'" })
    expect(found.body).toMatchObject({ object: 'search_result', data: [{ metadata: { order: 'o2' } }] })
    expect((await get('/v1/payment_intents/search', { query: 'nonsense' })).status).toBe(400)
  })

  it('expands the latest charge where asked', async () => {
    const { body } = await charge('k1', { 'expand[]': 'latest_charge' })
    expect(body.latest_charge).toMatchObject({ object: 'charge', amount_refunded: 0 })
    const listed = await get('/v1/payment_intents', { 'expand[]': 'data.latest_charge' })
    expect(listed.body.data[0].latest_charge.object).toBe('charge')
  })

  it('finds nothing new by search while search lags, but lists it', async () => {
    const lagging = await startStripeSimulator({ secretKey, webhookSecret, searchLagMs: 60_000 })
    const at = (method: string, path: string, params: Params) =>
      call(method, path, params, undefined, undefined, lagging.url)
    try {
      await at('POST', '/v1/payment_intents', { ...visa, 'metadata[operation]': 'k1' })
      const found = await at('GET', '/v1/payment_intents/search', { query: "metadata['operation']:'k1'" })
      expect(found.body.data).toEqual([])
      expect((await at('GET', '/v1/payment_intents', {})).body.data).toHaveLength(1)
    } finally {
      await lagging.close()
    }
  })
})

describe('payment intents', () => {
  it.each([
    ['pm_card_chargeDeclined', 'card_declined', 'generic_decline'],
    ['pm_card_visa_chargeDeclinedInsufficientFunds', 'card_declined', 'insufficient_funds'],
    ['pm_card_chargeDeclinedExpiredCard', 'expired_card', 'expired_card'],
  ])('%s is declined with 402 and takes nothing', async (method, code, declineCode) => {
    const { status, body } = await charge('k1', { payment_method: method })
    expect(status).toBe(402)
    expect(body.error).toMatchObject({
      type: 'card_error',
      code,
      decline_code: declineCode,
      payment_intent: { status: 'requires_payment_method', last_payment_error: { code } },
    })
    expect(charged()).toBe(0)
  })

  it('asks for authentication, and is paid when the customer approves on the hosted page', async () => {
    const { body } = await charge('k1', {
      payment_method: 'pm_card_authenticationRequired',
      return_url: 'http://127.0.0.1/back?order=o1',
    })
    expect(body.status).toBe('requires_action')
    const page = body.next_action.redirect_to_url.url as string
    expect(await (await fetch(page)).text()).toContain('Approve')
    expect((await fetch(page.replace(/client_secret=.*/, 'client_secret=guess'))).status).toBe(403)
    const back = await fetch(page, {
      method: 'POST',
      body: new URLSearchParams({ decision: 'approve' }),
      redirect: 'manual',
    })
    expect(back.status).toBe(303)
    const to = new URL(back.headers.get('location') ?? '')
    expect(Object.fromEntries(to.searchParams)).toMatchObject({
      order: 'o1',
      redirect_status: 'succeeded',
      payment_intent: body.id,
    })
    expect((await get(`/v1/payment_intents/${body.id}`)).body.status).toBe('succeeded')
    const again = await fetch(page, { method: 'POST', body: new URLSearchParams({ decision: 'approve' }) })
    expect(again.status).toBe(409)
    expect(charged()).toBe(4200)
  })

  it('takes nothing when the customer refuses, or is not there to be asked', async () => {
    const authenticates = { payment_method: 'pm_card_authenticationRequired' }
    const { body } = await charge('k1', { ...authenticates, return_url: 'http://127.0.0.1/back' })
    await fetch(body.next_action.redirect_to_url.url, {
      method: 'POST',
      body: new URLSearchParams({ decision: 'refuse' }),
      redirect: 'manual',
    })
    expect((await get(`/v1/payment_intents/${body.id}`)).body).toMatchObject({
      status: 'requires_payment_method',
      last_payment_error: { code: 'payment_intent_authentication_failure' },
    })
    const away = await charge('k2', { ...authenticates, off_session: 'true' })
    expect(away.status).toBe(402)
    expect(away.body.error.code).toBe('authentication_required')
    expect(charged()).toBe(0)
  })

  it('goes the long way: create, confirm, capture, and refuses what the state does not allow', async () => {
    const { confirm: _, payment_method: method, ...unconfirmed } = visa
    const created = await post('/v1/payment_intents', { ...unconfirmed, capture_method: 'manual' })
    expect(created.body.status).toBe('requires_payment_method')
    const path = `/v1/payment_intents/${created.body.id}`
    expect((await post(`${path}/confirm`, { payment_method: method ?? '' })).body).toMatchObject({
      status: 'requires_capture',
      amount_capturable: 4200,
      amount_received: 0,
    })
    expect(charged()).toBe(0)
    expect((await post(`${path}/capture`, { amount_to_capture: '4000' })).body).toMatchObject({
      status: 'succeeded',
      amount_received: 4000,
    })
    expect(charged()).toBe(4000)
    for (const action of ['capture', 'cancel', 'confirm']) {
      const refused = await post(`${path}/${action}`)
      expect(refused.status).toBe(400)
      expect(refused.body.error).toMatchObject({
        code: 'payment_intent_unexpected_state',
        payment_intent: { status: 'succeeded' },
      })
    }
  })

  it('cancels what is not captured', async () => {
    const held = await charge('k1', { capture_method: 'manual' })
    const cancelled = await post(`/v1/payment_intents/${held.body.id}/cancel`, { cancellation_reason: 'abandoned' })
    expect(cancelled.body).toMatchObject({ status: 'canceled', cancellation_reason: 'abandoned', amount_capturable: 0 })
    expect((await post(`/v1/payment_intents/${held.body.id}/confirm`, { payment_method: 'pm_card_visa' })).status).toBe(
      400,
    )
    expect(charged()).toBe(0)
  })

  it('asks for a return_url where a redirect could be needed, before anything begins', async () => {
    const { 'payment_method_types[]': _, ...anyType } = visa
    const { status, body } = await post('/v1/payment_intents', anyType, 'k1')
    expect(status).toBe(400)
    expect(body.error.param).toBe('return_url')
    expect(stripe.book.intents.size).toBe(0)
    expect((await post('/v1/payment_intents', { ...anyType, return_url: 'http://127.0.0.1/back' }, 'k1')).status).toBe(
      200,
    )
  })
})

describe('refunds and the book', () => {
  it('gives back part, then the rest, never more, and says what is net by operation and order', async () => {
    const { body: intent } = await charge('k1', { 'metadata[operation]': 'k1', 'metadata[order]': 'o1' })
    const part = await post('/v1/refunds', { payment_intent: intent.id, amount: '1200' }, 'r1')
    expect(part.body).toMatchObject({ object: 'refund', amount: 1200, status: 'succeeded', payment_intent: intent.id })
    expect((await post('/v1/refunds', { payment_intent: intent.id, amount: '1200' }, 'r1')).text).toBe(part.text)
    expect((await post('/v1/refunds', { payment_intent: intent.id, amount: '3001' }, 'r2')).status).toBe(400)
    expect(stripe.book.net('operation')['k1']).toEqual({
      currency: 'inr',
      charges: 1,
      charged: 4200,
      refunds: 1,
      refunded: 1200,
      net: 3000,
    })
    const rest = await post('/v1/refunds', { payment_intent: intent.id }, 'r3')
    expect(rest.body.amount).toBe(3000)
    const more = await post('/v1/refunds', { payment_intent: intent.id }, 'r4')
    expect(more.body.error.code).toBe('charge_already_refunded')
    const { body: book } = await control('GET', '/book')
    expect(book.net).toMatchObject({ byOrder: { o1: { charges: 1, refunds: 2, net: 0 } }, total: { inr: 0 } })
    expect((await get('/v1/refunds', { payment_intent: intent.id })).body.data).toHaveLength(2)
    expect((await get(`/v1/refunds/${rest.body.id}`)).body).toEqual(rest.body)
    expect((await get('/v1/refunds', { payment_intent: 'pi_other' })).body.data).toEqual([])
  })

  it.each([
    ['pending', 'succeeded', [], 0],
    ['pending', 'failed', ['refund.failed'], 4200],
    ['pending', 'canceled', [], 4200],
    ['succeeded', 'failed', ['refund.failed'], 4200],
  ] as const)('a refund that is %s can become %s, and Stripe tells of it', async (first, outcome, told, left) => {
    const { body: intent } = await charge('k1')
    if (first === 'pending')
      await control('POST', '/faults', { match: { path: '/v1/refunds' }, faults: [{ kind: 'processing' }] })
    const { body: made } = await post('/v1/refunds', { payment_intent: intent.id }, 'r1')
    expect(made.status).toBe(first)
    const settle = (to: string) => control('POST', `/refunds/${made.id}/settle`, { outcome: to })
    expect((await settle(outcome)).body).toMatchObject({
      status: outcome,
      ...(outcome === 'failed' && { failure_reason: 'expired_or_canceled_card' }),
    })
    await stripe.webhooks.idle()
    const types = stripe.webhooks.deliveries().map(({ type }) => type)
    expect(types.toSorted()).toEqual(
      ['payment_intent.succeeded', 'charge.refunded', ...told, 'refund.updated', 'charge.refund.updated'].toSorted(),
    )
    const { body: now } = await get(`/v1/payment_intents/${intent.id}`, { 'expand[]': 'latest_charge' })
    expect([now.latest_charge.amount_refunded, stripe.book.total()]).toEqual([4200 - left, { inr: left }])
    // What has failed stays so.
    if (outcome !== 'succeeded') expect((await settle('succeeded')).status).toBe(409)
    expect((await control('POST', '/refunds/re_none/settle', { outcome: 'failed' })).status).toBe(404)
    expect((await settle('lost')).status).toBe(400)
  })

  it('refunds nothing of what its customer’s bank has taken back', async () => {
    const { body: intent } = await charge('k1')
    await control('POST', `/charges/${intent.latest_charge}/dispute`, {})
    expect((await post('/v1/refunds', { payment_intent: intent.id })).body.error.code).toBe('charge_disputed')
    expect([...stripe.book.events.values()].at(-1)).toMatchObject({
      type: 'charge.dispute.created',
      data: { object: { object: 'dispute', payment_intent: intent.id, status: 'needs_response' } },
    })
    const [dispute] = [...stripe.book.disputes.values()].slice(-1)
    expect((await get(`/v1/disputes/${dispute!.id}`)).body).toMatchObject({ id: dispute!.id, status: 'needs_response' })
    await control('POST', `/disputes/${dispute!.id}/settle`, { outcome: 'won' })
    expect((await post('/v1/refunds', { payment_intent: intent.id })).body.status).toBe('succeeded')
  })

  it('refuses to refund what was never captured', async () => {
    const { body } = await charge('k1', { capture_method: 'manual' })
    expect((await post('/v1/refunds', { payment_intent: body.id })).body.error.code).toBe(
      'payment_intent_unexpected_state',
    )
    expect((await post('/v1/refunds', {})).body.error.code).toBe('parameter_missing')
  })

  it('is emptied by a reset, keys included', async () => {
    await charge('k1')
    await control('POST', '/reset')
    expect(stripe.book.charges.size).toBe(0)
    expect((await charge('k1')).headers.get('idempotent-replayed')).toBeNull()
  })
})

describe('checkout sessions', () => {
  const session: Params = {
    mode: 'payment',
    success_url: 'http://127.0.0.1/thanks?session={CHECKOUT_SESSION_ID}',
    cancel_url: 'http://127.0.0.1/cart',
    'line_items[0][quantity]': '2',
    'line_items[0][price_data][currency]': 'inr',
    'line_items[0][price_data][unit_amount]': '2100',
    'line_items[0][price_data][product_data][name]': 'Rice <b>& lentils</b>',
    'payment_intent_data[metadata][order]': 'o1',
  }
  const submit = (url: string, form: Params) =>
    fetch(url, { method: 'POST', body: new URLSearchParams(form), redirect: 'manual' })

  it('are paid on the hosted page, once, after a decline too', async () => {
    const { body } = await post('/v1/checkout/sessions', session, 'c1')
    expect(body).toMatchObject({ status: 'open', payment_status: 'unpaid', amount_total: 4200, payment_intent: null })
    const page = await (await fetch(body.url)).text()
    expect(page).toContain('Rice &#60;b&#62;')
    const declined = await (await submit(body.url, { action: 'pay', payment_method: 'pm_card_chargeDeclined' })).text()
    expect(declined).toContain('Your card was declined.')
    const paid = await submit(body.url, { action: 'pay', payment_method: 'pm_card_visa' })
    expect(paid.headers.get('location')).toBe(`http://127.0.0.1/thanks?session=${body.id}`)
    await submit(body.url, { action: 'pay', payment_method: 'pm_card_visa' })
    expect((await get(`/v1/checkout/sessions/${body.id}`)).body).toMatchObject({
      status: 'complete',
      payment_status: 'paid',
      url: null,
    })
    expect(stripe.book.net('order')['o1']).toMatchObject({ charges: 1, net: 4200 })
    const events = await get('/v1/events', { type: 'checkout.session.completed' })
    expect(events.body.data).toHaveLength(1)
    expect((await post(`/v1/checkout/sessions/${body.id}/expire`)).status).toBe(400)
  })

  it('are authenticated by way of the bank page', async () => {
    const { body } = await post('/v1/checkout/sessions', session)
    const toBank = await submit(body.url, { action: 'pay', payment_method: 'pm_card_authenticationRequired' })
    const back = await submit(toBank.headers.get('location') ?? '', { decision: 'approve' })
    expect(back.headers.get('location')).toContain(`/pay/checkout/${body.id}`)
    expect((await get(`/v1/checkout/sessions/${body.id}`)).body.payment_status).toBe('paid')
  })

  it('cannot be paid once expired, not even by who was at the bank meanwhile', async () => {
    const { body } = await post('/v1/checkout/sessions', session)
    const toBank = await submit(body.url, { action: 'pay', payment_method: 'pm_card_authenticationRequired' })
    expect((await post(`/v1/checkout/sessions/${body.id}/expire`)).body.status).toBe('expired')
    expect((await submit(toBank.headers.get('location') ?? '', { decision: 'approve' })).status).toBe(409)
    expect((await submit(body.url, { action: 'pay', payment_method: 'pm_card_visa' })).status).toBe(410)
    expect(charged()).toBe(0)
  })
})

describe('the process', () => {
  it('prints its URL as one JSON line, serves, and ends on SIGTERM', async () => {
    const child = spawn(process.execPath, [new URL('main.ts', import.meta.url).pathname, '--secret-key', secretKey], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    try {
      const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
      const { name, url } = JSON.parse(line) as { name: string; url: string }
      expect(name).toBe('stripe')
      const response = await fetch(`${url}/v1/payment_intents`, {
        method: 'POST',
        headers: { authorization: `Bearer ${secretKey}` },
        body: new URLSearchParams(visa),
      })
      expect(response.status).toBe(200)
    } finally {
      child.kill('SIGTERM')
    }
    const [code] = (await once(child, 'exit')) as [number | null]
    expect(code).toBe(0)
  })
})
