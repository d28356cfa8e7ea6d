import { randomUUID } from 'node:crypto'
import net from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { until } from '../../../safepoint/test/support/until.ts'
import { readOfferedGateways } from '../payments/offered-gateways.ts'
import { watchOrder } from './watch-order.ts'
import { bookOf, orderWorld, placeOne } from '../test/order-world.ts'

const world = await orderWorld()
const { safepoint, operations, stripe } = world
const card = { gateway: 'stripe', paymentMethod: 'pm_card_visa' }
const confirm = (
  scope: string,
  id: string,
  how: object = card,
  key: string = randomUUID(),
  { pantry, operations } = world.composed,
) =>
  pantry.safepoint.run(operations.orders.confirmOrder, { id, ...card, paymentMethod: undefined, ...how } as never, {
    scope,
    key,
  })

afterEach(() => void stripe.faults.clear())

const charging = { method: 'POST', path: '/v1/payment_intents' }
const paid = ['pending', 'awaiting_payment', 'processing', 'payment_verified', 'completed']

describe('confirming an order', () => {
  it('charges once, books the stock, queues one receipt, and writes one history row a state', async () => {
    const { customer, order } = await placeOne(world)
    const answer = await confirm(customer.scope, order.id, card, 'pay')
    if (answer.outcome !== 'succeeded') throw new Error(JSON.stringify(answer))
    expect(answer.result).toMatchObject({
      order: { id: order.id, status: 'completed' },
      payment: { gateway: 'stripe', status: 'captured', amount: { amount: 25_000, currency: 'INR' } },
    })
    expect(await bookOf(world, order.id)).toEqual({
      status: 'completed',
      reason: 'booked',
      closing: false,
      payments: ['captured'],
      stock: [{ on_hand: 3, reserved: 0, moved: 3 }],
      history: paid,
      mails: 1,
      mailed: ['confirmation', 'receipt'],
      charges: 1,
      net: 25_000,
    })
    const replay = await confirm(customer.scope, order.id, card, 'pay')
    expect(replay).toMatchObject({ outcome: 'succeeded', replayed: true, result: answer.result })
    const otherKey = await confirm(customer.scope, order.id, card)
    expect(otherKey).toMatchObject({ outcome: 'succeeded', result: { payment: { id: answer.result.payment.id } } })
    expect((await bookOf(world, order.id)).charges).toBe(1)
  })

  it('leaves a declined order failed, its stock held, and takes another card under another key', async () => {
    const { customer, order } = await placeOne(world)
    const declined = await confirm(
      customer.scope,
      order.id,
      { paymentMethod: 'pm_card_chargeDeclinedInsufficientFunds' },
      'first',
    )
    expect(declined).toMatchObject({
      outcome: 'failed',
      error: { code: 'payment_declined', details: { declineCode: 'insufficient_funds' } },
    })
    expect(await bookOf(world, order.id)).toMatchObject({
      status: 'failed',
      reason: 'declined',
      payments: ['failed'],
      stock: [{ on_hand: 5, reserved: 2 }],
      charges: 0,
      mails: 0,
    })
    expect(
      await confirm(customer.scope, order.id, { paymentMethod: 'pm_card_chargeDeclinedInsufficientFunds' }, 'first'),
    ).toMatchObject({ outcome: 'failed', replayed: true })
    expect(await confirm(customer.scope, order.id, card, 'second')).toMatchObject({ outcome: 'succeeded' })
    expect(await bookOf(world, order.id)).toMatchObject({
      status: 'completed',
      payments: ['failed', 'captured'],
      history: [
        'pending',
        'awaiting_payment',
        'processing',
        'failed',
        'awaiting_payment',
        'processing',
        'payment_verified',
        'completed',
      ],
      charges: 1,
    })
  })

  it('makes one charge when the answer of the charge is lost', async () => {
    const { customer, order } = await placeOne(world)
    stripe.faults.add({ match: charging, faults: [{ kind: 'drop', at: 'executed' }] })
    expect(await confirm(customer.scope, order.id)).toMatchObject({
      outcome: 'succeeded',
      result: { payment: { status: 'captured' } },
    })
    expect(await bookOf(world, order.id)).toMatchObject({
      status: 'completed',
      charges: 1,
      net: 25_000,
      payments: ['captured'],
    })
  })

  it.each(['begun', 'executed'] as const)(
    'cancelled while the charge is held (%s), it is told the truth, and no money stays taken',
    async (at) => {
      const { customer, order } = await placeOne(world)
      const barrier = stripe.faults.add({ match: charging, faults: [{ kind: 'hang', at }] })
      const running = confirm(customer.scope, order.id, card, 'pay')
      await barrier.held()
      const verdict = await safepoint.cancel(customer.scope, 'pay', { reason: 'changed my mind' })
      expect(verdict).toMatchObject({ outcome: 'undoing', target: 'cancelled' })
      barrier.release()
      expect(await running).toMatchObject({ outcome: 'cancelled' })
      expect(await safepoint.cancel(customer.scope, 'pay')).toMatchObject({ outcome: 'cancelled', repeat: true })
      const book = await bookOf(world, order.id)
      expect(book).toMatchObject({
        status: 'awaiting_payment',
        payments: ['voided'],
        stock: [{ on_hand: 5, reserved: 2, moved: 5 }],
        net: 0,
        mails: 0,
      })
      // The order can still be paid.
      expect(await confirm(customer.scope, order.id)).toMatchObject({ outcome: 'succeeded' })
      expect(await bookOf(world, order.id)).toMatchObject({
        status: 'completed',
        net: 25_000,
        payments: ['voided', 'captured'],
      })
    },
  )

  it('cancelled at any point, from another process, every answer agrees with the book of the gateway', async () => {
    const other = await world.another()
    const seen = new Set<string>()
    for (let round = 0; round < 40; round++) {
      const { customer, order } = await placeOne(world)
      const { scope } = customer
      const running = confirm(scope, order.id, card, 'pay').catch((error: { code: string }) => ({
        outcome: error.code,
      }))
      await new Promise((resolve) => setTimeout(resolve, round))
      const told = await other.pantry.safepoint.cancel(scope, 'pay')
      const { outcome } = await running
      const last = await until(async () => {
        const now = await safepoint.cancel(scope, 'pay')
        return now.outcome === 'undoing' ? undefined : now
      })
      const book = await bookOf(world, order.id)
      seen.add(told.outcome)
      if (last.outcome === 'too_late') {
        expect([told.outcome, outcome]).toEqual(['too_late', 'succeeded'])
        expect(book).toMatchObject({ status: 'completed', charges: 1, net: 25_000, payments: ['captured'] })
      } else {
        expect(['cancelled', 'undoing']).toContain(told.outcome)
        expect(outcome).toBe('cancelled')
        expect(book).toMatchObject({ net: 0, mails: 0, closing: false, stock: [{ on_hand: 5, reserved: 2, moved: 5 }] })
        expect(['pending', 'awaiting_payment']).toContain(book.status)
        for (const status of book.payments) expect(['voided', 'refunded']).toContain(status)
      }
    }
    expect(seen).toContain('undoing')
  })

  it('takes one payment of one order from two confirmations under two keys on two processes', async () => {
    const other = await world.another()
    for (let round = 0; round < 5; round++) {
      const { customer, order } = await placeOne(world)
      const answers = await Promise.allSettled([
        confirm(customer.scope, order.id),
        confirm(customer.scope, order.id, card, randomUUID(), other),
      ])
      for (const answer of answers) {
        if (answer.status === 'rejected') expect(answer.reason).toMatchObject({ code: 'conflict', retryable: true })
        else expect(answer.value).toMatchObject({ outcome: 'succeeded', result: { order: { status: 'completed' } } })
      }
      expect(await bookOf(world, order.id)).toMatchObject({
        status: 'completed',
        charges: 1,
        net: 25_000,
        history: paid,
      })
    }
  })

  it('opens the page of the gateway, offers the same page again, and completes the order once the page is paid', async () => {
    const { customer, order } = await placeOne(world)
    const opened = await confirm(customer.scope, order.id, {})
    if (opened.outcome !== 'succeeded') throw new Error(JSON.stringify(opened))
    const { checkout } = opened.result.payment
    expect(checkout?.url).toContain(stripe.url)
    expect(opened.result).toMatchObject({
      order: { status: 'awaiting_payment' },
      payment: { status: 'requires_action' },
    })
    const again = await confirm(customer.scope, order.id, {})
    expect(again.outcome === 'succeeded' && again.result.payment).toMatchObject({
      id: opened.result.payment.id,
      status: 'requires_action',
      checkout: { url: checkout!.url },
    })
    const response = await fetch(checkout!.url!, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'payment_method=pm_card_visa&action=pay',
      redirect: 'manual',
    })
    expect(response.status).toBeLessThan(400)
    expect(await confirm(customer.scope, order.id, {})).toMatchObject({
      outcome: 'succeeded',
      result: { order: { status: 'completed' } },
    })
    expect(await bookOf(world, order.id)).toMatchObject({
      status: 'completed',
      payments: ['captured'],
      history: paid,
      charges: 1,
      mails: 1,
    })
  })

  it('puts everything back when the page cannot be opened, and when it is cancelled while it opens', async () => {
    const { customer, order } = await placeOne(world)
    const sessions = { method: 'POST', path: '/v1/checkout/sessions' }
    stripe.faults.add({ match: sessions, times: 3, faults: [{ kind: 'drop', at: 'arrived' }] })
    expect(await confirm(customer.scope, order.id, {})).toMatchObject({
      outcome: 'failed',
      error: { code: 'gateway_unavailable' },
    })
    expect(await bookOf(world, order.id)).toMatchObject({
      status: 'awaiting_payment',
      payments: ['voided'],
      stock: [{ reserved: 2 }],
    })
    const barrier = stripe.faults.add({ match: sessions, faults: [{ kind: 'hang', at: 'executed' }] })
    const running = confirm(customer.scope, order.id, {}, 'page')
    await barrier.held()
    await safepoint.cancel(customer.scope, 'page')
    barrier.release()
    expect(await running).toMatchObject({ outcome: 'cancelled' })
    expect(await bookOf(world, order.id)).toMatchObject({
      status: 'awaiting_payment',
      payments: ['voided', 'voided'],
      net: 0,
    })
  })

  it('lets the bank ask the customer, who can still pay another way', async () => {
    const { customer, order } = await placeOne(world)
    const asked = await confirm(customer.scope, order.id, { paymentMethod: 'pm_card_authenticationRequired' })
    expect(asked).toMatchObject({
      outcome: 'succeeded',
      result: {
        order: { status: 'awaiting_payment' },
        payment: { status: 'requires_action', checkout: { url: expect.stringContaining(stripe.url) } },
      },
    })
    expect(await confirm(customer.scope, order.id)).toMatchObject({
      outcome: 'succeeded',
      result: { order: { status: 'completed' } },
    })
    expect(await bookOf(world, order.id)).toMatchObject({ payments: ['voided', 'captured'], charges: 1, net: 25_000 })
  })

  it('closes an open page before it charges a card: both cannot be paid', async () => {
    const { customer, order } = await placeOne(world)
    const opened = await confirm(customer.scope, order.id, {})
    if (opened.outcome !== 'succeeded') throw new Error(JSON.stringify(opened))
    expect(await confirm(customer.scope, order.id)).toMatchObject({
      outcome: 'succeeded',
      result: { order: { status: 'completed' } },
    })
    expect(await bookOf(world, order.id)).toMatchObject({ payments: ['voided', 'captured'], charges: 1 })
    expect(
      [...stripe.book.sessions.values()]
        .filter((session) => session.client_reference_id === order.id)
        .map(({ status }) => status),
    ).toEqual(['expired'])
  })

  it('puts everything back at once when the gateway cannot be reached at all', async () => {
    const credentials = { secretKey: 'sk_test', webhookSecret: 'whsec_test' }
    const gone = net.createServer()
    await new Promise<void>((listening) => gone.listen(0, '127.0.0.1', listening))
    const { port } = gone.address() as net.AddressInfo
    await new Promise((closed) => gone.close(closed))
    const gateways = readOfferedGateways({}, { stripe: { baseUrl: `http://127.0.0.1:${port}`, ...credentials } })
    const cutOff = await world.another({ gateways })
    const { customer, order } = await placeOne(world)
    const answer = await confirm(customer.scope, order.id, card, 'pay', cutOff)
    expect(answer).toMatchObject({ outcome: 'failed', error: { code: 'gateway_unavailable' } })
    expect(await bookOf(world, order.id)).toMatchObject({
      status: 'awaiting_payment',
      payments: ['voided'],
      stock: [{ on_hand: 5, reserved: 2 }],
    })
  })

  it('puts everything back when the gateway turns the request down, and refuses what it cannot do', async () => {
    const { customer, order } = await placeOne(world)
    expect(await confirm(customer.scope, order.id, { paymentMethod: 'pm_nobody' })).toMatchObject({
      outcome: 'failed',
      error: { code: 'payment_refused' },
    })
    expect(await bookOf(world, order.id)).toMatchObject({
      status: 'awaiting_payment',
      payments: ['voided'],
      stock: [{ on_hand: 5, reserved: 2 }],
      net: 0,
    })
    await expect(confirm(customer.scope, order.id, { gateway: 'razorpay', paymentMethod: 'x' })).rejects.toMatchObject({
      code: 'not_configured',
    })
    await expect(confirm((await world.newCustomer()).scope, order.id)).rejects.toMatchObject({
      code: 'order_not_found',
    })
    await expect(confirm(customer.scope, 'nonsense')).rejects.toMatchObject({ code: 'order_not_found' })
  })

  it('reserves again when the reservation has run out, and is refused when somebody else was faster', async () => {
    const { customer, order, variant } = await placeOne(world, { stock: 2 })
    const expire = (id: string) =>
      world.sql(
        `update pantry.reservation set expires_at = clock_timestamp() - interval '1 second' where order_id = $1 and state = 'held'`,
        [id],
      )
    await expire(order.id)
    const rival = await world.newCustomer()
    await world.addToCart(rival, variant, 2)
    const theirs = await safepoint.run(
      operations.placeOrder,
      { addressId: rival.addressId },
      { scope: rival.scope, key: 'place' },
    )
    if (theirs.outcome !== 'succeeded') throw new Error(theirs.outcome)
    await expect(confirm(customer.scope, order.id, card, 'pay')).rejects.toMatchObject({
      code: 'out_of_stock',
      details: { items: [{ available: 0, requested: 2 }] },
    })
    expect(await bookOf(world, order.id)).toMatchObject({ status: 'pending', payments: [], charges: 0 })
    await expire(theirs.result.id)
    expect(await confirm(customer.scope, order.id, card, 'pay')).toMatchObject({
      outcome: 'succeeded',
      result: { order: { status: 'completed' } },
    })
    expect((await bookOf(world, order.id)).stock).toEqual([{ on_hand: 0, reserved: 0, moved: 0 }])
  })

  it('keeps an order processing, never failed, while nobody knows what became of the charge', async () => {
    const { customer, order } = await placeOne(world)
    const barrier = stripe.faults.add({ match: charging, faults: [{ kind: 'processing' }] })
    const answer = await confirm(customer.scope, order.id)
    expect(answer).toMatchObject({
      outcome: 'succeeded',
      result: { order: { status: 'processing' }, payment: { status: 'processing' } },
    })
    barrier.release()
    await expect(
      safepoint.run(operations.cancelOrder, { id: order.id }, { scope: customer.scope, key: 'cancel' }),
    ).rejects.toMatchObject({ code: 'conflict', retryable: true })
    expect(await bookOf(world, order.id)).toMatchObject({
      status: 'processing',
      payments: ['processing'],
      stock: [{ reserved: 2 }],
    })
  })

  it('tells watchers of the order', async () => {
    const { customer, order } = await placeOne(world)
    const controller = new AbortController()
    const seen: string[] = []
    const watching = (async () => {
      for await (const { data } of watchOrder(
        { safepoint, database: safepoint.database } as never,
        order.id,
        controller.signal,
      ))
        seen.push((data as { status: string }).status)
    })()
    await until(() => seen.length === 1)
    await confirm(customer.scope, order.id)
    await until(() => seen.at(-1) === 'completed')
    controller.abort()
    await watching
    expect(seen[0]).toBe('pending')
  })
})
