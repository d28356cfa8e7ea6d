import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { until } from '../../../safepoint/test/support/until.ts'
import { press } from '../../simulators/razorpay/browser.ts'
import { startRazorpaySimulator } from '../../simulators/razorpay/start-razorpay-simulator.ts'
import { startStripeSimulator } from '../../simulators/stripe/start-stripe-simulator.ts'
import { signStripe } from '../../simulators/stripe/webhook-signature.ts'
import { findPayment } from '../payments/find-payment.ts'
import { listPayments } from '../payments/list-payments.ts'
import { readOfferedGateways } from '../payments/offered-gateways.ts'
import { viewPayment } from '../payments/payments.schema.ts'
import { bookOf, orderWorld, placeOne } from '../test/order-world.ts'
import { sweepPayments } from './sweep-payments.ts'

// A refund that a gateway has taken on may fail, at once or days later.
const keys = { keyId: 'rzp_test', keySecret: 'secret', webhookSecret: 'whsec' }
const secrets = { secretKey: 'sk_test_refunds', webhookSecret: 'whsec_refunds' }
const razorpay = await startRazorpaySimulator(keys)
const stripe = await startStripeSimulator(secrets)
afterAll(() => Promise.all([razorpay.close(), stripe.close()]))
afterEach(() => {
  razorpay.faults.clear()
  stripe.faults.clear()
})

const world = await orderWorld({
  gateways: readOfferedGateways(
    {},
    {
      razorpay: { baseUrl: razorpay.url, ...keys, webhookSecrets: [keys.webhookSecret] },
      stripe: { baseUrl: stripe.url, ...secrets },
    },
  ),
})
const { safepoint, operations, sql } = world
const origin = await world.listen()
razorpay.webhooks.endpoint = { ...razorpay.webhooks.endpoint, url: `${origin}/api/payments/razorpay-webhook` }
await world.jobs.work([world.composed.webhooks.job])

const logged: Array<Record<string, unknown>> = []
const log = pino({ level: 'error' }, { write: (line) => void logged.push(JSON.parse(line)) })
const sweeping = sweepPayments({ safepoint, settlePayment: operations.settlePayment, log })
/** As after a quarter of an hour in which nobody looked. */
async function sweep(paymentId: string) {
  await sql(
    `update pantry.payment set created_at = created_at - interval '15 minutes', looked_at = null where id = $1`,
    [paymentId],
  )
  await sweeping.work({}, new AbortController().signal)
}
const settle = (paymentId: string) => safepoint.run(operations.settlePayment, { paymentId }, { scope: 'shop' })
const cancel = (scope: string, id: string, key: string = randomUUID()) =>
  safepoint.run(operations.cancelOrder, { id }, { scope, key })
const refund = (id: string, more: object = {}) =>
  safepoint.run(operations.refundOrder, { id, reason: 'a complaint', ...more }, { scope: 'staff', key: randomUUID() })
const resolve = (id: string, returned: boolean) =>
  safepoint.run(operations.resolveRefund, { id, returned, note: 'by bank' }, { scope: 'staff', key: randomUUID() })
const owedOf = async (id: string) => (await findPayment(safepoint.database, id))!.owed
const listed = async (id: string) =>
  (await listPayments(safepoint.database, { unsettled: true, limit: 100 })).some(({ payment }) => payment.id === id)
const refundedOf = async (id: string) => (await findPayment(safepoint.database, id))!.refunded
const reasonsOf = async (orderId: string) =>
  (await sql('select reason from pantry.order_history where order_id = $1 order by seq', [orderId])).map(
    ({ reason }) => reason as string,
  )

const cancelled = { status: 'cancelled', stock: [{ on_hand: 5, reserved: 0, moved: 5 }], closing: false }

describe('at Razorpay, where a refund takes its time', () => {
  const refunds = { method: 'POST', path: '/v1/payments/*/refund' }
  const slow = () => razorpay.faults.add({ match: refunds, faults: [{ kind: 'processing' }] })
  const net = (orderId: string) => razorpay.book.net('order')[orderId]!
  const pending = () => [...razorpay.book.refunds.values()].findLast(({ status }) => status === 'pending')!
  /** Razorpay makes up its mind, and tells the shop. */
  async function end(outcome: 'processed' | 'failed') {
    const answer = await fetch(`${razorpay.url}/_control/refunds/${pending().id}/settle`, {
      method: 'POST',
      body: JSON.stringify({ outcome }),
    })
    expect(answer.status, await answer.text()).toBe(200)
    await razorpay.webhooks.idle()
  }
  const statusOf = async (id: string) => (await findPayment(safepoint.database, id))!.status

  async function paidOrder() {
    const placed = await placeOne(world)
    const answer = await safepoint.run(
      operations.confirmOrder,
      { id: placed.order.id, gateway: 'razorpay' },
      { scope: placed.customer.scope, key: 'page' },
    )
    if (answer.outcome !== 'succeeded') throw new Error(JSON.stringify(answer))
    const { id: paymentId, checkout } = answer.result.payment
    await press({ url: checkout!.url!, fields: checkout!.fields! }, 'pay')
    await settle(paymentId)
    expect(await bookOf(world, placed.order.id)).toMatchObject({ status: 'completed' })
    return { ...placed, orderId: placed.order.id, paymentId }
  }

  it('the order is cancelled at once, and the money is told as on its way until it has arrived', async () => {
    const { customer, orderId, paymentId } = await paidOrder()
    slow()
    expect(await cancel(customer.scope, orderId)).toMatchObject({
      outcome: 'succeeded',
      result: { status: 'cancelled', payment: { status: 'refunding' } },
    })
    expect(await bookOf(world, orderId)).toMatchObject({
      ...cancelled,
      payments: ['refunding'],
      mailed: ['confirmation', 'receipt'],
    })
    // As long as Razorpay takes: nothing is believed to have arrived, and nothing is sent again.
    await settle(paymentId)
    await sweep(paymentId)
    expect(await statusOf(paymentId)).toBe('refunding')
    await end('processed')
    await until(async () => (await statusOf(paymentId)) === 'refunded')
    expect(await bookOf(world, orderId)).toMatchObject({ ...cancelled, mailed: ['confirmation', 'receipt', 'refund'] })
    expect(net(orderId)).toMatchObject({ net: 0, refunds: 1 })
  })

  it('whose webhook is lost: the sweep goes on asking, also for days', async () => {
    const { customer, orderId, paymentId } = await paidOrder()
    slow()
    await cancel(customer.scope, orderId)
    Object.assign(pending(), { status: 'processed' })
    await sql(
      `update pantry.payment set created_at = now() - interval '30 days', looked_at = now() - interval '7 hours' where id = $1`,
      [paymentId],
    )
    await sweeping.work({}, new AbortController().signal)
    expect(await bookOf(world, orderId)).toMatchObject({ ...cancelled, payments: ['refunded'] })
  })

  it('a refund that fails is sent again by the sweep, and the customer is told once, when it has arrived', async () => {
    const { customer, orderId, paymentId } = await paidOrder()
    slow()
    await cancel(customer.scope, orderId)
    await end('failed')
    await until(async () => (await statusOf(paymentId)) === 'captured')
    expect([await owedOf(paymentId), await listed(paymentId)]).toEqual([25_000, true])
    expect((await reasonsOf(orderId)).at(-1)).toBe('refund_failed')
    slow()
    await sweep(paymentId)
    expect(await bookOf(world, orderId)).toMatchObject({
      ...cancelled,
      payments: ['refunding'],
      mailed: ['confirmation', 'receipt'],
    })
    await end('processed')
    await until(async () => (await statusOf(paymentId)) === 'refunded')
    expect(await bookOf(world, orderId)).toMatchObject({ ...cancelled, mailed: ['confirmation', 'receipt', 'refund'] })
    expect([net(orderId).net, await owedOf(paymentId), await listed(paymentId)]).toEqual([0, 0, false])
  })

  it('one that fails each time is told to a human; the sweep tries it again, not the news of each failure', async () => {
    const { customer, orderId, paymentId } = await paidOrder()
    const sent = () => [...razorpay.book.refunds.values()].filter(({ notes }) => notes['order'] === orderId).length
    slow()
    await cancel(customer.scope, orderId)
    razorpay.faults.add({ match: refunds, times: 100, faults: [{ kind: 'decline' }] })
    await end('failed')
    await until(async () => (await statusOf(paymentId)) === 'captured')
    for (const times of [2, 3]) {
      logged.length = 0
      await sweep(paymentId)
      await razorpay.webhooks.idle()
      await until(
        async () =>
          (await sql(`select from pantry.webhook_event where gateway = 'razorpay' and state = 'waiting'`)).length === 0,
      )
      expect([sent(), await statusOf(paymentId), await owedOf(paymentId)]).toEqual([times, 'captured', 25_000])
      expect(logged).toEqual([expect.objectContaining({ level: 50, payment: paymentId, order: orderId, owed: 25_000 })])
    }
    expect(await bookOf(world, orderId)).toMatchObject({ ...cancelled, payments: ['captured'] })
    // It is not asked about again at once.
    await sweeping.work({}, new AbortController().signal)
    expect(sent()).toBe(3)
    razorpay.faults.clear()
    await sweep(paymentId)
    expect([await statusOf(paymentId), await owedOf(paymentId), await listed(paymentId)]).toEqual([
      'refunded',
      0,
      false,
    ])
    expect(net(orderId).net).toBe(0)
  })
})

describe('at Stripe, where a refund fails days after it was made', () => {
  const intentOf = (orderId: string) =>
    [...stripe.book.intents.values()].findLast(({ metadata }) => metadata['order'] === orderId)!
  const taken = (orderId: string) => stripe.book.net('order')[orderId]!.net
  const refundsOf = (orderId: string) =>
    [...stripe.book.refunds.values()].filter(({ payment_intent: of }) => of === intentOf(orderId).id)

  async function paidOrder() {
    const placed = await placeOne(world)
    const answer = await safepoint.run(
      operations.confirmOrder,
      { id: placed.order.id, gateway: 'stripe', paymentMethod: 'pm_card_visa' },
      { scope: placed.customer.scope, key: 'pay' },
    )
    if (answer.outcome !== 'succeeded') throw new Error(JSON.stringify(answer))
    return { ...placed, orderId: placed.order.id, paymentId: answer.result.payment.id }
  }
  const refunding = { method: 'POST', path: '/v1/refunds' }
  const slow = () => stripe.faults.add({ match: refunding, faults: [{ kind: 'processing' }] })
  /** Stripe makes up its mind, or the customer's bank sends back what Stripe had sent; nobody tells the shop. */
  async function end(orderId: string, outcome: 'succeeded' | 'failed' | 'canceled', more: object = {}) {
    const made = refundsOf(orderId).at(-1)!
    const answer = await fetch(`${stripe.url}/_control/refunds/${made.id}/settle`, {
      method: 'POST',
      body: JSON.stringify({ outcome, ...more }),
    })
    expect(answer.status, await answer.text()).toBe(200)
    return made.id
  }
  /** The same, and Stripe tells the shop by one of its events. */
  async function fail(orderId: string, type: string, more: object = {}) {
    const made = await end(orderId, 'failed', more)
    const event = [...stripe.book.events.values()].findLast(
      (one) => one.type === type && (one.data.object as { id: string }).id === made,
    )!
    const body = JSON.stringify(event)
    const answer = await fetch(`${origin}/api/payments/stripe-webhook`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...signStripe(body, secrets.webhookSecret, undefined) },
      body,
    })
    expect(answer.status, await answer.text()).toBe(200)
    await until(
      async () =>
        (await sql('select state from pantry.webhook_event where event_id = $1', [event.id]))[0]?.['state'] ===
        'applied',
      { timeoutMs: 10_000 },
    )
  }

  it.each(['refund.failed', 'refund.updated', 'charge.refund.updated'])(
    'of all of an order (%s): it counts as given back no more, a human is told, and the sweep sends it again',
    async (type) => {
      const { customer, orderId, paymentId } = await paidOrder()
      await cancel(customer.scope, orderId)
      expect(await bookOf(world, orderId)).toMatchObject({ ...cancelled, payments: ['refunded'] })
      await fail(orderId, type)
      expect(await bookOf(world, orderId)).toMatchObject({ ...cancelled, payments: ['captured'] })
      expect([await owedOf(paymentId), await refundedOf(paymentId), await listed(paymentId)]).toEqual([25_000, 0, true])
      expect((await reasonsOf(orderId)).at(-1)).toBe('refund_failed')
      await sweep(paymentId)
      expect(logged).toContainEqual(expect.objectContaining({ level: 50, payment: paymentId, owed: 25_000 }))
      expect(await bookOf(world, orderId)).toMatchObject({ ...cancelled, payments: ['refunded'] })
      expect([taken(orderId), await owedOf(paymentId), await listed(paymentId)]).toEqual([0, 0, false])
    },
  )

  it('is believed of Stripe’s list of refunds, also where the charge goes on counting it: a human is told, and no other is sent', async () => {
    const { customer, orderId, paymentId } = await paidOrder()
    await cancel(customer.scope, orderId)
    await fail(orderId, 'refund.failed', { counted: true })
    expect(await bookOf(world, orderId)).toMatchObject({ ...cancelled, payments: ['captured'] })
    expect([await owedOf(paymentId), await refundedOf(paymentId), await listed(paymentId)]).toEqual([25_000, 0, true])
    // Stripe takes no other refund of what it counts as given back.
    await sweep(paymentId)
    expect([await owedOf(paymentId), await listed(paymentId), refundsOf(orderId).length]).toEqual([25_000, true, 1])
    expect(await bookOf(world, orderId)).toMatchObject({ payments: ['captured'] })
    expect(await resolve(paymentId, true)).toMatchObject({ outcome: 'succeeded', result: { status: 'refunded' } })
  })

  it('a part that Stripe has only taken on is told as on its way, and the customer hears of it when it has arrived', async () => {
    const { orderId, paymentId } = await paidOrder()
    slow()
    expect(await refund(orderId, { amount: 5000 })).toMatchObject({
      outcome: 'succeeded',
      result: { payment: { status: 'captured', refunded: { amount: 0 }, refundPending: { amount: 5000 } } },
    })
    // It is not there to be given back a second time.
    await expect(refund(orderId, { amount: 20_001 })).rejects.toMatchObject({
      code: 'refund_too_large',
      details: { left: { amount: 20_000 } },
    })
    await settle(paymentId)
    expect((await bookOf(world, orderId)).mailed).toEqual(['confirmation', 'receipt'])
    await end(orderId, 'succeeded')
    // Its webhook is lost.
    await sweep(paymentId)
    const { mailed } = await bookOf(world, orderId)
    expect([mailed, await owedOf(paymentId), await listed(paymentId)]).toEqual([
      ['confirmation', 'receipt', 'refund'],
      0,
      false,
    ])
    const seen = viewPayment((await findPayment(safepoint.database, paymentId))!)
    expect([seen.refunded.amount, seen.refundPending]).toEqual([5000, undefined])
    await settle(paymentId)
    expect((await bookOf(world, orderId)).mailed).toEqual(mailed)
  })

  it.each(['failed', 'canceled'] as const)(
    'a part that was taken on and then %s: a human is told, also where its webhook is lost, and the customer was told nothing',
    async (outcome) => {
      const { orderId, paymentId } = await paidOrder()
      slow()
      await refund(orderId, { amount: 5000 })
      await end(orderId, outcome)
      await sweep(paymentId)
      expect([await refundedOf(paymentId), await owedOf(paymentId), await listed(paymentId)]).toEqual([0, 5000, true])
      expect((await reasonsOf(orderId)).at(-1)).toBe('refund_failed')
      expect((await bookOf(world, orderId)).mailed).toEqual(['confirmation', 'receipt'])
      expect([taken(orderId), refundsOf(orderId).length]).toEqual([25_000, 1])
    },
  )

  it('all that is left goes back while a part is on its way: the customer is told once, of all of it, when all has arrived', async () => {
    const { customer, orderId, paymentId } = await paidOrder()
    slow()
    await refund(orderId, { amount: 5000 })
    const part = refundsOf(orderId)[0]!
    expect(await cancel(customer.scope, orderId)).toMatchObject({
      outcome: 'succeeded',
      result: { status: 'cancelled', payment: { status: 'refunding' } },
    })
    await fetch(`${stripe.url}/_control/refunds/${part.id}/settle`, { method: 'POST', body: '{"outcome":"succeeded"}' })
    await sweep(paymentId)
    const { mailed, payments } = await bookOf(world, orderId)
    expect([payments, mailed]).toEqual([['refunded'], ['confirmation', 'receipt', 'refund']])
    const [mail] = await sql(`select data from pantry.mail where template = 'refund' and data->>'orderId' = $1`, [
      orderId,
    ])
    expect([mail!['data'].amount.amount, taken(orderId)]).toEqual([25_000, 0])
  })

  it('of a part: the sum is put right and a human is told; nobody sends it again unasked', async () => {
    const { orderId, paymentId } = await paidOrder()
    await refund(orderId, { amount: 5000 })
    await refund(orderId, { amount: 3000 })
    await fail(orderId, 'refund.failed')
    expect([await refundedOf(paymentId), await owedOf(paymentId), await listed(paymentId)]).toEqual([5000, 3000, true])
    await sweep(paymentId)
    await settle(paymentId)
    expect([taken(orderId), refundsOf(orderId).length]).toEqual([20_000, 2])
    expect(await bookOf(world, orderId)).toMatchObject({ status: 'completed', payments: ['captured'] })
    expect(await refund(orderId, { amount: 3000 })).toMatchObject({ outcome: 'succeeded' })
    expect([await refundedOf(paymentId), await owedOf(paymentId), await listed(paymentId)]).toEqual([8000, 0, false])
    expect(taken(orderId)).toBe(17_000)
  })

  it('and is made up for by other means: whoever did that says so, and it does not go back a second time', async () => {
    const part = await paidOrder()
    await refund(part.orderId, { amount: 5000 })
    await fail(part.orderId, 'refund.failed')
    expect(await resolve(part.paymentId, true)).toMatchObject({
      outcome: 'succeeded',
      result: { status: 'captured', refunded: { amount: 5000 } },
    })
    const whole = await paidOrder()
    await refund(whole.orderId)
    await fail(whole.orderId, 'refund.failed')
    expect(await resolve(whole.paymentId, true)).toMatchObject({
      outcome: 'succeeded',
      result: { status: 'refunded', refunded: { amount: 25_000 } },
    })
    for (const { orderId, paymentId } of [part, whole]) {
      expect([await owedOf(paymentId), await listed(paymentId)]).toEqual([0, false])
      expect((await reasonsOf(orderId)).at(-1)).toBe('refund_confirmed')
      // Stripe still counts it as taken; that is known.
      await settle(paymentId)
      await sweep(paymentId)
      expect([await owedOf(paymentId), taken(orderId), refundsOf(orderId).length]).toEqual([0, 25_000, 1])
    }
    // What is left of the one goes back, without what went back already.
    expect(await cancel(part.customer.scope, part.orderId)).toMatchObject({
      outcome: 'succeeded',
      result: { status: 'cancelled', payment: { status: 'refunded', refunded: { amount: 25_000 } } },
    })
    expect(taken(part.orderId)).toBe(5000)
    await settle(part.paymentId)
    expect(await bookOf(world, part.orderId)).toMatchObject({ ...cancelled, payments: ['refunded'] })
    expect(taken(part.orderId)).toBe(5000)
  })

  it('an answer from before a refund does not make it one that failed', async () => {
    const { orderId, paymentId } = await paidOrder()
    const barrier = stripe.faults.add({
      match: { method: 'GET', path: '/v1/payment_intents/*' },
      faults: [{ kind: 'hang', at: 'executed' }],
    })
    const settling = settle(paymentId).catch((error: { code: string }) => error)
    await barrier.held()
    expect(await refund(orderId, { amount: 5000 })).toMatchObject({ outcome: 'succeeded' })
    barrier.release()
    expect(await settling).toMatchObject({ outcome: 'failed', error: { code: 'conflict' } })
    expect([await refundedOf(paymentId), await owedOf(paymentId)]).toEqual([5000, 0])
    expect(await settle(paymentId)).toMatchObject({ outcome: 'succeeded' })
    expect([await refundedOf(paymentId), await owedOf(paymentId)]).toEqual([5000, 0])
  })

  it('a refund that was given up on, and had been made, is found by the next sweep: the order is cancelled after all', async () => {
    const { customer, orderId, paymentId } = await paidOrder()
    stripe.faults.add({ match: { method: 'POST', path: '/v1/refunds' }, faults: [{ kind: 'drop', at: 'executed' }] })
    stripe.faults.add({
      match: { method: 'GET', path: '/v1/refunds' },
      times: 1000,
      faults: [{ kind: 'error', status: 503, stored: false }],
    })
    const cancelling = cancel(customer.scope, orderId, 'cancel').catch(() => undefined)
    await until(() => refundsOf(orderId).length === 1)
    // A day has passed.
    await sql(`update safepoint.operation set deadline_at = clock_timestamp() where scope = $1 and key = 'cancel'`, [
      customer.scope,
    ])
    await until(async () => (await safepoint.find(customer.scope, 'cancel')).state === 'cancelled', {
      timeoutMs: 10_000,
    })
    await cancelling
    expect(await bookOf(world, orderId)).toMatchObject({ status: 'completed', payments: ['captured'], closing: false })
    stripe.faults.clear()
    await sweeping.work({}, new AbortController().signal)
    expect(await bookOf(world, orderId)).toMatchObject({ ...cancelled, reason: 'refunded', payments: ['refunded'] })
    expect([taken(orderId), refundsOf(orderId).length]).toEqual([0, 1])
    expect(await sql('select look_at from pantry.payment where id = $1', [paymentId])).toEqual([{ look_at: null }])
  })
})
