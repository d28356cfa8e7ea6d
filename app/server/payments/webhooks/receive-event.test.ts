import { randomUUID } from 'node:crypto'
import { request } from 'node:http'
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { signStripe } from '../../../simulators/stripe/webhook-signature.ts'
import { buildApp } from '../../app.ts'
import { readOfferedGateways } from '../offered-gateways.ts'
import { inboxWorld, payOnPage, placeOnPage, replyOf } from './webhooks.test.setup.ts'

const world = await inboxWorld()
const { sql, deliver, post, stateOf } = world
const silent = pino({ level: 'silent' })

/** An event as Stripe makes it, of nothing that this shop knows. */
const strangeEvent = (more: object = {}) => ({
  id: `evt_${randomUUID()}`,
  object: 'event',
  api_version: '2025-03-31.basil',
  created: Math.floor(Date.now() / 1000),
  livemode: false,
  pending_webhooks: 1,
  request: { id: null, idempotency_key: null },
  type: 'customer.created',
  data: { object: { id: 'cus_1', object: 'customer', name: 'Zoë' } },
  ...more,
})

/** Everything that a webhook could leave behind. */
const rows = async () => {
  const [counted] = await sql(`select
    (select count(*)::int from pantry.webhook_event) as events,
    (select count(*)::int from safepoint.operation where scope like 'gateway:%') as operations,
    (select count(*)::int from safepoint.inbox_conflict) as conflicts,
    (select count(*)::int from pgboss.job where name = 'payments.apply-event') as jobs`)
  return counted!
}

describe('a webhook that is not the gateway’s', () => {
  it.each([
    ['unsigned', {}],
    ['wrong_secret', { tamper: 'wrong_secret' }],
    ['stale_timestamp', { tamper: 'stale_timestamp' }],
    ['reserialised', { body: 'pretty' }],
    ['one space more', { body: 'space' }],
  ] as const)(
    '(%s) is answered 400 and leaves no row',
    async (kind, { tamper, body }: { tamper?: any; body?: string }) => {
      const before = await rows()
      const event = strangeEvent()
      const altered = body === 'pretty' ? JSON.stringify(event, null, 2) : `${JSON.stringify(event)} `
      const answer =
        kind === 'unsigned'
          ? await post('/api/payments/stripe-webhook', JSON.stringify(event))
          : await deliver(event, { tamper, ...(body && { body: altered }) })
      expect([answer.status, answer.body.code]).toEqual([400, 'signature_invalid'])
      expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/)
      expect(await rows()).toEqual(before)
    },
  )

  it('of a gateway that is not offered is answered 503 not_configured and leaves no row', async () => {
    const before = await rows()
    const app = await buildApp({ composed: await world.another({ gateways: readOfferedGateways({}) }), log: silent })
    const origin = await app.listen({ host: '127.0.0.1', port: 0 })
    try {
      for (const gateway of ['stripe', 'razorpay', 'cardcom']) {
        const answer = await post(`/api/payments/${gateway}-webhook`, '{}', {}, origin)
        expect([answer.status, answer.body.code]).toEqual([503, 'not_configured'])
      }
    } finally {
      await app.close()
    }
    expect(await rows()).toEqual(before)
  })

  it('of more than half a megabyte is answered 413 and leaves no row', async () => {
    const before = await rows()
    const answer = await deliver(strangeEvent({ data: { object: { object: 'customer', name: 'x'.repeat(600_000) } } }))
    expect([answer.status, answer.body.code]).toEqual([413, 'body_too_large'])
    expect(await rows()).toEqual(before)
  })
})

describe('ten megabytes', () => {
  it.each(['declared', 'in pieces'])('%s, are turned away, and leave no row', async (how) => {
    const before = await rows()
    const chunk = Buffer.alloc(64 * 1024, 'x')
    const size = 160 * chunk.length
    let sent = 0
    const status = await new Promise<number | undefined>((resolve) => {
      const sending = request(`${world.origin}/api/payments/stripe-webhook`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(how === 'declared' && { 'content-length': size }) },
      })
      // Whoever goes on sending is cut off, and may not see the answer for that.
      sending.on('response', (answer) => resolve(answer.statusCode)).on('error', () => resolve(undefined))
      const more = () => {
        while (sent < size) {
          sent += chunk.length
          if (!sending.write(chunk)) return
        }
        sending.end()
      }
      sending.on('drain', more)
      more()
    })
    expect([413, undefined]).toContain(status)
    expect(await rows()).toEqual(before)
  })
})

describe('a webhook of the gateway', () => {
  it('is kept as it was received, byte for byte, before it is answered', async () => {
    const event = strangeEvent()
    const answer = await deliver(event)
    expect([answer.status, answer.body]).toEqual([200, { received: true }])
    const stored = await stateOf(event.id)
    expect(stored).toMatchObject({ gateway: 'stripe', type: 'customer.created', state: 'ignored', tries: 0 })
    expect(stored!['payload'].toString()).toBe(JSON.stringify(event))
    expect(stored!['occurred_at'].getTime()).toBe(event.created * 1000)
  })

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/x-unheard-of', undefined])(
    'is read from its bytes, whatever its content type says (%s)',
    async (type) => {
      const event = strangeEvent()
      const body = Buffer.from(JSON.stringify(event))
      const answer = await fetch(`${world.origin}/api/payments/stripe-webhook/`, {
        method: 'POST',
        headers: {
          ...signStripe(body.toString(), world.stripe.webhooks.endpoint.secret, undefined),
          ...(type !== undefined && { 'content-type': type }),
        },
        body,
      })
      expect((await replyOf(answer)).status).toBe(200)
    },
  )

  it('leaves other routes their JSON', async () => {
    const answer = await post('/api/auth/login', JSON.stringify({ email: 'nobody@example.com', password: 'x' }), {
      'content-type': 'application/json',
    })
    expect(answer.body.code).toBe('credentials_invalid')
    const wrong = await post('/api/auth/login', 'a=b', { 'content-type': 'application/x-www-form-urlencoded' })
    expect(wrong.status).toBe(415)
  })

  it('delivered again is answered the same and does nothing, also where Stripe has counted down what is still to come', async () => {
    const event = strangeEvent()
    const first = await deliver(event)
    const before = await rows()
    const again = await deliver(event)
    expect([again.status, again.body]).toEqual([200, first.body])
    expect(again.headers.get('idempotent-replayed')).toBe('true')
    const counted = await deliver({ ...event, pending_webhooks: 0 })
    expect([counted.status, counted.headers.get('idempotent-replayed')]).toEqual([200, 'true'])
    expect(await rows()).toEqual(before)
  })

  it('delivered again after its answer is no longer kept is known all the same, and so is another payload under its id', async () => {
    const event = strangeEvent()
    const first = await deliver(event)
    // As the engine does after a month, and the sweep of payloads.
    await sql(
      `update safepoint.operation set stripped_at = clock_timestamp(), head = null, body = null where key = $1`,
      [event.id],
    )
    await sql('update pantry.webhook_event set payload = null where event_id = $1', [event.id])
    const before = await rows()
    const again = await deliver(event)
    expect([again.status, again.body]).toEqual([200, first.body])
    expect(again.headers.get('content-type')).toMatch(/^application\/json/)
    expect(again.headers.get('idempotent-replayed')).toBe('true')
    expect(await rows()).toEqual(before)
    const forged = { ...event, data: { object: { id: 'cus_2', object: 'customer' } } }
    expect((await deliver(forged)).status).toBe(200)
    expect(await rows()).toEqual({ ...before, conflicts: before['conflicts'] + 1 })
  })

  it('with another payload under a known id is acknowledged, recorded as a conflict, and has no effect', async () => {
    const event = strangeEvent()
    await deliver(event)
    const before = await rows()
    const forged = { ...event, data: { object: { id: 'cus_2', object: 'customer' } } }
    for (let i = 0; i < 2; i++) expect((await deliver(forged)).status).toBe(200)
    expect(await rows()).toEqual({ ...before, conflicts: before['conflicts'] + 1 })
    const [conflict] = await sql('select scope, payload from safepoint.inbox_conflict where key = $1', [event.id])
    expect([conflict!['scope'], JSON.parse(conflict!['payload']).data.object.id]).toEqual(['gateway:stripe', 'cus_2'])
    expect((await stateOf(event.id))!['payload'].toString()).toBe(JSON.stringify(event))
  })

  it.each([
    ['a NUL', { order: 'a\u0000b' }],
    ['half a character', { order: '\ud800' }],
    ['a name longer than any of ours', { order: 'x'.repeat(5000) }],
  ])('whose object names %s is kept, and names nothing of ours', async (_, metadata) => {
    const refund = { id: 're_1', object: 'refund', currency: 'inr', payment_intent: 'pi_1', metadata }
    const event = strangeEvent({ type: 'refund.updated', data: { object: refund } })
    expect((await deliver(event)).status).toBe(200)
    expect(await stateOf(event.id)).toMatchObject({ gateway_reference: 'pi_1', order_id: null })
  })

  it.each([
    ['a time that no calendar has', { created: 9_000_000_000_000_000 }],
    ['a type longer than any', { type: 'x'.repeat(300) }],
  ])('with %s is answered, not sent again for days', async (_, more) => {
    const answer = await deliver(strangeEvent(more))
    expect(answer.status).toBeLessThan(500)
  })

  it('that cannot be stored is answered 5xx, and is taken when it is sent again', async () => {
    const event = strangeEvent()
    await sql('alter table pantry.webhook_event rename to webhook_event_away')
    try {
      expect((await deliver(event)).status).toBeGreaterThanOrEqual(500)
    } finally {
      await sql('alter table pantry.webhook_event_away rename to webhook_event')
    }
    expect((await deliver(event)).status).toBe(200)
    expect(await stateOf(event.id)).toMatchObject({ state: 'ignored' })
  })

  it('is documented: open, finished whoever leaves, and with what it refuses', async () => {
    const { body } = await replyOf(await fetch(`${world.origin}/openapi.json`))
    const { post: route } = body.paths['/api/payments/stripe-webhook']
    expect(route.security).toEqual([])
    expect(route['x-safepoint']).toMatchObject({
      operation: 'payment.receive-event',
      key: 'derived',
      onDisconnect: 'finish',
    })
    expect(Object.keys(route.responses)).toEqual(expect.arrayContaining(['200', '400', '503']))
    for (const path of ['/api/payments/cardcom-webhook', '/api/payments/razorpay-webhook'])
      expect(body.paths[path].post['x-safepoint'].operation).toBe('payment.receive-event')
    expect(body.paths['/api/payments/cardcom-webhook'].get.security).toEqual([])
    expect(body.paths['/api/admin/webhooks'].get).toBeDefined()
  })

  it('is received by a server within the five seconds that gateways wait, though its payment’s gateway hangs', async () => {
    const { orderId, page } = await placeOnPage(world)
    await payOnPage(page)
    const [event] = world.eventsOf(orderId).filter(({ type }) => type === 'checkout.session.completed')
    const held = world.stripe.faults.add({
      times: 10,
      match: { method: 'GET' },
      faults: [{ kind: 'hang', at: 'arrived' }],
    })
    const began = performance.now()
    expect((await deliver(event!)).status).toBe(200)
    expect(performance.now() - began).toBeLessThan(1000)
    held.release()
    await world.untilState(event!.id, 'applied')
  })
})
