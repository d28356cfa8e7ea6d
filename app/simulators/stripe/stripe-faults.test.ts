import { createHmac } from 'node:crypto'
import { describe, expect, it, vi } from 'vitest'
import { startWebhookReceiver } from '../webhook-receiver.ts'
import {
  call,
  charge,
  charged,
  control,
  get,
  post,
  queue,
  receiver,
  retry,
  stripe,
  useStripeSimulator,
  visa,
  webhookSecret,
} from './stripe.test.setup.ts'

useStripeSimulator()

describe('webhooks', () => {
  function signedBy(secret: string, webhook: { headers: Record<string, unknown>; rawBody: Buffer }): boolean {
    const [, at, given] = /^t=(\d+),v1=([0-9a-f]{64})/.exec(String(webhook.headers['stripe-signature'])) ?? []
    return createHmac('sha256', secret).update(`${at}.`).update(webhook.rawBody).digest('hex') === given
  }
  const idOf = (webhook: { rawBody: Buffer }) => JSON.parse(webhook.rawBody.toString('utf8')).id as string

  it('are signed over the bytes that are sent, and say which request made them', async () => {
    await charge('k1')
    const [webhook] = await receiver.until(1)
    expect(webhook && signedBy(webhookSecret, webhook)).toBe(true)
    const event = JSON.parse(webhook?.rawBody.toString('utf8') ?? '')
    expect(event).toMatchObject({
      object: 'event',
      type: 'payment_intent.succeeded',
      livemode: false,
      data: { object: { status: 'succeeded' } },
      request: { idempotency_key: 'k1' },
    })
    expect((await get(`/v1/events/${event.id}`)).body).toEqual(event)
  })

  it('are sent again, with back-off, until the shop answers 2xx', async () => {
    receiver.answerWith(500, 503)
    await charge('k1')
    await receiver.until(3)
    await stripe.webhooks.idle()
    expect(new Set(receiver.received.map(idOf)).size).toBe(1)
    expect(stripe.webhooks.deliveries().map((one) => one.status)).toEqual([500, 503, 200])
  })

  it('are given up after the last attempt', async () => {
    receiver.answerWith(500, 500, 500, 500, 500, 500)
    await charge('k1')
    await stripe.webhooks.idle()
    expect(receiver.received).toHaveLength(retry.attempts)
  })

  it('come five times at once under one event id where that is ordered', async () => {
    await queue({ kind: 'webhook', copies: 5 })
    await charge('k1')
    const received = await receiver.until(5)
    expect(new Set(received.map(idOf)).size).toBe(1)
    await queue({ kind: 'webhook', copies: 2, freshIds: true })
    await charge('k2')
    expect(new Set((await receiver.until(7)).slice(5).map(idOf)).size).toBe(2)
  })

  it('come before the answer of the call that makes them where that is ordered', async () => {
    await queue({ kind: 'webhook', early: true }, { kind: 'hang', at: 'executed' })
    const answer = charge('k1')
    await receiver.until(1)
    expect(stripe.calls.list()[0]?.answeredAt).toBeNull()
    await control('DELETE', '/faults')
    expect((await answer).status).toBe(200)
    expect(receiver.received).toHaveLength(1)
  })

  it.each([
    ['wrong_secret', false, 0],
    ['reserialized', false, 0],
    ['unsigned', false, Number.NaN],
    ['stale_timestamp', true, 3600],
  ])('are spoiled by %s', async (tamper, valid, age) => {
    await queue({ kind: 'webhook', tamper })
    await charge('k1')
    const [webhook] = await receiver.until(1)
    if (!webhook) throw new Error('nothing came')
    expect(signedBy(webhookSecret, webhook)).toBe(valid)
    const at = Number(/^t=(\d+)/.exec(String(webhook.headers['stripe-signature']))?.[1])
    expect(Math.round((Date.now() / 1000 - at) / 60) * 60).toBe(age)
  })

  it('go where the control route says from then on', async () => {
    const other = await startWebhookReceiver()
    await control('PUT', '/webhook', { url: other.url })
    await charge('k1')
    await other.until(1)
    expect(receiver.received).toHaveLength(0)
    await other.close()
  })
})

describe('faults', () => {
  it('accept-then-drop: the answer is lost, the charge stands, a repeat gets its answer', async () => {
    await queue({ kind: 'drop', at: 'executed' })
    await expect(charge('k1')).rejects.toThrow('fetch failed')
    expect(charged()).toBe(4200)
    const repeat = await charge('k1')
    expect(repeat.headers.get('idempotent-replayed')).toBe('true')
    expect(charged()).toBe(4200)
    expect(stripe.calls.list()[0]).toMatchObject({ outcome: 'dropped', status: null, executed: true, faults: ['drop'] })
  })

  it('drop before processing: nothing is known of the call', async () => {
    await queue({ kind: 'drop', at: 'arrived' })
    await expect(charge('k1')).rejects.toThrow('fetch failed')
    expect(charged()).toBe(0)
    expect((await charge('k1')).headers.get('idempotent-replayed')).toBeNull()
  })

  it.each([
    ['none', 0],
    ['done', 4200],
  ])('500 stored, effect %s: every repeat is the same 500', async (effect, amount) => {
    await queue({ kind: 'error', stored: true, effect })
    const first = await charge('k1')
    expect(first.status).toBe(500)
    expect(first.body.error.type).toBe('api_error')
    const repeat = await charge('k1')
    expect(repeat.status).toBe(500)
    expect(repeat.text).toBe(first.text)
    expect(repeat.headers.get('idempotent-replayed')).toBe('true')
    expect(charged()).toBe(amount)
  })

  it('500 not stored: the repeat executes', async () => {
    await queue({ kind: 'error', stored: false, status: 503 })
    expect((await charge('k1')).status).toBe(503)
    expect((await charge('k1')).status).toBe(200)
    expect(charged()).toBe(4200)
  })

  it('409 in flight and 429: the call does nothing and the key stays free', async () => {
    await queue({ kind: 'in_flight' })
    const inFlight = await charge('k1')
    expect(inFlight.status).toBe(409)
    expect(inFlight.body.error.code).toBe('idempotency_key_in_use')
    await queue({ kind: 'rate_limit', retryAfterSeconds: 2 })
    const limited = await charge('k1')
    expect(limited.status).toBe(429)
    expect(limited.headers.get('retry-after')).toBe('2')
    expect((await charge('k1')).headers.get('idempotent-replayed')).toBeNull()
    expect(charged()).toBe(4200)
  })

  it('delay: the answer comes that much later', async () => {
    await queue({ kind: 'delay', ms: 80 })
    await charge('k1')
    const [slow] = stripe.calls.list()
    expect((slow?.answeredAt?.monotonic ?? 0) - (slow?.arrivedAt.monotonic ?? 0)).toBeGreaterThanOrEqual(79)
  })

  it('the slow card: the money is taken at once, its answer is late, and a repetition is answered from the book', async () => {
    const client = new AbortController()
    const slow = { ...visa, payment_method: 'pm_card_visa_slow' }
    const waiting = call('POST', '/v1/payment_intents', slow, 'k1', client.signal)
    const ended = vi.fn<() => void>()
    waiting.then(ended, ended)
    await expect.poll(charged).toBe(4200)
    const repeated = await charge('k1', slow)
    expect([repeated.status, repeated.headers.get('idempotent-replayed')]).toEqual([200, 'true'])
    expect(ended).not.toHaveBeenCalled()
    client.abort()
    await expect(waiting).rejects.toThrow()
    await expect.poll(() => stripe.calls.list()[0]?.outcome).toBe('aborted')
    expect(charged()).toBe(4200)
  })

  it('decline: a good card is declined', async () => {
    await queue({ kind: 'decline', declineCode: 'insufficient_funds' })
    const { status, body } = await charge('k1')
    expect(status).toBe(402)
    expect(body.error.decline_code).toBe('insufficient_funds')
    expect(charged()).toBe(0)
  })

  it.each([
    ['succeeded', 4200, 'payment_intent.succeeded'],
    ['failed', 0, 'payment_intent.payment_failed'],
  ])('processing: the payment waits until it is settled as %s', async (outcome, amount, type) => {
    await queue({ kind: 'processing' })
    const { body } = await charge('k1')
    expect(body.status).toBe('processing')
    expect(charged()).toBe(0)
    expect((await control('POST', `/payment_intents/${body.id}/settle`, { outcome })).status).toBe(200)
    expect(charged()).toBe(amount)
    const types = (await receiver.until(2)).map((one) => JSON.parse(one.rawBody.toString('utf8')).type)
    expect(types).toContain(type)
  })

  it('are used up in order, one rule a call, and only by calls that match', async () => {
    await control('POST', '/faults', {
      match: { params: { 'metadata[order]': 'o2' } },
      faults: [{ kind: 'error', stored: false }],
    })
    await control('POST', '/faults', {
      match: { key: 'k3' },
      times: 2,
      faults: [{ kind: 'error', stored: false, status: 502 }],
    })
    expect((await charge('k1', { 'metadata[order]': 'o1' })).status).toBe(200)
    expect((await charge('k3', { 'metadata[order]': 'o2' })).status).toBe(500)
    expect((await charge('k3')).status).toBe(502)
    expect((await control('GET', '/faults')).body.rules).toMatchObject([{ left: 1 }])
    expect((await control('DELETE', '/faults')).body).toEqual({ removed: 1 })
    expect((await charge('k3')).status).toBe(200)
  })

  it.each([
    [{}],
    [{ faults: [] }],
    [{ faults: [{ kind: 'nonsense' }] }],
    [{ faults: [{ kind: 'drop' }] }],
    [{ faults: [{ kind: 'error', stored: false, effect: 'done' }] }],
    [{ faults: [{ kind: 'delay', ms: 1 }], time: 2 }],
  ])('that cannot be are refused: %j', async (rule) => {
    expect((await control('POST', '/faults', rule)).status).toBe(400)
    expect(stripe.faults.list()).toEqual([])
  })
})

describe('barriers and the call log', () => {
  it('holds a call until released, by HTTP', async () => {
    const match = { path: '/v1/payment_intents/*/cancel' }
    const { body: intent } = await charge('k1', { capture_method: 'manual' })
    const { body: barrier } = await control('POST', '/barriers', { match, at: 'executed' })
    expect((await control('GET', `/barriers/${barrier.id}?waitMs=20`)).status).toBe(408)
    const cancelled = post(`/v1/payment_intents/${intent.id}/cancel`, {}, 'k2')
    expect((await control('GET', `/barriers/${barrier.id}?waitMs=5000`)).body).toEqual({ id: barrier.id, held: 1 })
    expect(stripe.book.intents.get(intent.id)?.status).toBe('canceled')
    expect((await control('POST', `/barriers/${barrier.id}/release`)).status).toBe(200)
    expect((await cancelled).body.status).toBe('canceled')
    expect((await control('GET', `/barriers/${barrier.id}`)).status).toBe(404)
  })

  it('executes a call whose client has gone: the charge stands, its events go out, the log says aborted', async () => {
    const barrier = stripe.faults.add({ faults: [{ kind: 'hang', at: 'begun' }] })
    const leaving = new AbortController()
    const answer = call('POST', '/v1/payment_intents', visa, 'k1', leaving.signal)
    await barrier.held()
    leaving.abort()
    await expect(answer).rejects.toThrow('aborted')
    await stripe.calls.until((one) => one.aborted)
    expect(charged()).toBe(0)
    barrier.release()
    const logged = await stripe.calls.until((one) => one.outcome === 'aborted')
    expect(logged).toMatchObject({ aborted: true, executed: true, key: 'k1', path: '/v1/payment_intents' })
    expect(charged()).toBe(4200)
    await receiver.until(1)
    expect((await charge('k1')).headers.get('idempotent-replayed')).toBe('true')
  })

  it.each([
    ['while its answer was held', []],
    ['before it was executed', [{ kind: 'delay', ms: 100, at: 'begun' }]],
  ] as const)('sends the events of an executed call whose client died %s', async (_, before) => {
    const barrier = stripe.faults.add({ faults: [...before, { kind: 'hang', at: 'executed' }] })
    const leaving = new AbortController()
    const answer = call('POST', '/v1/payment_intents', visa, 'k1', leaving.signal)
    await (before.length === 0 ? barrier.held() : stripe.calls.until((one) => one.key === 'k1'))
    expect(receiver.received).toHaveLength(0)
    leaving.abort()
    await expect(answer).rejects.toThrow('aborted')
    await receiver.until(1)
    barrier.release()
  })

  it('a call that was still in the network leaves its key free, and is judged when it arrives', async () => {
    const barrier = stripe.faults.add({ match: { key: 'k1' }, faults: [{ kind: 'hang', at: 'arrived' }] })
    const late = charge('k1')
    await barrier.held()
    expect((await post('/v1/payment_intents', { amount: '4200', currency: 'inr' }, 'k1')).status).toBe(200)
    barrier.release()
    expect((await late).body.error.type).toBe('idempotency_error')
    expect(charged()).toBe(0)
  })

  it('logs what came, flat as on the wire, with both clocks', async () => {
    await charge('k1', { 'metadata[operation]': 'k1' })
    await charge('k1', { 'metadata[operation]': 'k1' })
    const { body } = await control('GET', '/calls')
    expect(body.calls).toMatchObject([
      {
        sequence: 1,
        method: 'POST',
        path: '/v1/payment_intents',
        key: 'k1',
        params: { amount: '4200', 'metadata[operation]': 'k1', 'payment_method_types[0]': 'card' },
        status: 200,
        outcome: 'answered',
        executed: true,
        replayed: false,
      },
      { sequence: 2, executed: false, replayed: true },
    ])
    const [first, second] = body.calls
    expect(first.answeredAt.monotonic).toBeGreaterThan(first.arrivedAt.monotonic)
    expect(second.arrivedAt.monotonic).toBeGreaterThan(first.answeredAt.monotonic)
    expect(Math.abs(first.arrivedAt.wall - Date.now())).toBeLessThan(60_000)
    expect((await control('GET', '/calls?after=1')).body.calls).toHaveLength(1)
  })

  it('answers a control route that is none with 404, and JSON that is none with 400', async () => {
    expect((await control('GET', '/nonsense')).status).toBe(404)
    expect((await fetch(`${stripe.url}/_control/faults`, { method: 'POST', body: '{' })).status).toBe(400)
  })
})
