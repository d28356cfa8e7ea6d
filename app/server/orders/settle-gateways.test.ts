import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { until } from '../../../safepoint/test/support/until.ts'
import { press as pressAtCardcom } from '../../simulators/cardcom/browser.ts'
import { startCardcomSimulator } from '../../simulators/cardcom/start-cardcom-simulator.ts'
import { postForm, press as pressAtRazorpay } from '../../simulators/razorpay/browser.ts'
import { startRazorpaySimulator } from '../../simulators/razorpay/start-razorpay-simulator.ts'
import { readOfferedGateways } from '../payments/offered-gateways.ts'
import { bookOf, orderWorld } from '../test/order-world.ts'

// What each gateway does in its own way: what is held has to be captured, a page cannot be closed, a refund cannot be repeated.
const razorpayConfig = { keyId: 'rzp_test', keySecret: 'secret', webhookSecret: 'whsec' }
const cardcomConfig = { terminalNumber: 1000, apiName: 'api', apiPassword: 'password' }
const razorpay = await startRazorpaySimulator(razorpayConfig)
const cardcom = await startCardcomSimulator(cardcomConfig)
afterAll(async () => {
  await razorpay.close()
  await cardcom.close()
})
afterEach(() => {
  razorpay.faults.clear()
  cardcom.faults.clear()
})

const world = await orderWorld({
  currency: 'ILS',
  gateways: readOfferedGateways(
    {},
    {
      razorpay: { baseUrl: razorpay.url, ...razorpayConfig, webhookSecrets: [razorpayConfig.webhookSecret] },
      cardcom: { baseUrl: cardcom.url, ...cardcomConfig },
    },
  ),
})
const { safepoint, operations, sql } = world

/** A customer before the gateway's page. */
async function beforeThePage(gateway: 'razorpay' | 'cardcom') {
  const customer = await world.newCustomer()
  const variant = await world.newVariant(5)
  await sql(`update pantry.product set currency = 'ILS' where id = $1`, [variant.productId])
  await world.addToCart(customer, variant, 2)
  const answer = await safepoint.run(
    operations.payCart,
    { gateway, shippingAddress: customer.addressId, currency: 'ILS' },
    { scope: customer.scope, key: 'go' },
  )
  if (answer.outcome !== 'succeeded') throw new Error(JSON.stringify(answer))
  const { orderId, paymentId, checkout } = answer.result
  return { customer, orderId, paymentId, page: { url: checkout!.url, fields: checkout!.fields ?? {} } }
}
const settle = (paymentId: string) => safepoint.run(operations.settlePayment, { paymentId }, { scope: 'shop' })
const cancel = (scope: string, id: string, key: string = randomUUID()) =>
  safepoint.run(operations.cancelOrder, { id }, { scope, key })
const paid = { status: 'completed', payments: ['captured'], stock: [{ on_hand: 3, reserved: 0, moved: 3 }], mails: 1 }

describe('Razorpay', () => {
  const net = (orderId: string) => razorpay.book.net('order')[orderId]?.net ?? 0

  it('what the bank holds is captured once, whoever brings the news and how often', async () => {
    const { orderId, paymentId, page } = await beforeThePage('razorpay')
    await pressAtRazorpay(page, 'pay')
    await Promise.allSettled([settle(paymentId), settle(paymentId), settle(paymentId)])
    expect(await settle(paymentId)).toMatchObject({ outcome: 'succeeded', result: { status: 'captured' } })
    expect(await bookOf(world, orderId)).toMatchObject(paid)
    expect(net(orderId)).toBe(25_000)
  })

  it('the browser comes back with a form that is signed; another signature changes nothing', async () => {
    const origin = await world.listen()
    const { customer, orderId, paymentId, page } = await beforeThePage('razorpay')
    const returned = await pressAtRazorpay(page, 'pay')
    expect(new URL(returned.form!.action).pathname).toBe(`/api/payments/${paymentId}/return`)
    const { fields } = returned.form!
    const verify = (params: object) =>
      safepoint.run(
        operations.verifyPayment,
        { id: paymentId, ...params },
        { scope: customer.scope, key: randomUUID() },
      )
    const forged = { ...fields, razorpay_signature: '0'.repeat(64) }
    await expect(verify(forged)).rejects.toMatchObject({ code: 'signature_invalid' })
    const away = await postForm(`${origin}/api/payments/${paymentId}/return`, forged)
    expect([away.status, away.location]).toEqual([303, `/?order=${orderId}`])
    expect(await bookOf(world, orderId)).toMatchObject({ status: 'awaiting_payment', payments: ['requires_action'] })
    const back = await postForm(`${origin}/api/payments/${paymentId}/return`, fields)
    expect([back.status, back.location]).toEqual([303, `/?order=${orderId}`])
    expect(await bookOf(world, orderId)).toMatchObject(paid)
    expect(await verify(fields)).toMatchObject({ outcome: 'succeeded', result: { status: 'captured' } })
  })

  it('a page that could not be closed is paid after all: it is never captured, and nothing stays taken', async () => {
    const { customer, orderId, paymentId, page } = await beforeThePage('razorpay')
    expect(await cancel(customer.scope, orderId)).toMatchObject({ outcome: 'succeeded' })
    expect(await sql('select status, page_open from pantry.payment where id = $1', [paymentId])).toEqual([
      { status: 'voided', page_open: true },
    ])
    await pressAtRazorpay(page, 'pay')
    expect(await settle(paymentId)).toMatchObject({ outcome: 'succeeded', result: { status: 'voided' } })
    expect(await bookOf(world, orderId)).toMatchObject({ status: 'cancelled', stock: [{ on_hand: 5, reserved: 0 }] })
    expect(net(orderId)).toBe(0)
    expect(await sql('select handled_by from pantry.payment where id = $1', [paymentId])).toEqual([
      { handled_by: null },
    ])
  })

  it('charges no saved payment method, and says so', async () => {
    const { customer, orderId } = await beforeThePage('razorpay')
    await expect(
      safepoint.run(
        operations.confirmOrder,
        { id: orderId, gateway: 'razorpay', paymentMethod: 'card' },
        { scope: customer.scope, key: 'card' },
      ),
    ).rejects.toMatchObject({ code: 'payment_method_unsupported' })
  })
})

describe('CardCom', () => {
  const net = (orderId: string) => cardcom.book.net('order')[orderId] ?? { net: 0, refunds: 0, charges: 0 }
  const refunding = { path: '/api/v11/Transactions/RefundByTransactionId' }
  const refundCalls = () => cardcom.calls.list().filter(({ path }) => path === refunding.path).length

  it('a paid page completes the order', async () => {
    const { orderId, paymentId, page } = await beforeThePage('cardcom')
    await pressAtCardcom(page, 'pay')
    expect(await settle(paymentId)).toMatchObject({ outcome: 'succeeded', result: { status: 'captured' } })
    expect(await bookOf(world, orderId)).toMatchObject(paid)
    expect(net(orderId)).toMatchObject({ net: 25_000, charges: 1 })
  })

  it('a page that could not be closed is paid after all: the money goes back, once', async () => {
    const { customer, orderId, paymentId, page } = await beforeThePage('cardcom')
    await cancel(customer.scope, orderId)
    await pressAtCardcom(page, 'pay')
    await Promise.allSettled([settle(paymentId), settle(paymentId), settle(paymentId)])
    await settle(paymentId)
    expect(await bookOf(world, orderId)).toMatchObject({
      status: 'cancelled',
      payments: ['refunded'],
      mailed: ['confirmation', 'refund'],
    })
    expect(net(orderId)).toMatchObject({ net: 0, charges: 1, refunds: 1 })
  })

  it('a refund whose answer is lost is not sent again: a human looks, and until then the order is closed', async () => {
    const { customer, orderId, paymentId, page } = await beforeThePage('cardcom')
    await pressAtCardcom(page, 'pay')
    await settle(paymentId)
    const before = refundCalls()
    cardcom.faults.add({ match: refunding, faults: [{ kind: 'drop', at: 'executed' }] })
    const running = cancel(customer.scope, orderId, 'back').catch((error: { code: string }) => error)
    await until(async () => (await safepoint.find(customer.scope, 'back')).state === 'needs_attention')
    await running
    expect(refundCalls()).toBe(before + 1)
    expect(await bookOf(world, orderId)).toMatchObject({ status: 'completed', payments: ['refunding'], closing: true })
    await expect(cancel(customer.scope, orderId)).rejects.toMatchObject({ code: 'conflict' })
    await expect(settle(paymentId)).rejects.toMatchObject({ code: 'conflict' })
    expect(refundCalls()).toBe(before + 1)
  })

  it('a refund that surely did not arrive is sent again', async () => {
    const { customer, orderId, paymentId, page } = await beforeThePage('cardcom')
    await pressAtCardcom(page, 'pay')
    await settle(paymentId)
    cardcom.faults.add({ match: refunding, times: 2, faults: [{ kind: 'rate_limit' }] })
    expect(await cancel(customer.scope, orderId)).toMatchObject({ outcome: 'succeeded' })
    expect(net(orderId)).toMatchObject({ net: 0, refunds: 1 })
  })
})
