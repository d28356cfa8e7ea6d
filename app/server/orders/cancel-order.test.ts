import { randomUUID } from 'node:crypto'
import { afterEach, describe, expect, it } from 'vitest'
import { until } from '../../../safepoint/test/support/until.ts'
import type { SqlTransaction, Statement } from 'safepoint'
import { openActiveCart, putLinesBack, takeCart } from './cart-of-order.queries.ts'
import { expireOrders, expireOrdersJob } from './expire-order.ts'
import { bookOf, orderWorld, placeOne } from '../test/order-world.ts'

const world = await orderWorld()
const { safepoint, operations, stripe, sql } = world

const confirm = (scope: string, id: string, paymentMethod: string | undefined = 'pm_card_visa') =>
  safepoint.run(
    operations.confirmOrder,
    { id, gateway: 'stripe', ...(paymentMethod !== '' && { paymentMethod }) },
    { scope, key: randomUUID() },
  )
const cancel = (scope: string, id: string, key: string = randomUUID(), reason?: string) =>
  safepoint.run(operations.cancelOrder, { id, ...(reason !== undefined && { reason }) }, { scope, key })
const cartOf = (accountId: string) =>
  sql(
    `select i.variant_id, i.quantity from pantry.cart c join pantry.cart_item i on i.cart_id = c.id where c.account_id = $1 and c.state = 'active'`,
    [accountId],
  )
const pay = (url: string) =>
  fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'payment_method=pm_card_visa&action=pay',
    redirect: 'manual',
  })

afterEach(() => void stripe.faults.clear())

describe('cancelling an order', () => {
  it('releases the stock of a pending order and puts its lines back into the cart, with what is in there', async () => {
    const { customer, order, variant } = await placeOne(world)
    await world.addToCart(customer, variant, 1)
    const answer = await cancel(customer.scope, order.id, 'cancel', 'found it cheaper')
    expect(answer).toMatchObject({ outcome: 'succeeded', result: { status: 'cancelled', reason: 'customer_cancel' } })
    expect(await bookOf(world, order.id)).toMatchObject({
      status: 'cancelled',
      stock: [{ on_hand: 5, reserved: 0, moved: 5 }],
      payments: [],
      closing: false,
    })
    expect(await cartOf(customer.accountId)).toEqual([{ variant_id: variant.variantId, quantity: 3 }])
    expect(
      await sql('select note from pantry.order_history where order_id = $1 order by seq desc limit 1', [order.id]),
    ).toEqual([{ note: 'found it cheaper' }])
    expect(await cancel(customer.scope, order.id)).toMatchObject({
      outcome: 'succeeded',
      result: { status: 'cancelled' },
    })
    expect(await cartOf(customer.accountId)).toEqual([{ variant_id: variant.variantId, quantity: 3 }])
    await expect(confirm(customer.scope, order.id)).rejects.toMatchObject({ code: 'order_cancelled' })
  })

  it('puts the lines into the cart that is active when they come, also if the one before is ordered at that very moment', async () => {
    const { customer, variant } = await placeOne(world)
    const { database } = world.composed.pantry
    const blocked = () =>
      sql(`select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`)
    let end: Promise<unknown> = Promise.resolve()
    let closed = () => {}
    const rivalHasClosed = new Promise<void>((resolve) => (closed = resolve))
    const rival = () =>
      database.transaction({}, async (tx) => {
        const cart = await takeCart(tx, customer.accountId)
        await openActiveCart(tx, customer.accountId, cart!.version + 1)
        closed()
        await until(async () => (await blocked()).length > 0)
      })
    const done = await database.transaction({}, (tx) =>
      putLinesBack(
        {
          query: (async (statement: Statement) => {
            if (statement.name!.endsWith('_cart') && statement.text.includes('returning')) {
              end = rival()
              await rivalHasClosed
            }
            return tx.query(statement)
          }) as SqlTransaction['query'],
        },
        customer.accountId,
        [{ variantId: variant.variantId, quantity: 2 }],
      ),
    )
    await end
    expect(done).toMatchObject({ end: 'committed' })
    expect(await cartOf(customer.accountId)).toEqual([{ variant_id: variant.variantId, quantity: 2 }])
  })

  it('refunds a completed order, once, and takes the goods back into stock', async () => {
    const { customer, order } = await placeOne(world)
    await confirm(customer.scope, order.id)
    const other = await world.another()
    const answers = await Promise.allSettled([
      cancel(customer.scope, order.id),
      other.pantry.safepoint.run(
        other.operations.orders.cancelOrder,
        { id: order.id },
        { scope: customer.scope, key: randomUUID() },
      ),
    ])
    expect(answers.some(({ status }) => status === 'fulfilled')).toBe(true)
    for (const answer of answers) {
      if (answer.status === 'fulfilled') expect(answer.value).toMatchObject({ outcome: 'succeeded' })
      else expect(answer.reason).toMatchObject({ code: 'conflict', retryable: true })
    }
    expect(await bookOf(world, order.id)).toMatchObject({
      status: 'cancelled',
      payments: ['refunded'],
      stock: [{ on_hand: 5, reserved: 0, moved: 5 }],
      charges: 1,
      net: 0,
      closing: false,
    })
    expect(await cartOf(customer.accountId)).toEqual([])
  })

  it('closes an open page, and what was paid on it meanwhile is refunded', async () => {
    for (const isPaid of [false, true]) {
      const { customer, order } = await placeOne(world)
      const opened = await confirm(customer.scope, order.id, '')
      if (opened.outcome !== 'succeeded') throw new Error(JSON.stringify(opened))
      if (isPaid) await pay(opened.result.payment.checkout!.url!)
      expect(await cancel(customer.scope, order.id)).toMatchObject({
        outcome: 'succeeded',
        result: { status: 'cancelled' },
      })
      expect(await bookOf(world, order.id)).toMatchObject({
        payments: [isPaid ? 'refunded' : 'voided'],
        stock: [{ on_hand: 5, reserved: 0, moved: 5 }],
        charges: isPaid ? 1 : 0,
        net: 0,
      })
    }
  })

  it('goes on with a refund for as long as the gateway is away', async () => {
    const { customer, order } = await placeOne(world)
    await confirm(customer.scope, order.id)
    stripe.faults.add({
      match: { method: 'POST', path: '/v1/refunds' },
      times: 3,
      faults: [{ kind: 'error', status: 503, stored: false }],
    })
    stripe.faults.add({ match: { method: 'POST', path: '/v1/refunds' }, faults: [{ kind: 'drop', at: 'executed' }] })
    expect(await cancel(customer.scope, order.id)).toMatchObject({
      outcome: 'succeeded',
      result: { status: 'cancelled' },
    })
    expect(await bookOf(world, order.id)).toMatchObject({
      net: 0,
      payments: ['refunded'],
      stock: [{ on_hand: 5, reserved: 0, moved: 5 }],
    })
  })

  it('leaves a completed order as it was when the gateway turns the refund down', async () => {
    const { customer, order } = await placeOne(world)
    await confirm(customer.scope, order.id)
    const [{ gateway_reference: reference }] = (await sql(
      'select gateway_reference from pantry.payment where order_id = $1',
      [order.id],
    )) as [{ gateway_reference: string }]
    await sql(`update pantry.payment set gateway_reference = 'pi_of_nobody' where order_id = $1`, [order.id])
    const before = await bookOf(world, order.id)
    expect(await cancel(customer.scope, order.id)).toMatchObject({
      outcome: 'failed',
      error: { code: 'payment_refused' },
    })
    expect(await bookOf(world, order.id)).toEqual(before)
    await sql('update pantry.payment set gateway_reference = $2 where order_id = $1', [order.id, reference])
    expect(await cancel(customer.scope, order.id)).toMatchObject({
      outcome: 'succeeded',
      result: { status: 'cancelled' },
    })
  })

  it('refuses a shipped order, and one whose charge is under way, for as long as it is', async () => {
    const { customer, order } = await placeOne(world)
    const barrier = stripe.faults.add({
      match: { method: 'POST', path: '/v1/payment_intents' },
      faults: [{ kind: 'hang', at: 'begun' }],
    })
    const paying = confirm(customer.scope, order.id)
    await barrier.held()
    await expect(cancel(customer.scope, order.id, 'cancel')).rejects.toMatchObject({
      code: 'conflict',
      retryable: true,
      retryAfterMs: 1000,
      details: { status: 'processing' },
    })
    expect(await sql(`select from safepoint.operation where key = 'cancel' and scope = $1`, [customer.scope])).toEqual(
      [],
    )
    barrier.release()
    await paying
    await sql(`update pantry.orders set fulfilment = 'shipped' where id = $1`, [order.id])
    await expect(cancel(customer.scope, order.id, 'cancel')).rejects.toMatchObject({
      code: 'order_shipped',
      retryable: false,
    })
    expect(await bookOf(world, order.id)).toMatchObject({ status: 'completed', net: 25_000 })
    await expect(cancel((await world.newCustomer()).scope, order.id)).rejects.toMatchObject({ code: 'order_not_found' })
    // A refusal leaves no trace: once its cause is gone, the same request under the same key is done.
    await sql(`update pantry.orders set fulfilment = 'none' where id = $1`, [order.id])
    expect(await cancel(customer.scope, order.id, 'cancel')).toMatchObject({
      outcome: 'succeeded',
      result: { status: 'cancelled' },
    })
  })

  it('takes no cancel itself: money may be on its way back', async () => {
    const { customer, order } = await placeOne(world)
    await confirm(customer.scope, order.id)
    const barrier = stripe.faults.add({
      match: { method: 'POST', path: '/v1/refunds' },
      faults: [{ kind: 'hang', at: 'executed' }],
    })
    const running = cancel(customer.scope, order.id, 'back')
    await barrier.held()
    await expect(safepoint.cancel(customer.scope, 'back')).rejects.toMatchObject({ code: 'not_cancellable' })
    await expect(confirm(customer.scope, order.id)).rejects.toMatchObject({ code: 'conflict', retryable: true })
    barrier.release()
    expect(await running).toMatchObject({ outcome: 'succeeded', result: { status: 'cancelled' } })
  })
})

describe('an order whose reservation has run out', () => {
  const runOut = async (orderId: string) => {
    await sql(`update pantry.orders set reserved_until = clock_timestamp() - interval '1 second' where id = $1`, [
      orderId,
    ])
    await sql(
      `update pantry.reservation set expires_at = clock_timestamp() - interval '1 second' where order_id = $1 and state = 'held'`,
      [orderId],
    )
  }

  it('is cancelled as expired by the sweep, also after a decline and with a page open, and gives its lines back', async () => {
    const sweep = expireOrders(safepoint, operations.expireOrder)
    const pending = await placeOne(world)
    const declined = await placeOne(world)
    await confirm(declined.customer.scope, declined.order.id, 'pm_card_chargeDeclined')
    const open = await placeOne(world)
    await confirm(open.customer.scope, open.order.id, '')
    const living = await placeOne(world)
    for (const { order } of [pending, declined, open]) await runOut(order.id)
    await sweep.work({}, new AbortController().signal)
    for (const { order, customer, variant } of [pending, declined, open]) {
      expect(await bookOf(world, order.id)).toMatchObject({
        status: 'cancelled',
        reason: 'expired',
        stock: [{ on_hand: 5, reserved: 0 }],
        net: 0,
      })
      expect(await cartOf(customer.accountId)).toEqual([{ variant_id: variant.variantId, quantity: 2 }])
    }
    expect(await bookOf(world, living.order.id)).toMatchObject({ status: 'pending', stock: [{ reserved: 2 }] })
  })

  it('does not wait for one before it that cannot be cancelled', async () => {
    const [poison, after] = [await placeOne(world), await placeOne(world)]
    await runOut(poison.order.id)
    await runOut(after.order.id)
    await sql(`create function pantry.poisoned() returns trigger language plpgsql as $$ begin raise 'poisoned'; end $$`)
    await sql(`create trigger poisoned before update on pantry.orders for each row
      when (new.id = '${poison.order.id}'::uuid) execute function pantry.poisoned()`)
    try {
      const sweep = expireOrders(safepoint, operations.expireOrder)
      await expect(sweep.work({}, new AbortController().signal)).rejects.toThrow()
    } finally {
      await sql('drop function pantry.poisoned() cascade')
    }
    expect(await bookOf(world, after.order.id)).toMatchObject({ status: 'cancelled', reason: 'expired' })
    expect(await bookOf(world, poison.order.id)).toMatchObject({ status: 'pending' })
  })

  it('is swept by the queue, by the job that was enqueued with it', async () => {
    const { order } = await placeOne(world)
    await runOut(order.id)
    await sql(`update pgboss.job set start_after = now() where name = $1 and data->>'orderId' = $2`, [
      expireOrdersJob,
      order.id,
    ])
    await world.jobs.work([expireOrders(safepoint, operations.expireOrder)])
    await until(async () => (await bookOf(world, order.id)).status === 'cancelled', { timeoutMs: 10_000 })
    expect(await sql('select name from pgboss.schedule')).toEqual([{ name: expireOrdersJob }])
  })
})
