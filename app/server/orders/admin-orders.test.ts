import { randomUUID } from 'node:crypto'
import { afterEach, describe, expect, it } from 'vitest'
import { bookOf, orderWorld, placeOne } from '../test/order-world.ts'

const world = await orderWorld()
const { safepoint, operations, stripe, sql } = world
const origin = await world.listen()

afterEach(() => void stripe.faults.clear())

const post = (path: string, body: object, headers: Record<string, string> = {}) =>
  fetch(`${origin}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })

/** Logged in as an account of that role. */
async function loggedIn(role: 'admin' | 'customer') {
  const who = { email: `${randomUUID()}@example.com`, password: 'correct horse battery' }
  await post('/api/auth/register', { ...who, name: role })
  await sql('update pantry.account set role = $2 where email = $1', [who.email, role])
  const { accessToken, user } = (await (await post('/api/auth/login', who)).json()) as {
    accessToken: string
    user: { id: string }
  }
  const send = async (method: string, path: string, body?: object, headers: Record<string, string> = {}) => {
    const response = await fetch(`${origin}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${accessToken}`,
        ...(body && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text) }
  }
  return { send, id: user.id, email: who.email }
}

const admin = await loggedIn('admin')
const act = (id: string, what: 'ship' | 'refund', body: object = {}, key: string = randomUUID()) =>
  admin.send('POST', `/api/admin/orders/${id}/${what}`, body, { 'idempotency-key': key })

async function paidOrder() {
  const placed = await placeOne(world)
  const answer = await safepoint.run(
    operations.confirmOrder,
    { id: placed.order.id, gateway: 'stripe', paymentMethod: 'pm_card_visa' },
    { scope: placed.customer.scope, key: 'pay' },
  )
  if (answer.outcome !== 'succeeded') throw new Error(JSON.stringify(answer))
  return { ...placed, paymentId: answer.result.payment.id }
}
const historyOf = async (id: string) => (await admin.send('GET', `/api/admin/orders/${id}`)).body.history

describe('orders, as administrators see and move them', () => {
  it('are listed of all accounts, by status and by address, page by page', async () => {
    const shop = [await paidOrder(), await placeOne(world), await placeOne(world)]
    const [{ email }] = (await sql('select email from pantry.account where id = $1', [
      shop[1]!.customer.accountId,
    ])) as [{ email: string }]
    const list = (query: string) => admin.send('GET', `/api/admin/orders?${query}`)
    const mine = await list(`email=${encodeURIComponent(email.toUpperCase())}`)
    expect(mine.body).toMatchObject({ items: [{ id: shop[1]!.order.id, customer: { email } }], nextCursor: null })
    expect((await list('status=completed')).body.items.map(({ id }: { id: string }) => id)).toEqual([shop[0]!.order.id])
    const first = await list('limit=2')
    const second = await list(`limit=2&cursor=${first.body.nextCursor}`)
    expect([...first.body.items, ...second.body.items].map(({ id }) => id)).toEqual(
      shop.map(({ order }) => order.id).toReversed(),
    )
    expect((await list('status=paid')).body).toMatchObject({ status: 422, code: 'input_invalid' })
    expect((await list('email=nobody@example.com&status=pending')).body.items).toEqual([])
  })

  it('are closed to customers, and to nobody, and need a key', async () => {
    const { order } = await paidOrder()
    const customer = await loggedIn('customer')
    for (const [method, path, body] of [
      ['GET', '/api/admin/orders'],
      ['GET', `/api/admin/orders/${order.id}`],
      ['POST', `/api/admin/orders/${order.id}/ship`, {}],
      ['POST', `/api/admin/orders/${order.id}/refund`, { reason: 'x' }],
    ] as const) {
      const key = body && { 'idempotency-key': randomUUID() }
      expect((await customer.send(method, path, body, key)).body, path).toMatchObject({
        status: 403,
        code: 'forbidden',
      })
      expect((await fetch(`${origin}${path}`, { method })).status, path).toBe(401)
    }
    expect((await admin.send('POST', `/api/admin/orders/${order.id}/ship`, {})).body).toMatchObject({
      code: 'key_required',
    })
    expect(await bookOf(world, order.id)).toMatchObject({ status: 'completed', net: 25_000 })
  })

  it('ship once, only what is completed, and then the customer cannot cancel', async () => {
    const { order, customer } = await paidOrder()
    const unpaid = await placeOne(world)
    expect((await act(unpaid.order.id, 'ship')).body).toMatchObject({ status: 409, code: 'order_not_paid' })
    expect((await act(randomUUID(), 'ship')).body).toMatchObject({ status: 404, code: 'order_not_found' })
    const answers = await Promise.all([act(order.id, 'ship'), act(order.id, 'ship')])
    for (const answer of answers)
      expect(answer).toMatchObject({ status: 200, body: { status: 'completed', fulfilment: 'shipped' } })
    expect((await historyOf(order.id)).filter(({ reason }: { reason: string }) => reason === 'shipped')).toEqual([
      { from: 'completed', to: 'completed', reason: 'shipped', by: 'staff', actor: admin.id, at: expect.any(String) },
    ])
    await expect(
      safepoint.run(operations.cancelOrder, { id: order.id }, { scope: customer.scope, key: 'cancel' }),
    ).rejects.toMatchObject({ code: 'order_shipped' })
  })

  it('refund in parts, never more than was paid; the last part cancels an order that has not left', async () => {
    const { order, paymentId } = await paidOrder()
    expect((await act(order.id, 'refund', { amount: 25_001, reason: 'too much' })).body).toMatchObject({
      status: 422,
      code: 'refund_too_large',
      left: { amount: 25_000, currency: 'INR' },
    })
    const dollars = { amount: 10_000, currency: 'USD' }
    expect((await act(order.id, 'refund', { amount: dollars, reason: 'one was broken' })).body).toMatchObject({
      status: 422,
      code: 'currency_mismatch',
    })
    const part = await act(order.id, 'refund', { amount: 10_000, reason: 'one was broken' }, 'part')
    expect(part).toMatchObject({
      status: 200,
      body: { status: 'completed', payment: { status: 'captured', refunded: { amount: 10_000 } } },
    })
    expect(await act(order.id, 'refund', { amount: 10_000, reason: 'one was broken' }, 'part')).toEqual(part)
    expect((await act(order.id, 'refund', { amount: 15_001, reason: 'x' })).body).toMatchObject({
      left: { amount: 15_000 },
    })
    // News of our own refund changes nothing.
    await safepoint.run(operations.settlePayment, { paymentId }, { scope: 'shop' })
    expect(await bookOf(world, order.id)).toMatchObject({ net: 15_000, stock: [{ on_hand: 3, moved: 3 }] })
    // An amount may say its currency, as amounts do everywhere else.
    const rest = { amount: 15_000, currency: 'INR' }
    expect(await act(order.id, 'refund', { amount: rest, reason: 'the rest' })).toMatchObject({
      body: { status: 'cancelled', reason: 'refunded', payment: { status: 'refunded', refunded: { amount: 25_000 } } },
    })
    expect(await bookOf(world, order.id)).toMatchObject({
      net: 0,
      stock: [{ on_hand: 5, reserved: 0, moved: 5 }],
      closing: false,
      mailed: ['confirmation', 'receipt', 'refund', 'refund'],
    })
    expect(
      await sql(
        `select data->'amount'->>'amount' as amount from pantry.mail where template = 'refund' and data->>'orderId' = $1 order by id`,
        [order.id],
      ),
    ).toEqual([{ amount: '10000' }, { amount: '15000' }])
    expect((await historyOf(order.id)).slice(-2)).toMatchObject([
      { to: 'completed', reason: 'partly_refunded', note: 'one was broken', by: 'staff', actor: admin.id },
      { to: 'cancelled', reason: 'refunded', note: 'the rest', by: 'staff', actor: admin.id },
    ])
    expect((await act(order.id, 'refund', { reason: 'again' })).body).toMatchObject({
      status: 409,
      code: 'nothing_to_refund',
    })
    expect(stripe.book.net('order')[order.id]).toMatchObject({ refunds: 2, refunded: 25_000 })
  })

  it('refund a shipped order: only the money moves', async () => {
    const { order } = await paidOrder()
    await act(order.id, 'ship')
    expect(await act(order.id, 'refund', { reason: 'lost on the way' })).toMatchObject({
      status: 200,
      body: { status: 'completed', fulfilment: 'shipped', payment: { status: 'refunded' } },
    })
    expect(await bookOf(world, order.id)).toMatchObject({
      net: 0,
      stock: [{ on_hand: 3, moved: 3 }],
      payments: ['refunded'],
    })
  })

  it('two administrators refund at once, and a customer cancels: the money goes back once', async () => {
    const { order, customer } = await paidOrder()
    const answers = await Promise.allSettled([
      act(order.id, 'refund', { reason: 'one' }),
      act(order.id, 'refund', { reason: 'two' }),
      safepoint.run(operations.cancelOrder, { id: order.id }, { scope: customer.scope, key: 'cancel' }),
    ])
    expect(answers.some((answer) => answer.status === 'fulfilled')).toBe(true)
    expect(await bookOf(world, order.id)).toMatchObject({
      status: 'cancelled',
      payments: ['refunded'],
      net: 0,
      closing: false,
      stock: [{ on_hand: 5, reserved: 0, moved: 5 }],
    })
    expect(stripe.book.net('order')[order.id]).toMatchObject({ refunds: 1 })
  })

  it('a lost answer of a part is one refund, and one that is turned down changes nothing', async () => {
    const { order } = await paidOrder()
    const refunds = { method: 'POST', path: '/v1/refunds' }
    stripe.faults.add({ match: refunds, times: 2, faults: [{ kind: 'drop', at: 'executed' }] })
    expect(await act(order.id, 'refund', { amount: 5000, reason: 'late' })).toMatchObject({ status: 200 })
    expect(stripe.book.net('order')[order.id]).toMatchObject({ refunds: 1, refunded: 5000 })
    const before = await bookOf(world, order.id)
    stripe.faults.add({ match: refunds, faults: [{ kind: 'decline', code: 'balance_insufficient' }] })
    expect((await act(order.id, 'refund', { amount: 5000, reason: 'late' })).body).toMatchObject({
      code: 'payment_refused',
    })
    expect(await bookOf(world, order.id)).toEqual(before)
    expect(await sql('select handled_by, refunded_amount from pantry.payment where order_id = $1', [order.id])).toEqual(
      [{ handled_by: null, refunded_amount: '5000' }],
    )
    await expect(
      sql('update pantry.payment set refunded_amount = 25001 where order_id = $1', [order.id]),
    ).rejects.toMatchObject({ constraint: 'payment_refunded' })
  })
})
