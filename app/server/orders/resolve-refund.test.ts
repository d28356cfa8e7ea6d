import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { until } from '../../../safepoint/test/support/until.ts'
import { press } from '../../simulators/cardcom/browser.ts'
import { startCardcomSimulator } from '../../simulators/cardcom/start-cardcom-simulator.ts'
import { readOfferedGateways } from '../payments/offered-gateways.ts'
import { bookOf, orderWorld, type Customer } from '../test/order-world.ts'

// CardCom takes the same refund twice for two: whatever is in doubt about one waits for a human.
const config = { terminalNumber: 1000, apiName: 'api', apiPassword: 'password' }
const cardcom = await startCardcomSimulator(config)
afterAll(() => cardcom.close())
afterEach(() => void cardcom.faults.clear())

const world = await orderWorld({
  currency: 'ILS',
  gateways: readOfferedGateways({}, { cardcom: { baseUrl: cardcom.url, ...config } }),
})
const { safepoint, operations, sql } = world
const origin = await world.listen()
const refunding = { path: '/api/v11/Transactions/RefundByTransactionId' }
const refundCalls = () => cardcom.calls.list().filter(({ path }) => path === refunding.path).length
const net = (orderId: string) => cardcom.book.net('order')[orderId] ?? { net: 0, refunds: 0, charges: 0 }
/** `executed`: the money went back and nobody was told. `arrived`: it did not. */
const loseRefund = (at: 'executed' | 'arrived') =>
  cardcom.faults.add({ match: refunding, faults: [{ kind: 'drop', at }] })

async function loggedIn(role: 'admin' | 'customer') {
  const who = { email: `${randomUUID()}@example.com`, password: 'correct horse battery' }
  const post = (path: string, body: object) =>
    fetch(`${origin}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  await (await post('/api/auth/register', { ...who, name: role })).arrayBuffer()
  await sql('update pantry.account set role = $2 where email = $1', [who.email, role])
  const { accessToken, user } = (await (await post('/api/auth/login', who)).json()) as any
  const send = async (method: string, path: string, body?: object, key?: string) => {
    const response = await fetch(`${origin}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${accessToken}`,
        ...(body && { 'content-type': 'application/json' }),
        ...(key !== undefined && { 'idempotency-key': key }),
      },
      ...(body && { body: JSON.stringify(body) }),
    })
    return { status: response.status, body: (await response.json()) as any }
  }
  return { id: user.id as string, send }
}
const admin = await loggedIn('admin')
const resolve = (paymentId: string, returned: boolean, key: string = randomUUID(), note = 'seen at the dashboard') =>
  admin.send('POST', `/api/admin/payments/${paymentId}/resolve-refund`, { returned, note }, key)
const waiting = async (paymentId: string) => {
  const { body } = await admin.send('GET', '/api/admin/payments?state=needs_attention&limit=100')
  return body.items.find(({ id }: { id: string }) => id === paymentId)?.attention
}
const historyOf = async (orderId: string) =>
  (await admin.send('GET', `/api/admin/orders/${orderId}`)).body.history as Array<Record<string, unknown>>
const settle = (paymentId: string) => safepoint.run(operations.settlePayment, { paymentId }, { scope: 'shop' })
const cancel = (scope: string, id: string, key: string = randomUUID()) =>
  safepoint.run(operations.cancelOrder, { id }, { scope, key })
const refund = (id: string, more: object, key: string) =>
  safepoint.run(operations.refundOrder, { id, reason: 'a complaint', ...more }, { scope: 'staff', key })

async function fullCart() {
  const customer = await world.newCustomer()
  const variant = await world.newVariant(5)
  await sql(`update pantry.product set currency = 'ILS' where id = $1`, [variant.productId])
  await world.addToCart(customer, variant, 2)
  return customer
}
async function place(customer: Customer) {
  const placed = await safepoint.run(
    operations.placeOrder,
    { addressId: customer.addressId },
    { scope: customer.scope, key: 'place' },
  )
  if (placed.outcome !== 'succeeded') throw new Error(JSON.stringify(placed))
  return placed.result.id
}
/** An order, paid on CardCom's page, by one of the three ways that can be undone. */
async function paidOrder(by: 'order.place' | 'order.confirm' | 'payment.create-from-cart') {
  const customer = await fullCart()
  const { scope, addressId } = customer
  let made: { readonly orderId: string; readonly paymentId: string; readonly url: string; readonly id: string }
  if (by === 'payment.create-from-cart') {
    const answer = await safepoint.run(
      operations.payCart,
      { gateway: 'cardcom', shippingAddress: addressId, currency: 'ILS' },
      { scope, key: by },
    )
    if (answer.outcome !== 'succeeded') throw new Error(JSON.stringify(answer))
    made = { ...answer.result, url: answer.result.checkout!.url!, id: answer.operationId }
  } else {
    const orderId = await place(customer)
    const answer = await safepoint.run(
      operations.confirmOrder,
      { id: orderId, gateway: 'cardcom' },
      { scope, key: 'order.confirm' },
    )
    if (answer.outcome !== 'succeeded') throw new Error(JSON.stringify(answer))
    const { id: paymentId, checkout } = answer.result.payment
    made = { orderId, paymentId, url: checkout!.url!, id: answer.operationId }
    if (by === 'order.place') {
      const [row] = await sql(`select id from safepoint.operation where scope = $1 and key = 'place'`, [scope])
      made = { ...made, id: row!['id'] }
    }
  }
  await press(made, 'pay')
  await settle(made.paymentId)
  return { customer, ...made, undoKey: `~undo:${made.id}` }
}
const stuck = (scope: string, key: string) =>
  until(async () => (await safepoint.find(scope, key)).state === 'needs_attention')
const whole = { status: 'completed', payments: ['captured'], stock: [{ on_hand: 3, reserved: 0, moved: 3 }] }
const undone = { status: 'cancelled', payments: ['refunded'], stock: [{ on_hand: 5, reserved: 0, moved: 5 }] }

describe('an undo whose refund lost its answer', () => {
  it.each([
    ['order.place', 'place'],
    ['order.confirm', 'order.confirm'],
    ['payment.create-from-cart', 'payment.create-from-cart'],
  ] as const)('of %s leaves the order closed: no second refund is sent, whoever asks', async (by, key) => {
    const { customer, orderId, paymentId, undoKey } = await paidOrder(by)
    const { scope } = customer
    const before = refundCalls()
    loseRefund('executed')
    await expect(safepoint.undo(scope, key)).rejects.toMatchObject({ code: 'in_progress', retryable: false })
    await stuck(scope, undoKey)
    const closed = { status: 'completed', payments: ['refunding'], closing: true }
    expect(await bookOf(world, orderId)).toMatchObject(closed)
    await expect(safepoint.undo(scope, key)).rejects.toMatchObject({ code: 'in_progress' })
    await expect(cancel(scope, orderId)).rejects.toMatchObject({ code: 'conflict' })
    await expect(refund(orderId, {}, randomUUID())).rejects.toMatchObject({ code: 'conflict' })
    await expect(settle(paymentId)).rejects.toMatchObject({ code: 'conflict' })
    expect(await bookOf(world, orderId)).toMatchObject(closed)
    expect(refundCalls()).toBe(before + 1)
    expect(await waiting(paymentId)).toEqual({
      because: 'refund_unknown',
      amount: { amount: 25_000, currency: 'ILS' },
      operation: { key: undoKey, name: `${by}.undo`, step: 'returnMoneyCardcom' },
    })

    const answer = await resolve(paymentId, true, `seen ${by}`)
    expect(answer).toMatchObject({ status: 200, body: { id: paymentId, status: 'refunded' } })
    expect(await bookOf(world, orderId)).toMatchObject({ ...undone, reason: 'undone', closing: false })
    expect((await historyOf(orderId)).slice(-2)).toMatchObject([
      { to: 'completed', reason: 'refund_confirmed', note: 'seen at the dashboard', by: 'staff', actor: admin.id },
      { to: 'cancelled', reason: 'undone', by: 'staff', actor: admin.id },
    ])
    expect(await safepoint.find(scope, undoKey)).toMatchObject({ state: 'failed' })
    // What was not wanted after all is in the cart again.
    expect(
      await sql(
        `select i.quantity from pantry.cart c join pantry.cart_item i on i.cart_id = c.id where c.account_id = $1 and c.state = 'active'`,
        [customer.accountId],
      ),
    ).toEqual([{ quantity: 2 }])
    expect(await resolve(paymentId, true, `seen ${by}`)).toEqual(answer)
    expect((await resolve(paymentId, true)).body).toMatchObject({ status: 409, code: 'refund_not_in_doubt' })
    expect(await waiting(paymentId)).toBeUndefined()
    expect(net(orderId)).toMatchObject({ net: 0, charges: 1, refunds: 1 })
    expect(refundCalls()).toBe(before + 1)
  })
})

describe('a human who says that the money', () => {
  it('of a cancelled order did not go back opens it again: the next refund gives it back, once', async () => {
    const { customer, orderId, paymentId } = await paidOrder('order.confirm')
    loseRefund('arrived')
    await cancel(customer.scope, orderId, 'cancel').catch(() => undefined)
    await stuck(customer.scope, 'cancel')
    expect(await resolve(paymentId, false)).toMatchObject({ status: 200, body: { status: 'captured' } })
    expect(await bookOf(world, orderId)).toMatchObject({ ...whole, closing: false })
    expect((await historyOf(orderId)).at(-1)).toMatchObject({
      to: 'completed',
      reason: 'refund_not_made',
      note: 'seen at the dashboard',
      actor: admin.id,
    })
    expect(await safepoint.find(customer.scope, 'cancel')).toMatchObject({ state: 'failed' })
    expect(await cancel(customer.scope, orderId)).toMatchObject({ outcome: 'succeeded' })
    expect(await bookOf(world, orderId)).toMatchObject({ ...undone, reason: 'customer_cancel' })
    expect(net(orderId)).toMatchObject({ net: 0, refunds: 1 })
  })

  it('of a refund by staff went back: the order is cancelled as that had wanted; of a shipped one only the money moves', async () => {
    for (const shipped of [false, true]) {
      const { orderId, paymentId } = await paidOrder('order.confirm')
      if (shipped) await sql(`update pantry.orders set fulfilment = 'shipped' where id = $1`, [orderId])
      loseRefund('executed')
      const key = randomUUID()
      await refund(orderId, {}, key).catch(() => undefined)
      await stuck('staff', key)
      expect(await resolve(paymentId, true)).toMatchObject({ status: 200, body: { status: 'refunded' } })
      expect(await bookOf(world, orderId)).toMatchObject(
        shipped
          ? { ...whole, payments: ['refunded'], closing: false }
          : { ...undone, reason: 'refunded', closing: false },
      )
      expect(await sql('select handled_by, handled_key from pantry.payment where id = $1', [paymentId])).toEqual([
        { handled_by: null, handled_key: null },
      ])
    }
  })

  it('of a refund of a part went back, or did not: that part, and nothing else, is counted', async () => {
    const { orderId, paymentId } = await paidOrder('order.confirm')
    for (const [returned, refunded] of [
      [false, 0],
      [true, 4000],
    ] as const) {
      loseRefund(returned ? 'executed' : 'arrived')
      const key = randomUUID()
      await refund(orderId, { amount: 4000 }, key).catch(() => undefined)
      await stuck('staff', key)
      expect(await waiting(paymentId)).toMatchObject({ amount: { amount: 4000, currency: 'ILS' } })
      expect(await resolve(paymentId, returned)).toMatchObject({
        status: 200,
        body: { status: 'captured', refunded: { amount: refunded } },
      })
    }
    expect(await bookOf(world, orderId)).toMatchObject(whole)
    expect(net(orderId)).toMatchObject({ net: 21_000, refunds: 1 })
    // CardCom tells of the same part: it is not counted twice.
    await settle(paymentId)
    expect((await refund(orderId, {}, randomUUID())) as object).toMatchObject({ outcome: 'succeeded' })
    expect(net(orderId)).toMatchObject({ net: 0, refunds: 2 })
  })

  it('of a page that was paid after it was given up went back, or not: then the shop sends it again by itself', async () => {
    for (const returned of [true, false]) {
      const customer = await fullCart()
      const orderId = await place(customer)
      const opened = await safepoint.run(
        operations.confirmOrder,
        { id: orderId, gateway: 'cardcom' },
        { scope: customer.scope, key: 'page' },
      )
      if (opened.outcome !== 'succeeded') throw new Error(JSON.stringify(opened))
      const { id: paymentId, checkout } = opened.result.payment
      await cancel(customer.scope, orderId)
      await press({ url: checkout!.url }, 'pay')
      loseRefund(returned ? 'executed' : 'arrived')
      await settle(paymentId).catch(() => undefined)
      await until(async () => (await waiting(paymentId)) !== undefined)
      expect(await resolve(paymentId, returned)).toMatchObject({ status: 200 })
      if (!returned) await settle(paymentId)
      expect(await bookOf(world, orderId)).toMatchObject({ status: 'cancelled', payments: ['refunded'] })
      expect(net(orderId)).toMatchObject({ net: 0, charges: 1, refunds: 1 })
    }
  })

  it.each([true, false])(
    'of a confirmation that was cancelled when it had found its page paid went back (%s): the order waits for another payment',
    async (returned) => {
      const customer = await fullCart()
      const orderId = await place(customer)
      const { scope } = customer
      const confirm = (key: string) =>
        safepoint.run(operations.confirmOrder, { id: orderId, gateway: 'cardcom' }, { scope, key })
      const opened = await confirm('page')
      if (opened.outcome !== 'succeeded') throw new Error(JSON.stringify(opened))
      await press({ url: opened.result.payment.checkout!.url }, 'pay')
      const barrier = cardcom.faults.add({
        match: { path: '/api/v11/LowProfile/GetLpResult' },
        faults: [{ kind: 'hang', at: 'executed' }],
      })
      const paying = confirm('pay').catch(() => undefined)
      await barrier.held()
      loseRefund(returned ? 'executed' : 'arrived')
      expect(await safepoint.cancel(scope, 'pay')).toMatchObject({ outcome: 'undoing' })
      barrier.release()
      await paying
      await stuck(scope, 'pay')
      const [{ id: paymentId }] = (await sql('select id from pantry.payment where order_id = $1', [orderId])) as any
      expect(await waiting(paymentId)).toMatchObject({
        amount: { amount: 25_000, currency: 'ILS' },
        operation: { key: 'pay', name: 'order.confirm', step: 'settleWaiting' },
      })
      expect(await resolve(paymentId, returned)).toMatchObject({ status: 200 })
      // Where it did not go back, the confirmation itself gives it back now.
      await until(async () => (await safepoint.find(scope, 'pay')).state === 'cancelled')
      await settle(paymentId)
      expect(await bookOf(world, orderId)).toMatchObject({
        status: 'awaiting_payment',
        payments: ['refunded'],
        mailed: ['confirmation', 'refund'],
        stock: [{ on_hand: 5, reserved: 2, moved: 5 }],
      })
      expect(net(orderId)).toMatchObject({ net: 0, charges: 1, refunds: 1 })
      expect((await historyOf(orderId)).map(({ reason }) => reason)).toContain(
        returned ? 'refund_confirmed' : 'refund_not_made',
      )
      expect(await waiting(paymentId)).toBeUndefined()
    },
  )
})

describe('who may say so, and when', () => {
  it('two who say the opposite at once: one of them is heard', async () => {
    for (let round = 0; round < 5; round++) {
      const { customer, orderId, paymentId } = await paidOrder('order.confirm')
      loseRefund('executed')
      await cancel(customer.scope, orderId, 'cancel').catch(() => undefined)
      await stuck(customer.scope, 'cancel')
      const answers = await Promise.all([resolve(paymentId, true), resolve(paymentId, false)])
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
      expect(answers.filter(({ status }) => status === 409)).toHaveLength(1)
      const yes = answers[0]!.status === 200
      expect(await bookOf(world, orderId)).toMatchObject(yes ? undone : whole)
      expect(
        (await historyOf(orderId)).filter(({ reason }) => /^refund_(confirmed|not_made)$/.test(String(reason))),
      ).toHaveLength(1)
    }
  })

  it('while the run is still at work it is told to wait, and the key stays free', async () => {
    const { customer, orderId, paymentId } = await paidOrder('order.confirm')
    const barrier = cardcom.faults.add({ match: refunding, faults: [{ kind: 'hang', at: 'begun' }] })
    const cancelling = cancel(customer.scope, orderId)
    await barrier.held()
    expect((await resolve(paymentId, false, 'early')).body).toMatchObject({
      status: 409,
      code: 'conflict',
      retryable: true,
    })
    expect(await waiting(paymentId)).toBeUndefined()
    barrier.release()
    expect(await cancelling).toMatchObject({ outcome: 'succeeded' })
    expect((await resolve(paymentId, false, 'early')).body).toMatchObject({ code: 'refund_not_in_doubt' })
    expect(net(orderId)).toMatchObject({ net: 0, refunds: 1 })
  })

  it('only staff, with a key, a note, and of a payment that is there', async () => {
    const { paymentId } = await paidOrder('order.confirm')
    const path = `/api/admin/payments/${paymentId}/resolve-refund`
    const said = { returned: true, note: 'x' }
    const customer = await loggedIn('customer')
    expect((await customer.send('POST', path, said, 'k')).body).toMatchObject({ status: 403, code: 'forbidden' })
    expect((await customer.send('GET', '/api/admin/payments')).body).toMatchObject({ status: 403 })
    expect((await admin.send('POST', path, said)).body).toMatchObject({ code: 'key_required' })
    expect((await admin.send('POST', path, { returned: true }, 'k')).body).toMatchObject({ code: 'input_invalid' })
    expect((await resolve(paymentId, true)).body).toMatchObject({ code: 'refund_not_in_doubt' })
    expect((await resolve(randomUUID(), true)).body).toMatchObject({ status: 404, code: 'payment_not_found' })
    const first = await admin.send('GET', '/api/admin/payments?limit=1')
    expect(first.body.items).toMatchObject([{ id: paymentId, status: 'captured' }])
    const second = await admin.send('GET', `/api/admin/payments?limit=1&cursor=${first.body.nextCursor}`)
    expect(second.body.items[0].id < paymentId).toBe(true)
  })
})
