import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { press } from '../../simulators/razorpay/browser.ts'
import { startRazorpaySimulator } from '../../simulators/razorpay/start-razorpay-simulator.ts'
import { startStripeSimulator } from '../../simulators/stripe/start-stripe-simulator.ts'
import { readOfferedGateways } from '../payments/offered-gateways.ts'
import { bookOf, orderWorld, placeOne, type OrderWorld } from '../test/order-world.ts'
import { expireOrders } from './expire-order.ts'

const secrets = { secretKey: 'sk_test_attacks', webhookSecret: 'whsec_attacks' }
const keys = { keyId: 'rzp_test', keySecret: 'secret', webhookSecret: 'whsec' }
const stripe = await startStripeSimulator(secrets)
const razorpay = await startRazorpaySimulator(keys)
afterAll(() => Promise.all([stripe.close(), razorpay.close()]))
afterEach(() => {
  stripe.faults.clear()
  razorpay.faults.clear()
})
const gateways = readOfferedGateways(
  {},
  {
    stripe: { baseUrl: stripe.url, ...secrets },
    razorpay: { baseUrl: razorpay.url, ...keys, webhookSecrets: [keys.webhookSecret] },
  },
)
const world = await orderWorld({ gateways })
const card = { gateway: 'stripe', paymentMethod: 'pm_card_visa' }

const at = ({ safepoint, operations }: OrderWorld) => ({
  confirm: async (scope: string, id: string, more: object = card) => {
    const answer = await safepoint.run(
      operations.confirmOrder,
      { id, ...(more as typeof card) },
      { scope, key: randomUUID() },
    )
    if (answer.outcome !== 'succeeded') throw new Error(JSON.stringify(answer))
    return answer.result.payment
  },
  refund: (id: string, more: object = {}, key: string = randomUUID(), scope = 'staff') =>
    safepoint.run(operations.refundOrder, { id, reason: 'x', ...more }, { scope, key }),
  cancel: (scope: string, id: string) => safepoint.run(operations.cancelOrder, { id }, { scope, key: randomUUID() }),
  settle: (paymentId: string) => safepoint.run(operations.settlePayment, { paymentId }, { scope: 'shop' }),
})
const { confirm, refund, cancel, settle } = at(world)
const stripeNet = (orderId: string) => stripe.book.net('order')[orderId]!
const razorpayNet = (orderId: string) => razorpay.book.net('order')[orderId]
const control = async (origin: string, path: string, body: object) => {
  const answer = await fetch(`${origin}/_control${path}`, { method: 'POST', body: JSON.stringify(body) })
  expect(answer.status, await answer.text()).toBe(200)
}

describe('two administrators', () => {
  it('who give back parts under ten keys at once, answers being lost: each part once, and never more than was paid', async () => {
    const { customer, order } = await placeOne(world)
    await confirm(customer.scope, order.id)
    stripe.faults.add({
      match: { method: 'POST', path: '/v1/refunds' },
      times: 3,
      faults: [{ kind: 'drop', at: 'executed' }],
    })
    const part = async (n: number): Promise<string> => {
      for (;;) {
        const answer = await refund(order.id, { amount: 6000 }, `part ${n}`, n % 2 ? 'staff' : 'other').catch(
          (error: { code: string }) => error,
        )
        const code = 'code' in answer ? answer.code : answer.outcome === 'succeeded' ? 'succeeded' : answer.outcome
        if (code !== 'conflict') return code
      }
    }
    const answers = await Promise.all(Array.from({ length: 10 }, (_, n) => part(n)))
    expect(answers.toSorted()).toEqual([...Array(6).fill('refund_too_large'), ...Array(4).fill('succeeded')])
    expect(stripeNet(order.id)).toMatchObject({ refunds: 4, refunded: 24_000, net: 1000 })
    // The same four again are replays.
    for (let n = 0; n < 10; n++) if (answers[n] === 'succeeded') expect(await part(n)).toBe('succeeded')
    expect(stripeNet(order.id)).toMatchObject({ refunds: 4 })
    const { mailed } = await bookOf(world, order.id)
    expect(mailed.filter((template) => template === 'refund')).toHaveLength(4)
  })

  it('and a customer who cancels while a part goes back: what is left goes back, once', async () => {
    for (let round = 0; round < 5; round++) {
      const { customer, order } = await placeOne(world)
      await confirm(customer.scope, order.id)
      const again = async (work: () => Promise<unknown>): Promise<unknown> => {
        for (;;) {
          const answer = await work().catch((error: { code: string }) => error)
          if ((answer as { code?: string }).code !== 'conflict') return answer
        }
      }
      await Promise.all([
        again(() => refund(order.id, { amount: 6000 }, 'part')),
        again(() => refund(order.id, {}, 'rest')),
        again(() => cancel(customer.scope, order.id)),
      ])
      expect(stripeNet(order.id)).toMatchObject({ net: 0, refunded: 25_000 })
      expect(await bookOf(world, order.id)).toMatchObject({
        status: 'cancelled',
        payments: ['refunded'],
        closing: false,
        stock: [{ on_hand: 5, reserved: 0, moved: 5 }],
      })
    }
  })
})

describe('a charge that the customer’s bank has taken back', () => {
  it('is not refunded as well: the refund and the cancellation are refused, and everything is as before', async () => {
    const { customer, order } = await placeOne(world)
    await confirm(customer.scope, order.id)
    const [charge] = [...stripe.book.charges.values()].slice(-1)
    await control(stripe.url, `/charges/${charge!.id}/dispute`, {})
    const refused = {
      outcome: 'failed',
      error: { code: 'payment_refused', details: { gatewayCode: 'charge_disputed' } },
    }
    expect(await refund(order.id)).toMatchObject(refused)
    expect(await refund(order.id, { amount: 100 })).toMatchObject(refused)
    expect(await cancel(customer.scope, order.id)).toMatchObject(refused)
    expect(await bookOf(world, order.id)).toMatchObject({
      status: 'completed',
      payments: ['captured'],
      closing: false,
      stock: [{ on_hand: 3, reserved: 0, moved: 3 }],
      mailed: ['confirmation', 'receipt'],
    })
  })
})

describe('what Razorpay’s bank holds and nobody captures', () => {
  it('goes back by itself: the order can be paid until its time is up, and is cancelled then', async () => {
    const { customer, order } = await placeOne(world)
    const payment = await confirm(customer.scope, order.id, { gateway: 'razorpay' })
    razorpay.faults.add({
      match: { method: 'POST', path: '/v1/payments/*/capture' },
      times: 1000,
      faults: [{ kind: 'error', status: 503, stored: false }],
    })
    await press({ url: payment.checkout!.url!, fields: payment.checkout!.fields! }, 'authorize')
    expect(await settle(payment.id)).toMatchObject({ outcome: 'failed' })
    expect(await bookOf(world, order.id)).toMatchObject({ status: 'awaiting_payment', payments: ['requires_action'] })
    const [held] = razorpay.book.payments.values()
    await control(razorpay.url, `/payments/${held!.id}/expire`, {})
    razorpay.faults.clear()
    await settle(payment.id)
    expect(await bookOf(world, order.id)).toMatchObject({ status: 'awaiting_payment', payments: ['requires_action'] })
    expect(razorpayNet(order.id)).toBeUndefined()
    await world.sql(`update pantry.orders set reserved_until = now() - interval '1 second' where id = $1`, [order.id])
    await expireOrders(world.safepoint, world.operations.expireOrder).work({}, new AbortController().signal)
    expect(await bookOf(world, order.id)).toMatchObject({
      status: 'cancelled',
      reason: 'expired',
      payments: ['voided'],
    })
    // Held anew after that: it is never captured.
    await control(razorpay.url, `/orders/${held!.order_id}/pay`, { outcome: 'authorized' })
    await settle(payment.id)
    expect(razorpayNet(order.id)).toBeUndefined()
    // And what was captured past us goes back.
    const late = [...razorpay.book.payments.values()].at(-1)!
    await control(razorpay.url, `/payments/${late.id}/settle`, { outcome: 'captured' })
    await settle(payment.id)
    expect(razorpayNet(order.id)).toMatchObject({ charges: 1, net: 0 })
  })
})

describe('sums', async () => {
  const yen = await orderWorld({ gateways, currency: 'JPY' })
  it('of a currency without minor units, and beyond 32 bits, come and go to the last unit', async () => {
    const { confirm: confirmYen, refund: refundYen } = at(yen)
    const customer = await yen.newCustomer()
    const variant = await yen.newVariant(99, 99_999_999)
    await yen.sql(`update pantry.product set currency = 'JPY' where id = $1`, [variant.productId])
    await yen.addToCart(customer, variant, 31)
    const placed = await yen.safepoint.run(
      yen.operations.placeOrder,
      { addressId: customer.addressId, expectedTotal: { amount: 3_099_999_969, currency: 'JPY' } },
      { scope: customer.scope, key: 'place' },
    )
    if (placed.outcome !== 'succeeded') throw new Error(JSON.stringify(placed))
    const { id } = placed.result
    const payment = await confirmYen(customer.scope, id, { gateway: 'razorpay' })
    await press({ url: payment.checkout!.url!, fields: payment.checkout!.fields! }, 'pay')
    await at(yen).settle(payment.id)
    expect(razorpayNet(id)).toMatchObject({ currency: 'JPY', charged: 3_099_999_969 })
    expect(await refundYen(id, { amount: 2_999_999_968 })).toMatchObject({
      outcome: 'succeeded',
      result: { payment: { refunded: { amount: 2_999_999_968, currency: 'JPY' } } },
    })
    expect(await refundYen(id)).toMatchObject({ outcome: 'succeeded', result: { status: 'cancelled' } })
    expect(razorpayNet(id)).toMatchObject({ net: 0 })
    const mails = await yen.sql(
      `select data->'amount'->>'amount' as amount from pantry.mail where template = 'refund' order by id`,
    )
    expect(mails).toEqual([{ amount: '2999999968' }, { amount: '100000001' }])
  })
})
