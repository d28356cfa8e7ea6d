import { randomUUID } from 'node:crypto'
import { afterEach, describe, expect, it } from 'vitest'
import { until } from '../../../safepoint/test/support/until.ts'
import { pino } from 'pino'
import { bookOf, orderWorld, placeOne } from '../test/order-world.ts'
import { sweepPayments } from './sweep-payments.ts'

const world = await orderWorld()
const { safepoint, operations, stripe, sql } = world
const never = new AbortController().signal
const sweeping = sweepPayments({
  safepoint,
  settlePayment: operations.settlePayment,
  log: pino({ level: 'silent' }),
})

afterEach(() => void stripe.faults.clear())

const confirm = (scope: string, id: string, paymentMethod?: string) =>
  safepoint.run(
    operations.confirmOrder,
    { id, gateway: 'stripe', ...(paymentMethod !== undefined && { paymentMethod }) },
    { scope, key: randomUUID() },
  )
const cancel = (scope: string, id: string) =>
  safepoint.run(operations.cancelOrder, { id }, { scope, key: randomUUID() })
const settle = (paymentId: string, composed = world.composed) =>
  composed.pantry.safepoint.run(composed.operations.orders.settlePayment, { paymentId }, { scope: 'shop' })
const payAt = (url: string, card = 'pm_card_visa') =>
  fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: `payment_method=${card}&action=pay`,
    redirect: 'manual',
  })

/** An order whose customer stands before the gateway's page. */
async function openPage(how: Parameters<typeof placeOne>[1] = {}) {
  const placed = await placeOne(world, how)
  return { ...placed, ...(await openAnother(placed)) }
}
async function openAnother({ customer, order }: Pick<Awaited<ReturnType<typeof placeOne>>, 'customer' | 'order'>) {
  const opened = await confirm(customer.scope, order.id)
  if (opened.outcome !== 'succeeded') throw new Error(JSON.stringify(opened))
  const { id: paymentId, checkout } = opened.result.payment
  return { paymentId, url: checkout!.url! }
}
const endPage = (paymentId: string) =>
  sql(`update pantry.payment set page_until = clock_timestamp() - interval '1 second' where id = $1`, [paymentId])
const runOut = async (orderId: string) => {
  await sql(`update pantry.orders set reserved_until = clock_timestamp() - interval '1 second' where id = $1`, [
    orderId,
  ])
  await sql(
    `update pantry.reservation set expires_at = clock_timestamp() - interval '1 second' where order_id = $1 and state = 'held'`,
    [orderId],
  )
}
const intentOf = (orderId: string) =>
  [...stripe.book.intents.values()].findLast(({ metadata }) => metadata['order'] === orderId)!
const sessionOf = (orderId: string) =>
  [...stripe.book.sessions.values()].findLast((session) => session.client_reference_id === orderId)!

const paid = {
  status: 'completed',
  payments: ['captured'],
  history: ['pending', 'awaiting_payment', 'processing', 'payment_verified', 'completed'],
  stock: [{ on_hand: 3, reserved: 0, moved: 3 }],
  mails: 1,
  mailed: ['confirmation', 'receipt'],
  charges: 1,
  net: 25_000,
}

describe('a payment is brought to where its gateway says that it stands', () => {
  it('an open page: nothing changes, however often it is asked', async () => {
    const { order, paymentId } = await openPage()
    const before = await bookOf(world, order.id)
    for (let time = 0; time < 3; time++)
      expect(await settle(paymentId)).toMatchObject({ outcome: 'succeeded', result: { status: 'requires_action' } })
    expect(await bookOf(world, order.id)).toEqual(before)
    expect(before).toMatchObject({
      status: 'awaiting_payment',
      payments: ['requires_action'],
      mailed: ['confirmation'],
    })
  })

  it('a paid page: the order is completed once, however many ask at once, on two processes', async () => {
    const other = await world.another()
    const { order, paymentId, url } = await openPage()
    await payAt(url)
    const asked = await Promise.allSettled(
      Array.from({ length: 10 }, (_, at) => settle(paymentId, at % 2 === 0 ? world.composed : other)),
    )
    for (const one of asked) if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'conflict' })
    expect(await settle(paymentId)).toMatchObject({ outcome: 'succeeded', result: { status: 'captured' } })
    expect(await bookOf(world, order.id)).toMatchObject(paid)
  })

  it('the browser that comes back and the settling that a webhook asks for meet: one order, one decrement, one receipt', async () => {
    const back = ({ customer, order }: { customer: { scope: string }; order: { id: string } }) =>
      confirm(customer.scope, order.id)
    for (const order of ['browser first', 'webhook first', 'at once'] as const) {
      const opened = await openPage()
      await payAt(opened.url)
      if (order === 'browser first') expect(await back(opened)).toMatchObject({ outcome: 'succeeded' })
      if (order === 'webhook first') expect(await settle(opened.paymentId)).toMatchObject({ outcome: 'succeeded' })
      if (order === 'at once') await Promise.allSettled([back(opened), settle(opened.paymentId)])
      expect(await settle(opened.paymentId)).toMatchObject({ outcome: 'succeeded' })
      expect(await back(opened)).toMatchObject({ outcome: 'succeeded', result: { order: { status: 'completed' } } })
      expect(await bookOf(world, opened.order.id)).toMatchObject(paid)
    }
  })

  it('declined on the page: payment and order fail, one mail says so; a later capture goes on to the end', async () => {
    const { order, paymentId, url } = await openPage()
    await payAt(url, 'pm_card_chargeDeclined')
    for (let time = 0; time < 2; time++)
      expect(await settle(paymentId)).toMatchObject({
        outcome: 'succeeded',
        result: { status: 'failed', declineCode: 'generic_decline' },
      })
    expect(await bookOf(world, order.id)).toMatchObject({
      status: 'failed',
      reason: 'declined',
      payments: ['failed'],
      mailed: ['confirmation', 'payment_failed'],
      stock: [{ on_hand: 5, reserved: 2 }],
    })
    await payAt(url)
    await settle(paymentId)
    expect(await bookOf(world, order.id)).toMatchObject({
      ...paid,
      history: ['pending', 'awaiting_payment', 'failed', 'processing', 'payment_verified', 'completed'],
      mailed: ['confirmation', 'payment_failed', 'receipt'],
    })
  })

  it('an attempt that was declined and then replaced by a card: what is paid on its page afterwards goes back', async () => {
    const { customer, order, paymentId, url } = await openPage()
    await payAt(url, 'pm_card_chargeDeclined')
    await settle(paymentId)
    expect(await confirm(customer.scope, order.id, 'pm_card_visa')).toMatchObject({ outcome: 'succeeded' })
    // As at a gateway that cannot close a page.
    await payAt(url)
    expect((await bookOf(world, order.id)).net).toBe(50_000)
    await settle(paymentId)
    await settle(paymentId)
    expect(await bookOf(world, order.id)).toMatchObject({
      status: 'completed',
      payments: ['refunded', 'captured'],
      charges: 2,
      net: 25_000,
      stock: [{ on_hand: 3, reserved: 0, moved: 3 }],
      mailed: ['confirmation', 'payment_failed', 'receipt', 'refund'],
    })
  })

  it('the page of an attempt that was replaced is closed by the queue, so that it cannot be paid', async () => {
    const { customer, order, paymentId, url } = await openPage()
    await payAt(url, 'pm_card_chargeDeclined')
    await settle(paymentId)
    await openAnother({ customer, order })
    await world.jobs.work([sweeping])
    await until(async () => (await fetch(url)).status === 410, { timeoutMs: 10_000 })
    expect((await payAt(url)).status).toBe(410)
    expect(await bookOf(world, order.id)).toMatchObject({ payments: ['failed', 'requires_action'], charges: 0 })
  })

  it('paid after the order was cancelled: the money goes back, the order stays as it is', async () => {
    const { customer, order, paymentId, url } = await openPage()
    await payAt(url, 'pm_card_chargeDeclined')
    await settle(paymentId)
    // Nothing is live: the order is cancelled at once, and the page is still open.
    await cancel(customer.scope, order.id)
    await payAt(url)
    const before = await bookOf(world, order.id)
    expect(before).toMatchObject({ status: 'cancelled', net: 25_000 })
    await Promise.allSettled([settle(paymentId), settle(paymentId), settle(paymentId)])
    await settle(paymentId)
    expect(await bookOf(world, order.id)).toMatchObject({
      ...before,
      payments: ['refunded'],
      net: 0,
      mailed: ['confirmation', 'payment_failed', 'refund'],
    })
    expect(stripe.book.net('order')[order.id]).toMatchObject({ charges: 1, refunds: 1 })
  })

  it('another amount, or another currency, than was asked for goes back, and the order can still be paid', async () => {
    for (const change of [{ amount: 20_000, received: 20_000 }, { currency: 'usd' }]) {
      const { customer, order, paymentId, url } = await openPage()
      await payAt(url)
      const intent = intentOf(order.id)
      const charge = stripe.book.charges.get(intent.latest_charge as string)!
      if (change.amount !== undefined) {
        Object.assign(intent, { amount: change.amount, amount_received: change.amount })
        Object.assign(charge, { amount: change.amount, amount_captured: change.amount })
      } else Object.assign(intent, { currency: change.currency })
      await settle(paymentId)
      expect(await bookOf(world, order.id)).toMatchObject({
        status: 'awaiting_payment',
        payments: ['refunded'],
        net: 0,
      })
      expect(await confirm(customer.scope, order.id, 'pm_card_visa')).toMatchObject({ outcome: 'succeeded' })
      expect(await bookOf(world, order.id)).toMatchObject({ status: 'completed', payments: ['refunded', 'captured'] })
    }
  })

  it('the reservation has run out: it is taken again where there is stock', async () => {
    const { order, paymentId, url } = await openPage()
    await runOut(order.id)
    await payAt(url)
    await settle(paymentId)
    expect(await bookOf(world, order.id)).toMatchObject(paid)
  })

  it('the reservation has gone to somebody else: the money goes back, the order is cancelled, and the customer is told', async () => {
    const { customer, order, paymentId, url, variant } = await openPage({ stock: 2 })
    await runOut(order.id)
    const rival = await world.newCustomer()
    await world.addToCart(rival, variant, 2)
    await safepoint.run(operations.placeOrder, { addressId: rival.addressId }, { scope: rival.scope, key: 'place' })
    await payAt(url)
    await Promise.allSettled([settle(paymentId), settle(paymentId)])
    await settle(paymentId)
    expect(await bookOf(world, order.id)).toMatchObject({
      status: 'cancelled',
      reason: 'out_of_stock',
      payments: ['refunded'],
      history: ['pending', 'awaiting_payment', 'processing', 'error', 'cancelled'],
      closing: false,
      net: 0,
      mailed: ['confirmation', 'refund'],
      stock: [{ on_hand: 2, reserved: 2 }],
    })
    expect(stripe.book.net('order')[order.id]).toMatchObject({ charges: 1, refunds: 1 })
    expect(
      await sql(
        `select i.quantity from pantry.cart c join pantry.cart_item i on i.cart_id = c.id where c.account_id = $1 and c.state = 'active'`,
        [customer.accountId],
      ),
    ).toEqual([{ quantity: 2 }])
  })

  it('goes on with that refund for as long as the gateway is away, and gives back once', async () => {
    const { customer, order, paymentId, url } = await openPage()
    await payAt(url, 'pm_card_chargeDeclined')
    await settle(paymentId)
    await cancel(customer.scope, order.id)
    await payAt(url)
    const refunds = { method: 'POST', path: '/v1/refunds' }
    stripe.faults.add({ match: refunds, times: 2, faults: [{ kind: 'error', status: 503, stored: false }] })
    stripe.faults.add({ match: refunds, faults: [{ kind: 'drop', at: 'executed' }] })
    expect(await settle(paymentId)).toMatchObject({ outcome: 'succeeded', result: { status: 'refunded' } })
    expect(stripe.book.net('order')[order.id]).toMatchObject({ charges: 1, refunds: 1, net: 0 })
  })

  it('a page that has ended unpaid: the payment is void, and the order can be paid another way', async () => {
    const { customer, order, paymentId } = await openPage()
    Object.assign(sessionOf(order.id), { expires_at: Math.floor(Date.now() / 1000) - 1 })
    expect(await settle(paymentId)).toMatchObject({ outcome: 'succeeded', result: { status: 'voided' } })
    expect(await bookOf(world, order.id)).toMatchObject({ status: 'awaiting_payment', payments: ['voided'] })
    expect(await confirm(customer.scope, order.id, 'pm_card_visa')).toMatchObject({ outcome: 'succeeded' })
    expect(await bookOf(world, order.id)).toMatchObject({ status: 'completed', payments: ['voided', 'captured'] })
  })

  it('a charge whose outcome was not known: captured later, it completes the order; declined, it fails it', async () => {
    for (const outcome of ['succeeded', 'requires_payment_method'] as const) {
      const { customer, order } = await placeOne(world)
      stripe.faults.add({ match: { method: 'POST', path: '/v1/payment_intents' }, faults: [{ kind: 'processing' }] })
      const answer = await confirm(customer.scope, order.id, 'pm_card_visa')
      if (answer.outcome !== 'succeeded') throw new Error(JSON.stringify(answer))
      const { id: paymentId } = answer.result.payment
      await settle(paymentId)
      expect(await bookOf(world, order.id)).toMatchObject({ status: 'processing', payments: ['processing'] })
      await fetch(`${stripe.url}/_control/payment_intents/${intentOf(order.id).id}/settle`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ outcome: outcome === 'succeeded' ? 'succeeded' : 'failed' }),
      }).then(async (response) => expect(response.status, await response.text()).toBeLessThan(300))
      await settle(paymentId)
      expect(await bookOf(world, order.id)).toMatchObject(
        outcome === 'succeeded'
          ? { ...paid }
          : { status: 'failed', reason: 'declined', payments: ['failed'], mailed: ['confirmation', 'payment_failed'] },
      )
    }
  })

  it('given back past us: the payment is refunded, and the order cancelled unless it was shipped', async () => {
    for (const shipped of [false, true]) {
      const { customer, order } = await placeOne(world)
      const answer = await confirm(customer.scope, order.id, 'pm_card_visa')
      if (answer.outcome !== 'succeeded') throw new Error(JSON.stringify(answer))
      if (shipped) await sql(`update pantry.orders set fulfilment = 'shipped' where id = $1`, [order.id])
      const refund = (amount?: number) =>
        fetch(`${stripe.url}/v1/refunds`, {
          method: 'POST',
          headers: {
            authorization: 'Bearer sk_test_orders',
            'content-type': 'application/x-www-form-urlencoded',
          },
          body: `payment_intent=${intentOf(order.id).id}${amount === undefined ? '' : `&amount=${amount}`}`,
        })
      await refund(5000)
      await settle(answer.result.payment.id)
      expect(await sql('select status, refunded_amount from pantry.payment where order_id = $1', [order.id])).toEqual([
        { status: 'captured', refunded_amount: '5000' },
      ])
      await refund()
      await settle(answer.result.payment.id)
      await settle(answer.result.payment.id)
      expect(await bookOf(world, order.id)).toMatchObject({
        payments: ['refunded'],
        net: 0,
        mailed: ['confirmation', 'receipt', 'refund', 'refund'],
        ...(shipped
          ? { status: 'completed', stock: [{ on_hand: 3, reserved: 0, moved: 3 }] }
          : { status: 'cancelled', reason: 'refunded', stock: [{ on_hand: 5, reserved: 0, moved: 5 }] }),
      })
    }
  })
})

describe('who is in charge', () => {
  it('while a confirmation is under way nobody else decides about its payment', async () => {
    const { customer, order } = await placeOne(world)
    const barrier = stripe.faults.add({
      match: { method: 'POST', path: '/v1/payment_intents' },
      faults: [{ kind: 'hang', at: 'executed' }],
    })
    const paying = confirm(customer.scope, order.id, 'pm_card_visa')
    await barrier.held()
    const [{ id }] = (await sql('select id from pantry.payment where order_id = $1', [order.id])) as [{ id: string }]
    await expect(settle(id)).rejects.toMatchObject({ code: 'conflict', retryable: true, retryAfterMs: 1000 })
    barrier.release()
    expect(await paying).toMatchObject({ outcome: 'succeeded' })
    expect(await settle(id)).toMatchObject({ outcome: 'succeeded', result: { status: 'captured' } })
    expect(await sql('select handled_by from pantry.payment where id = $1', [id])).toEqual([{ handled_by: null }])
  })

  it('what is not there is payment_not_found, and leaves no trace', async () => {
    await expect(settle(randomUUID())).rejects.toMatchObject({ code: 'payment_not_found' })
    await expect(settle('nonsense')).rejects.toMatchObject({ code: 'payment_not_found' })
  })

  it('a gateway that cannot be asked changes nothing', async () => {
    const { order, paymentId, url } = await openPage()
    await payAt(url)
    stripe.faults.add({
      match: { method: 'GET', path: '/v1/checkout/sessions/*' },
      times: 20,
      faults: [{ kind: 'error', status: 503, stored: false }],
    })
    expect(await settle(paymentId)).toMatchObject({ outcome: 'failed' })
    expect(await bookOf(world, order.id)).toMatchObject({ status: 'awaiting_payment', payments: ['requires_action'] })
    stripe.faults.clear()
    await settle(paymentId)
    expect(await bookOf(world, order.id)).toMatchObject(paid)
  })
})

describe('the sweep', () => {
  const sweep = () => sweeping.work({}, never)

  it('completes what was paid and of which no webhook came, once its page has ended or ten minutes have passed', async () => {
    const early = await openPage()
    const ended = await openPage()
    const old = await openPage()
    for (const { url } of [early, ended, old]) await payAt(url)
    await endPage(ended.paymentId)
    await sql(`update pantry.payment set created_at = clock_timestamp() - interval '11 minutes' where id = $1`, [
      old.paymentId,
    ])
    await sweep()
    expect((await bookOf(world, early.order.id)).status).toBe('awaiting_payment')
    for (const { order } of [ended, old]) expect(await bookOf(world, order.id)).toMatchObject(paid)
    const looked = stripe.calls.list().length
    await sweep()
    expect(stripe.calls.list().length).toBe(looked)
  })

  it('an order whose time is up is completed, not refunded, when its page was paid in time', async () => {
    const { order, url } = await openPage()
    await payAt(url)
    await runOut(order.id)
    expect(await safepoint.run(operations.expireOrder, { orderId: order.id }, { scope: 'shop' })).toMatchObject({
      outcome: 'succeeded',
      result: { status: 'completed' },
    })
    expect(await bookOf(world, order.id)).toMatchObject({ ...paid, closing: false })
  })
})
