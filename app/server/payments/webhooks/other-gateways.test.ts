import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import { afterAll, describe, expect, it } from 'vitest'
import { until } from '../../../../safepoint/test/support/until.ts'
import { press as pressCardcom } from '../../../simulators/cardcom/browser.ts'
import { startCardcomSimulator } from '../../../simulators/cardcom/start-cardcom-simulator.ts'
import { press as pressRazorpay } from '../../../simulators/razorpay/browser.ts'
import { startRazorpaySimulator } from '../../../simulators/razorpay/start-razorpay-simulator.ts'
import { buildApp } from '../../app.ts'
import { orderWorld, placeOne } from '../../test/order-world.ts'
import { createCardcomGateway } from '../gateways/cardcom/cardcom-gateway.ts'
import { createRazorpayGateway } from '../gateways/razorpay/razorpay-gateway.ts'
import { offerGateways } from '../offered-gateways.ts'
import { replyOf } from './webhooks.test.setup.ts'

const world = await orderWorld()
const { sql } = world
const razorpayCredentials = { keyId: 'rzp_test_inbox', keySecret: 'secret_inbox' }
const cardcomCredentials = { terminalNumber: 1000, apiName: 'inbox', apiPassword: 'password' }
const razorpay = await startRazorpaySimulator({ ...razorpayCredentials, webhookSecret: 'whsec_inbox' })
const cardcom = await startCardcomSimulator(cardcomCredentials)
const cardcomGateway = createCardcomGateway({ baseUrl: cardcom.url, ...cardcomCredentials })
const razorpayGateway = createRazorpayGateway({
  baseUrl: razorpay.url,
  ...razorpayCredentials,
  webhookSecrets: ['whsec_inbox'],
})
const gateways = offerGateways({
  razorpay: { gateway: razorpayGateway, by: 'credentials' },
  cardcom: { gateway: cardcomGateway, by: 'credentials' },
})
const log = pino({ level: 'silent' })
const composed = await world.another({ gateways })
const app = await buildApp({ composed, log })
const origin = await app.listen({ host: '127.0.0.1', port: 0 })
await world.jobs.work([composed.webhooks.job])
afterAll(async () => {
  await app.close()
  await razorpay.close()
  await cardcom.close()
})

const rows = async () =>
  (
    await sql(`select
      (select count(*)::int from pantry.webhook_event) as events,
      (select count(*)::int from safepoint.operation where scope like 'gateway:%') as operations,
      (select count(*)::int from safepoint.inbox_conflict) as conflicts`)
  )[0]!

describe('Razorpay', () => {
  it.each(['pay', 'authorize'] as const)(
    'tells of one payment (%s) by events of several ids, five times each: one capture, one order, one receipt',
    async (action) => {
      razorpay.webhooks.endpoint = { url: `${origin}/api/payments/razorpay-webhook`, secret: 'whsec_inbox' }
      const { order, customer } = await placeOne(world)
      const answer = await composed.pantry.safepoint.run(
        composed.operations.orders.confirmOrder,
        { id: order.id, gateway: 'razorpay' },
        { scope: customer.scope, key: randomUUID() },
      )
      if (answer.outcome !== 'succeeded') throw new Error(JSON.stringify(answer))
      razorpay.faults.add({ faults: [{ kind: 'webhook', copies: 5 }] })
      const { url, fields } = answer.result.payment.checkout!
      await pressRazorpay({ url, ...(fields && { fields }) }, action)
      await until(
        async () =>
          (await sql('select status from pantry.orders where id = $1', [order.id]))[0]?.['status'] === 'completed',
      )
      await razorpay.webhooks.idle()
      await until(async () => {
        const events = await sql(`select state from pantry.webhook_event where gateway = 'razorpay'`)
        return events.length > 0 && events.every(({ state }) => state === 'applied')
      })
      expect(razorpay.webhooks.deliveries().every(({ status }) => status === 200)).toBe(true)
      expect(await sql('select status from pantry.payment where order_id = $1', [order.id])).toEqual([
        { status: 'captured' },
      ])
      expect(await sql('select once from pantry.mail where once = $1', [`receipt:${order.id}`])).toHaveLength(1)
      expect(await rows()).toMatchObject({ conflicts: 0 })
    },
  )
})

describe('CardCom', () => {
  const webhookUrl = `${origin}/api/payments/cardcom-webhook`
  const call = () => ({ key: randomUUID(), signal: new AbortController().signal, timeoutMs: 5000 })
  const newPage = () =>
    cardcomGateway.createCheckout(
      {
        amount: 1050,
        currency: 'ILS',
        order: randomUUID(),
        description: 'Rice',
        successUrl: `${origin}/`,
        cancelUrl: `${origin}/`,
        // The simulator tells nobody: this test does.
        webhookUrl: 'http://127.0.0.1:9/',
      },
      call(),
    )
  const tell = async (body: string, type = 'application/json') =>
    replyOf(await fetch(webhookUrl, { method: 'POST', headers: { 'content-type': type }, body }))

  it('is answered 200, and nothing is kept, where CardCom does not confirm what the body says', async () => {
    const before = await rows()
    const page = await newPage()
    const success = { ResponseCode: 0, TranzactionId: 1, TranzactionInfo: { ResponseCode: 0, Amount: 10.5 } }
    for (const LowProfileId of [page.id, randomUUID(), 'test-123']) {
      const answer = await tell(JSON.stringify({ LowProfileId, ...success }))
      expect([answer.status, answer.body]).toEqual([200, { received: false }])
    }
    expect((await tell('')).status).toBe(200)
    expect(await rows()).toEqual(before)
  })

  it('is one event of a paid page, however it is told: JSON, a form, a GET of its older API, five times at once', async () => {
    const before = await rows()
    const page = await newPage()
    await pressCardcom(page, 'pay')
    const get = async () =>
      replyOf(await fetch(`${webhookUrl}?terminalnumber=1000&lowprofilecode=${page.id}&Operation=1`))
    const answers = await Promise.all([
      ...Array.from({ length: 5 }, () => tell(JSON.stringify({ LowProfileId: page.id, ResponseCode: 0 }))),
      tell(`lowprofilecode=${page.id}`, 'application/x-www-form-urlencoded'),
      get(),
      get(),
    ])
    for (const { status, body } of answers) expect([status, body]).toEqual([200, { received: true }])
    expect(await rows()).toEqual({
      events: before['events'] + 1,
      operations: before['operations'] + 1,
      conflicts: before['conflicts'],
    })
    expect(await sql('select state, page_id, type from pantry.webhook_event where page_id = $1', [page.id])).toEqual([
      { state: 'waiting', page_id: page.id, type: 'lowprofile.paid' },
    ])
  })

  it('that does not answer when it is asked is told 503, so that it sends again', async () => {
    const before = await rows()
    const page = await newPage()
    await pressCardcom(page, 'pay')
    cardcom.faults.add({ faults: [{ kind: 'drop', at: 'arrived' }] })
    const body = JSON.stringify({ LowProfileId: page.id })
    const answer = await tell(body)
    expect([answer.status, answer.body.code, answer.body.retryable]).toEqual([503, 'gateway_unavailable', true])
    expect(answer.headers.get('retry-after')).not.toBeNull()
    expect(await rows()).toEqual(before)
    expect((await tell(body)).body).toEqual({ received: true })
  })
})
