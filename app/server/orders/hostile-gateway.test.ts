import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { press } from '../../simulators/cardcom/browser.ts'
import { startCardcomSimulator } from '../../simulators/cardcom/start-cardcom-simulator.ts'
import { startStripeSimulator } from '../../simulators/stripe/start-stripe-simulator.ts'
import { exactNumber } from '../payments/gateways/cardcom/exact-json.ts'
import { readOfferedGateways } from '../payments/offered-gateways.ts'
import { payOnPage } from '../payments/webhooks/webhooks.test.setup.ts'
import { bookOf, orderWorld, placeOne } from '../test/order-world.ts'

// A gateway that is wrong, or somebody on the way to it who lies: between the shop and the simulators stands a proxy that puts
// other words into their answers.

type Lie = (body: any, path: string) => unknown
let lie: Lie | undefined
afterEach(() => void (lie = undefined))

/** CardCom's ids have 64 bits: what is no exact number stays what was written. */
const parseKeepingIds = (text: string): any =>
  (JSON as any).parse(text, (_: string, value: unknown, { source }: { source: string }) =>
    typeof value === 'number' && Math.abs(value) > Number.MAX_SAFE_INTEGER ? exactNumber(source) : value,
  )

async function throughLiar(target: string): Promise<string> {
  const pass = async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { host: _, connection: __, 'content-length': ___, ...headers } = request.headers as Record<string, string>
    const answer = await fetch(target + request.url, {
      method: request.method!,
      headers,
      ...(request.method === 'POST' && { body: Buffer.concat(chunks) }),
    })
    let text = await answer.text()
    if (lie && answer.ok) text = JSON.stringify(lie(parseKeepingIds(text), request.url!))
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(text)
  }
  const server = createServer((request, response) => {
    pass(request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  afterAll(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const secrets = { secretKey: 'sk_test_liar', webhookSecret: 'whsec_liar' }
const stripe = await startStripeSimulator(secrets)
const config = { terminalNumber: 1000, apiName: 'api', apiPassword: 'password' }
const cardcom = await startCardcomSimulator(config)
afterAll(() => Promise.all([stripe.close(), cardcom.close()]))

const world = await orderWorld({
  gateways: readOfferedGateways({}, { stripe: { baseUrl: await throughLiar(stripe.url), ...secrets } }),
})
const { safepoint, operations } = world
const settle = (paymentId: string) =>
  safepoint.run(operations.settlePayment, { paymentId }, { scope: 'shop' }).catch((error: unknown) => error)
const confirm = (order: { id: string }, scope: string, more: object = {}, key: string = randomUUID()) =>
  safepoint.run(operations.confirmOrder, { id: order.id, gateway: 'stripe', ...more }, { scope, key })
const card = { paymentMethod: 'pm_card_visa' }
const net = (orderId: string) => stripe.book.net('order')[orderId]

describe('a charge', () => {
  it.each([
    ['another amount', { amount_received: 24_999 }],
    ['more', { amount: 25_001, amount_received: 25_001 }],
    ['another currency', { currency: 'usd' }],
  ])('of which the gateway says that it took %s goes back, and the order waits for another', async (_, other) => {
    const { customer, order } = await placeOne(world)
    lie = (body, path) => (path === '/v1/payment_intents' ? { ...body, ...other } : body)
    expect(await confirm(order, customer.scope, card)).toMatchObject({
      outcome: 'failed',
      error: { code: 'payment_refused', details: { gatewayCode: 'wrong_amount' } },
    })
    expect(await bookOf(world, order.id)).toMatchObject({
      status: 'awaiting_payment',
      payments: ['voided'],
      stock: [{ on_hand: 5, reserved: 2, moved: 5 }],
    })
    expect(net(order.id)).toMatchObject({ charges: 1, net: 0 })
    lie = undefined
    expect(await confirm(order, customer.scope, card)).toMatchObject({ outcome: 'succeeded' })
    expect(await bookOf(world, order.id)).toMatchObject({ status: 'completed' })
    expect(net(order.id)).toMatchObject({ charges: 2, net: 25_000 })
  })
})

describe('a dispute', () => {
  it.each<[string, object, number | 'untold']>([
    [
      'in another currency: how much of the payment that is nobody knows, and all of it is held',
      { currency: 'usd', amount: 300 },
      25_000,
    ],
    ['of a kind that nobody knows: it is held, and a human looks', { status: 'under_arbitration' }, 25_000],
    ['of another payment: nothing is held', { payment_intent: 'pi_of_somebody_else' }, 'untold'],
    ['of no payment: nothing is held', { payment_intent: null }, 'untold'],
    ['under another name: nothing is held', { id: 'dp_other' }, 'untold'],
    ['in no currency that there could be: nothing is held', { currency: '<b>' }, 'untold'],
    ['of less than nothing: nothing is held', { amount: -25_000 }, 'untold'],
  ])('that is told %s', async (_, words, held) => {
    const { customer, order } = await placeOne(world)
    const paid = await confirm(order, customer.scope, card)
    if (paid.outcome !== 'succeeded') throw new Error(JSON.stringify(paid))
    const { id: paymentId } = paid.result.payment
    const charge = [...stripe.book.charges.values()].find(({ metadata }) => metadata['order'] === order.id)!
    await fetch(`${stripe.url}/_control/charges/${charge.id}/dispute`, { method: 'POST', body: '{}' })
    const [dispute] = [...stripe.book.disputes.values()].slice(-1)
    lie = (body, path) => (path.startsWith('/v1/disputes/') ? { ...body, ...words } : body)
    // Some of it is tried again, in vain, for longer than a test waits.
    const told = await safepoint
      .run(operations.noteDispute, { paymentId, disputeId: dispute!.id }, { scope: 'shop', wait: 500 })
      .catch((error: unknown) => error)
    expect((told as { outcome?: string }).outcome === 'succeeded', JSON.stringify(told)).toBe(held !== 'untold')
    const [row] = await world.sql('select disputed_amount::int as held from pantry.payment where id = $1', [paymentId])
    expect(row).toEqual({ held: held === 'untold' ? 0 : held })
  })
})

describe('a page', () => {
  async function waiting() {
    const placed = await placeOne(world)
    const answer = await confirm(placed.order, placed.customer.scope)
    if (answer.outcome !== 'succeeded') throw new Error(JSON.stringify(answer))
    const { id: paymentId, checkout } = answer.result.payment
    return { ...placed, orderId: placed.order.id, paymentId, page: checkout!.url! }
  }

  it('on which somebody else’s payment is said to be pays nothing, and takes nothing from whose it is', async () => {
    const paid = await waiting()
    await payOnPage(paid.page)
    await settle(paid.paymentId)
    const theirs = [...stripe.book.intents.values()].find(({ metadata }) => metadata['order'] === paid.orderId)
    const poor = await waiting()
    // Their session is answered as paid, by another order's payment.
    lie = (body) =>
      body.object === 'checkout.session' && body.client_reference_id === poor.orderId
        ? { ...body, status: 'complete', payment_status: 'paid', payment_intent: theirs!.id }
        : body
    await settle(poor.paymentId)
    expect(await bookOf(world, poor.orderId)).toMatchObject({
      status: 'awaiting_payment',
      payments: ['requires_action'],
    })
    expect(
      await safepoint.run(operations.cancelOrder, { id: poor.orderId }, { scope: poor.customer.scope, key: 'cancel' }),
    ).toMatchObject({ outcome: 'failed', error: { code: 'payment_refused', details: { gatewayCode: 'not_ours' } } })
    expect(net(paid.orderId)).toMatchObject({ charges: 1, net: 25_000 })
    expect(await bookOf(world, paid.orderId)).toMatchObject({ status: 'completed' })
    lie = undefined
    await settle(poor.paymentId)
    expect(await bookOf(world, poor.orderId)).toMatchObject({ closing: false })
  })

  it('that is answered as another order’s is neither paid nor given up', async () => {
    const { orderId, paymentId, page } = await waiting()
    await payOnPage(page)
    lie = (body) =>
      body.object === 'checkout.session' ? { ...body, client_reference_id: randomUUID(), payment_intent: null } : body
    expect(await settle(paymentId)).toMatchObject({ outcome: 'failed', error: { code: 'payment_refused' } })
    expect(await bookOf(world, orderId)).toMatchObject({ status: 'awaiting_payment', payments: ['requires_action'] })
    lie = undefined
    await settle(paymentId)
    expect(await bookOf(world, orderId)).toMatchObject({ status: 'completed', payments: ['captured'] })
  })
})

describe('CardCom, which signs nothing', async () => {
  const shop = await orderWorld({
    currency: 'ILS',
    gateways: readOfferedGateways({}, { cardcom: { baseUrl: await throughLiar(cardcom.url), ...config } }),
  })
  const result = '/api/v11/LowProfile/GetLpResult'

  async function waitingAtCardcom() {
    const customer = await shop.newCustomer()
    const variant = await shop.newVariant(5)
    await shop.sql(`update pantry.product set currency = 'ILS' where id = $1`, [variant.productId])
    await shop.addToCart(customer, variant, 2)
    const answer = await shop.safepoint.run(
      shop.operations.payCart,
      { gateway: 'cardcom', shippingAddress: customer.addressId, currency: 'ILS' },
      { scope: customer.scope, key: 'pay' },
    )
    if (answer.outcome !== 'succeeded') throw new Error(JSON.stringify(answer))
    return answer.result
  }
  const settleThere = (paymentId: string) =>
    shop.safepoint.run(shop.operations.settlePayment, { paymentId }, { scope: 'shop' }).catch((error: unknown) => error)
  const of = (orderId: string) => cardcom.book.net('order')[orderId]

  it.each<[string, Lie]>([
    ['nothing', () => ({})],
    ['null', () => null],
    ['success without a transaction', ({ TranzactionInfo: _, ...body }) => ({ ...body, ResponseCode: 0 })],
    ['a success of another page', (body) => ({ ...body, LowProfileId: randomUUID() })],
    ['a success of another terminal', (body) => ({ ...body, TerminalNumber: 2000 })],
    ['a success of another order', (body) => ({ ...body, ReturnValue: randomUUID() })],
    [
      'a success with a failed transaction',
      (body) => ({ ...body, TranzactionInfo: { ...body.TranzactionInfo, ResponseCode: 33 } }),
    ],
    ['a failure with a successful transaction', (body) => ({ ...body, ResponseCode: 33 })],
    ['a refund', (body) => ({ ...body, TranzactionInfo: { ...body.TranzactionInfo, IsRefund: true } })],
    [
      'a card that was only looked at',
      (body) => ({ ...body, ResponseCode: 701, TranzactionInfo: { ...body.TranzactionInfo, ResponseCode: 701 } }),
    ],
    [
      'a sum with parts of an agora',
      (body) => ({ ...body, TranzactionInfo: { ...body.TranzactionInfo, Amount: 250.005 } }),
    ],
  ])('is asked about a paid page and answers %s: nothing is completed, and nothing is given back', async (_, words) => {
    const { orderId, paymentId, checkout } = await waitingAtCardcom()
    await press({ url: checkout!.url! }, 'pay')
    lie = (body, path) => (path === result ? words(body, path) : body)
    await settleThere(paymentId)
    const { status, payments } = await bookOf(shop, orderId)
    expect(['awaiting_payment', 'failed']).toContain(status)
    expect(['requires_action', 'failed']).toContain(payments[0])
    expect(of(orderId)).toMatchObject({ charges: 1, refunds: 0 })
    // It was paid all the same: as soon as CardCom says so, the order is.
    lie = undefined
    await settleThere(paymentId)
    expect(await bookOf(shop, orderId)).toMatchObject({ status: 'completed', payments: ['captured'] })
  })

  it('is asked about a page that nobody has paid, and answers a payment that it does not have: nothing is completed', async () => {
    const { orderId, paymentId } = await waitingAtCardcom()
    lie = (body, path) =>
      path === result
        ? {
            ...body,
            ResponseCode: 0,
            ReturnValue: orderId,
            TranzactionInfo: {
              ResponseCode: 0,
              TranzactionId: 209_413_394,
              TerminalNumber: 1000,
              Amount: 250,
              CoinId: 1,
              IsRefund: false,
            },
          }
        : body
    await settleThere(paymentId)
    expect(await bookOf(shop, orderId)).toMatchObject({ status: 'awaiting_payment', payments: ['requires_action'] })
  })
})
