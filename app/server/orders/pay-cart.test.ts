import { randomUUID } from 'node:crypto'
import { afterEach, describe, expect, it } from 'vitest'
import { until } from '../../../safepoint/test/support/until.ts'
import { bookOf, orderWorld, type Customer } from '../test/order-world.ts'

const world = await orderWorld()
const { safepoint, operations, stripe, sql } = world
const sessions = { method: 'POST', path: '/v1/checkout/sessions' }
const address = { name: 'Asha', line1: '2 Lane', city: 'Pune', postalCode: '411002', country: 'IN' }

afterEach(() => void stripe.faults.clear())

/** A customer with two of something in the cart. */
async function shopper({ stock = 5 } = {}) {
  const customer = await world.newCustomer()
  const variant = await world.newVariant(stock)
  const cart = await world.addToCart(customer, variant, 2)
  return { customer, variant, cart }
}
const payCart = (customer: Customer, more: object = {}, key: string = randomUUID(), composed = world.composed) =>
  composed.pantry.safepoint.run(
    composed.operations.orders.payCart,
    { gateway: 'stripe', shippingAddress: customer.addressId, currency: 'INR', ...more } as never,
    { scope: customer.scope, key },
  )
const cartOf = ({ accountId }: Customer) =>
  sql<{ variant_id: string; quantity: number }>(
    `select i.variant_id, i.quantity from pantry.cart c join pantry.cart_item i on i.cart_id = c.id
     where c.account_id = $1 and c.state = 'active' order by i.variant_id`,
    [accountId],
  )
const ordersOf = async ({ accountId }: Customer) =>
  (await sql<{ id: string }>('select id from pantry.orders where account_id = $1', [accountId])).map(({ id }) => id)
const payAt = (url: string) =>
  fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'payment_method=pm_card_visa&action=pay',
    redirect: 'manual',
  })
type Answer = Awaited<ReturnType<typeof payCart>>
const resultOf = (answer: Answer) => {
  if (answer.outcome !== 'succeeded') throw new Error(JSON.stringify(answer))
  return answer.result
}

describe('order and payment from the cart in one go', () => {
  it('places the order with copies of its addresses, and opens the page: the same again under the same key', async () => {
    const { customer, cart } = await shopper()
    const first = await payCart(customer, { cartId: cart.id, billingAddress: address }, 'go')
    const { orderId, paymentId, gateway, checkout } = resultOf(first)
    expect([gateway, checkout?.url]).toEqual(['stripe', expect.stringContaining(stripe.url)])
    expect(await payCart(customer, { cartId: cart.id, billingAddress: address }, 'go')).toMatchObject({
      replayed: true,
      result: resultOf(first),
    })
    expect(await bookOf(world, orderId)).toMatchObject({
      status: 'awaiting_payment',
      payments: ['requires_action'],
      stock: [{ on_hand: 5, reserved: 2 }],
      mailed: ['confirmation'],
    })
    expect(
      await sql(
        `select shipping_address->>'line1' as ship, billing_address->>'line1' as bill from pantry.orders where id = $1`,
        [orderId],
      ),
    ).toEqual([{ ship: '1 Road', bill: '2 Lane' }])
    // An address that was given as such is not kept.
    expect(await sql('select from pantry.address where account_id = $1', [customer.accountId])).toHaveLength(1)
    expect(await cartOf(customer)).toEqual([])
    await payAt(checkout!.url!)
    await safepoint.run(operations.settlePayment, { paymentId }, { scope: 'shop' })
    expect(await bookOf(world, orderId)).toMatchObject({ status: 'completed', charges: 1, mails: 1, net: 25_000 })
    // The cart that was paid answers its order, and no page.
    expect(resultOf(await payCart(customer, { cartId: cart.id }))).toEqual({ orderId, paymentId, gateway })
  })

  it('a double click under two keys, on two processes, gives one order and one page', async () => {
    const other = await world.another()
    for (let round = 0; round < 5; round++) {
      const { customer, cart } = await shopper()
      const answers = await Promise.all([
        payCart(customer, { cartId: cart.id }),
        payCart(customer, { cartId: cart.id }, randomUUID(), other),
      ])
      const [one, two] = answers.map(resultOf)
      expect(one).toEqual(two)
      expect(await ordersOf(customer)).toEqual([one!.orderId])
      expect(await bookOf(world, one!.orderId)).toMatchObject({
        payments: ['requires_action'],
        stock: [{ on_hand: 5, reserved: 2 }],
      })
    }
  })

  it('opens the page anew where the old one has ended', async () => {
    const { customer, cart } = await shopper()
    const first = resultOf(await payCart(customer, { cartId: cart.id }))
    for (const session of stripe.book.sessions.values())
      if (session.client_reference_id === first.orderId)
        Object.assign(session, { expires_at: Math.floor(Date.now() / 1000) - 1 })
    const second = resultOf(await payCart(customer, { cartId: cart.id }))
    expect(second.orderId).toBe(first.orderId)
    expect(second.paymentId).not.toBe(first.paymentId)
    expect(second.checkout?.url).not.toBe(first.checkout?.url)
    expect(await bookOf(world, first.orderId)).toMatchObject({ payments: ['voided', 'requires_action'] })
  })

  it('refuses, and leaves the cart as it is: empty, foreign, changed, another currency, out of stock', async () => {
    const { customer, cart, variant } = await shopper({ stock: 1 })
    const refused = async (more: object, code: string, who = customer) => {
      await expect(payCart(who, more, 'no')).rejects.toMatchObject({ code })
      expect(await cartOf(customer)).toEqual([{ variant_id: variant.variantId, quantity: 2 }])
      expect(await sql('select from safepoint.operation where scope = $1 and key = $2', [who.scope, 'no'])).toEqual([])
    }
    await refused({ currency: 'USD' }, 'currency_mismatch')
    await refused({ currency: 'XXX' }, 'currency_mismatch')
    await refused({ gateway: 'paypal' }, 'not_configured')
    await refused({ cartId: randomUUID() }, 'cart_not_found')
    await refused({ shippingAddress: randomUUID() }, 'address_not_found')
    await refused({ billingAddress: 'nonsense' }, 'address_not_found')
    await refused({ shippingAddress: { ...address, country: 'India' } }, 'input_invalid')
    await refused({ expectedTotal: { amount: 1, currency: 'INR' } }, 'cart_changed')
    await refused({ cartId: cart.id }, 'out_of_stock')
    const stranger = await world.newCustomer()
    await refused({ cartId: cart.id, shippingAddress: stranger.addressId }, 'cart_not_found', stranger)
    await refused({ shippingAddress: stranger.addressId }, 'cart_empty', stranger)
  })

  it.each(['arrived', 'begun', 'executed'] as const)(
    'cancelled while the page opens (%s): no order, the cart as it was, and nobody was told of a page',
    async (at) => {
      const { customer, variant, cart } = await shopper()
      const barrier = stripe.faults.add({ match: sessions, faults: [{ kind: 'hang', at }] })
      const running = payCart(customer, { cartId: cart.id }, 'go')
      await barrier.held()
      const verdict = await safepoint.cancel(customer.scope, 'go')
      expect(verdict).toMatchObject({ outcome: 'undoing', target: 'cancelled' })
      barrier.release()
      expect(await running).toMatchObject({ outcome: 'cancelled' })
      const [orderId] = await ordersOf(customer)
      expect(await bookOf(world, orderId!)).toMatchObject({
        status: 'cancelled',
        reason: 'undone',
        payments: ['voided'],
        stock: [{ on_hand: 5, reserved: 0, moved: 5 }],
        net: 0,
        mailed: [],
      })
      expect(await cartOf(customer)).toEqual([{ variant_id: variant.variantId, quantity: 2 }])
      // The cart is an order no more: it can be ordered again.
      expect(await payCart(customer)).toMatchObject({ outcome: 'succeeded' })
    },
  )

  it('cancelled at any point, from another process: an order with its page, or nothing at all', async () => {
    const other = await world.another()
    const seen = new Set<string>()
    for (let round = 0; round < 40; round++) {
      const { customer, variant, cart } = await shopper()
      const running = payCart(customer, { cartId: cart.id }, 'go').catch((error: { code: string }) => ({
        outcome: error.code,
      }))
      await new Promise((resolve) => setTimeout(resolve, round / 2))
      const told = await other.pantry.safepoint.cancel(customer.scope, 'go')
      const { outcome } = await running
      const last = await until(async () => {
        const now = await safepoint.cancel(customer.scope, 'go')
        return now.outcome === 'undoing' ? undefined : now
      })
      seen.add(told.outcome)
      const [orderId] = await ordersOf(customer)
      if (last.outcome === 'too_late') {
        expect([told.outcome, outcome]).toEqual(['too_late', 'succeeded'])
        expect(await bookOf(world, orderId!)).toMatchObject({ payments: ['requires_action'], stock: [{ reserved: 2 }] })
        expect(await cartOf(customer)).toEqual([])
      } else {
        expect([last.outcome, outcome]).toEqual(['cancelled', 'cancelled'])
        expect(await cartOf(customer)).toEqual([{ variant_id: variant.variantId, quantity: 2 }])
        if (orderId !== undefined)
          expect(await bookOf(world, orderId)).toMatchObject({
            status: 'cancelled',
            payments: ['voided'],
            stock: [{ on_hand: 5, reserved: 0, moved: 5 }],
          })
        expect(
          await sql(
            'select from pantry.payment p join pantry.orders o on o.id = p.order_id where o.account_id = $1 and p.handled_by is not null',
            [customer.accountId],
          ),
        ).toEqual([])
      }
    }
    expect(seen).toContain('undoing')
  })

  it('puts everything back when the gateway cannot be reached', async () => {
    const { customer, variant, cart } = await shopper()
    stripe.faults.add({ match: sessions, times: 3, faults: [{ kind: 'drop', at: 'arrived' }] })
    expect(await payCart(customer, { cartId: cart.id })).toMatchObject({
      outcome: 'failed',
      error: { code: 'gateway_unavailable' },
    })
    expect(await cartOf(customer)).toEqual([{ variant_id: variant.variantId, quantity: 2 }])
  })

  it('fifty adds while the cart is ordered: each lands in the order or in the new cart, none is lost', async () => {
    for (let round = 0; round < 3; round++) {
      const { customer, variant, cart } = await shopper({ stock: 500 })
      const adds = Array.from({ length: 50 }, () =>
        safepoint.run(
          operations.addCartItem,
          { productId: variant.productId, variantId: variant.variantId, quantity: 1 },
          { scope: customer.scope, key: randomUUID() },
        ),
      )
      const [order, ...added] = await Promise.all([payCart(customer, { cartId: cart.id }), ...adds])
      for (const one of added) expect(one).toMatchObject({ outcome: 'succeeded' })
      const { orderId } = resultOf(order as Answer)
      const [line] = await sql<{ quantity: number }>('select quantity from pantry.order_line where order_id = $1', [
        orderId,
      ])
      const [left] = await cartOf(customer)
      expect(line!.quantity + (left?.quantity ?? 0)).toBe(52)
    }
  })
})
