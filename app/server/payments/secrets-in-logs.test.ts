import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import { afterAll, expect, it } from 'vitest'
import { until } from '../../../safepoint/test/support/until.ts'
import { press as pressAtCardcom } from '../../simulators/cardcom/browser.ts'
import { startCardcomSimulator } from '../../simulators/cardcom/start-cardcom-simulator.ts'
import { postForm, press as pressAtRazorpay } from '../../simulators/razorpay/browser.ts'
import { startRazorpaySimulator } from '../../simulators/razorpay/start-razorpay-simulator.ts'
import { startStripeSimulator } from '../../simulators/stripe/start-stripe-simulator.ts'
import { signStripe } from '../../simulators/stripe/webhook-signature.ts'
import { buildApp } from '../app.ts'
import { orderWorld } from '../test/order-world.ts'
import { breakGateways, defaultBreaker } from './gateway-breaker.ts'
import { readOfferedGateways } from './offered-gateways.ts'
import { payOnPage } from './webhooks/webhooks.test.setup.ts'

// A shop of all gateways that logs all it can, and what goes wrong with them.
const stripeKeys = { secretKey: 'sk_live_nobody_reads_me', webhookSecret: 'whsec_nobody_reads_me' }
const razorpayKeys = {
  keyId: 'rzp_live',
  keySecret: 'rzp_secret_nobody_reads',
  webhookSecret: 'rzp_whsec_nobody_reads',
}
const cardcomKeys = { terminalNumber: 1000, apiName: 'api_nobody_reads', apiPassword: 'cardcom_password_nobody_reads' }
const stripe = await startStripeSimulator(stripeKeys)
const razorpay = await startRazorpaySimulator(razorpayKeys)
const cardcom = await startCardcomSimulator(cardcomKeys)
const gateways = ['stripe', 'razorpay', 'cardcom'] as const
const simulators = { stripe, razorpay, cardcom }

const lines: string[] = []
const log = pino({ level: 'trace' }, { write: (line) => void lines.push(line) })
const world = await orderWorld({
  currency: 'ILS',
  log,
  gateways: breakGateways(
    readOfferedGateways(
      {},
      {
        stripe: { baseUrl: stripe.url, ...stripeKeys },
        razorpay: { baseUrl: razorpay.url, ...razorpayKeys, webhookSecrets: [razorpayKeys.webhookSecret] },
        cardcom: { baseUrl: cardcom.url, ...cardcomKeys },
      },
    ),
    { ...defaultBreaker, calls: 1000 },
    log,
  ),
})
const app = await buildApp({ composed: world.composed, log })
const origin = await app.listen({ host: '127.0.0.1', port: 0 })
afterAll(async () => {
  await app.close()
  await Promise.all([stripe.close(), razorpay.close(), cardcom.close()])
})
await world.jobs.work([world.composed.webhooks.job])
for (const [name, { webhooks }] of [
  ['stripe', stripe],
  ['razorpay', razorpay],
] as const)
  webhooks.endpoint = { ...webhooks.endpoint, url: `${origin}/api/payments/${name}-webhook` }

const secrets = new Set<string>([
  ...Object.values(stripeKeys),
  razorpayKeys.keySecret,
  razorpayKeys.webhookSecret,
  cardcomKeys.apiName,
  cardcomKeys.apiPassword,
  'a secret of the tests, of forty-eight bytes or so',
])

async function newShopper() {
  const password = `password-${randomUUID()}`
  secrets.add(password)
  let token = ''
  const send = async (method: string, path: string, body?: object, key: string = randomUUID()) => {
    const answer = await fetch(`${origin}${path}`, {
      method,
      headers: {
        ...(token && { authorization: `Bearer ${token}` }),
        ...(body && { 'content-type': 'application/json' }),
        'idempotency-key': key,
      },
      ...(body && { body: JSON.stringify(body) }),
    })
    return { status: answer.status, body: (await answer.json()) as any }
  }
  const { body: session } = await send('POST', '/api/auth/register', {
    email: `${randomUUID()}@example.com`,
    password,
    name: 'Ada',
  })
  token = session.accessToken
  secrets.add(session.accessToken).add(session.refreshToken)
  return send
}
type Send = Awaited<ReturnType<typeof newShopper>>

async function toThePage(send: Send, gateway: string) {
  const { productId } = await world.newVariant(5)
  await world.sql(`update pantry.product set currency = 'ILS' where id = $1`, [productId])
  await send('POST', '/api/cart/add', { productId, quantity: 1 })
  const shippingAddress = { name: 'Ada', line1: '1 Road', city: 'Haifa', postalCode: '3100', country: 'IL' }
  return send('POST', '/api/payments/create-from-cart', { gateway, shippingAddress, currency: 'ILS' })
}

it('no secret, token, password, signature or body of a gateway is in the logs, whatever goes well or wrong', async () => {
  const send = await newShopper()
  for (const gateway of gateways) {
    // Paid on the page, told by the browser and by webhooks, given back.
    const { body: opened } = await toThePage(send, gateway)
    if (gateway === 'stripe') await payOnPage(opened.checkout.url)
    if (gateway === 'cardcom') await pressAtCardcom(opened.checkout, 'pay')
    if (gateway === 'razorpay') {
      const { form } = await pressAtRazorpay(opened.checkout, 'pay')
      secrets.add(form!.fields['razorpay_signature']!)
      await postForm(`${origin}/api/payments/${opened.paymentId}/return`, form!.fields)
      await send('POST', `/api/payments/${opened.paymentId}/verify`, {
        ...form!.fields,
        razorpay_signature: '0'.repeat(64),
      })
    }
    expect(await send('POST', `/api/payments/${opened.paymentId}/verify`, {})).toMatchObject({
      status: 200,
      body: { status: 'captured' },
    })
    expect((await send('POST', `/api/orders/${opened.orderId}/cancel`, {})).status).toBe(200)

    // Whatever can go wrong with a call.
    const { faults } = simulators[gateway]
    for (const fault of [
      { kind: 'error', status: 500, stored: false },
      { kind: 'rate_limit', retryAfterSeconds: 1 },
      { kind: 'drop', at: 'executed' },
      { kind: 'decline', code: '600' },
    ] as const) {
      faults.add({ faults: [fault] })
      await toThePage(send, gateway)
      faults.clear()
    }
  }
  // A card's way, declined and charged, and an order that was paid and of which nothing can be given back.
  for (const paymentMethod of ['pm_card_chargeDeclined', 'pm_card_authenticationRequired', 'pm_card_visa']) {
    const { body } = await toThePage(send, 'stripe')
    await send('POST', `/api/orders/${body.orderId}/confirm`, { gateway: 'stripe', paymentMethod })
    stripe.faults.add({ match: { path: '/v1/refunds' }, faults: [{ kind: 'decline' }] })
    await send('POST', `/api/orders/${body.orderId}/cancel`, {})
    stripe.faults.clear()
  }
  for (const intent of stripe.book.intents.values()) secrets.add(intent.client_secret)

  // Webhooks: forged, of another payload, of nobody, and one that is given up.
  const event = {
    id: `evt_${randomUUID()}`,
    object: 'event',
    type: 'payment_intent.succeeded',
    created: 1,
    data: { object: {} },
  }
  for (const [body, tamper] of [
    [JSON.stringify({ ...event, note: 'body_nobody_reads' }), 'wrong_secret'],
    [JSON.stringify({ ...event, note: 'body_nobody_reads' }), undefined],
    [JSON.stringify({ ...event, note: 'body_nobody_reads, another' }), undefined],
  ] as const) {
    const headers = signStripe(body, stripeKeys.webhookSecret, tamper)
    const [signature = ''] = Object.values(headers).map((value) => value.split('v1=')[1] ?? '')
    secrets.add(signature)
    await fetch(`${origin}/api/payments/stripe-webhook`, { method: 'POST', headers, body })
  }
  secrets.add('body_nobody_reads')
  await Promise.all([stripe.webhooks.idle(), razorpay.webhooks.idle()])
  await until(() => lines.some((line) => line.includes('another payload under an event id')))

  const written = lines.join('')
  // The run was loud enough to have told.
  expect(lines.length).toBeGreaterThan(50)
  expect(written).toContain('a webhook was rejected')
  for (const secret of secrets) {
    expect(secret.length).toBeGreaterThan(8)
    expect(written.includes(secret) ? secret : '', 'a secret was logged').toBe('')
  }
})
