import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { Composed } from '../compose.ts'
import { orderWorld } from '../test/order-world.ts'

const world = await orderWorld()
const { composed, safepoint, operations, sql } = world

const stockOf = async (variantId: string) =>
  (await sql('select on_hand, reserved from pantry.stock where variant_id = $1', [variantId]))[0]

const place = ({ pantry, operations: { orders } }: Composed, scope: string, addressId: string) =>
  pantry.safepoint.run(orders.placeOrder, { addressId }, { scope, key: 'place' })

describe('placing an order', () => {
  it('makes a pending order of the cart, holds its stock, copies price and address, and leaves a new empty cart', async () => {
    const customer = await world.newCustomer()
    const rice = await world.newVariant(5, 10_000)
    const oil = await world.newVariant(5, 7550)
    const cart = await world.addToCart(customer, rice, 2)
    await world.addToCart(customer, oil)
    const answer = await safepoint.run(
      operations.placeOrder,
      { cartId: cart.id, addressId: customer.addressId, expectedTotal: { amount: 27_550, currency: 'INR' } },
      { scope: customer.scope, key: 'place' },
    )
    if (answer.outcome !== 'succeeded') throw new Error(answer.outcome)
    const { result: order, response } = answer
    expect(response.status).toBe(201)
    expect(response.headers.location).toBe(`/api/orders/${order.id}`)
    expect(order).toMatchObject({
      status: 'pending',
      reason: 'placed',
      cartId: cart.id,
      total: { amount: 27_550, currency: 'INR' },
    })
    expect(order.items.map(({ quantity, unitPrice }) => [quantity, unitPrice.amount])).toEqual([
      [2, 10_000],
      [1, 7550],
    ])
    expect(order.shippingAddress).toEqual({
      name: 'Test',
      line1: '1 Road',
      city: 'Pune',
      postalCode: '411001',
      country: 'IN',
    })
    expect(await stockOf(rice.variantId)).toEqual({ on_hand: 5, reserved: 2 })
    expect(await sql('select to_status, reason from pantry.order_history where order_id = $1', [order.id])).toEqual([
      { to_status: 'pending', reason: 'placed' },
    ])
    const carts = await sql('select state, version from pantry.cart where account_id = $1 order by created_at', [
      customer.accountId,
    ])
    expect(carts.map(({ state }) => state)).toEqual(['ordered', 'active'])
    expect(carts[1]!.version).toBeGreaterThan(carts[0]!.version)
    const jobs = await sql(
      `select start_after > now() + interval '29 minutes' as later from pgboss.job where name = 'orders.expire' and data->>'orderId' = $1`,
      [order.id],
    )
    expect(jobs).toEqual([{ later: true }])
    // What happens to prices and the address book later changes no order.
    await sql('update pantry.product set price_amount = 1 where id = $1', [rice.productId])
    await sql(`update pantry.address set city = 'Elsewhere' where id = $1`, [customer.addressId])
    const again = await safepoint.run(
      operations.placeOrder,
      { cartId: cart.id, addressId: customer.addressId },
      { scope: customer.scope, key: 'again' },
    )
    expect(again.outcome === 'succeeded' && again.response.status).toBe(200)
    expect(again.outcome === 'succeeded' && again.result).toMatchObject({
      id: order.id,
      total: order.total,
      shippingAddress: order.shippingAddress,
    })
  })

  it('sells one unit to one of 20 buyers who ask at once; the others are told what is left, and keep their carts', async () => {
    const variant = await world.newVariant(1)
    const buyers = await Promise.all(Array.from({ length: 20 }, () => world.newCustomer()))
    await Promise.all(buyers.map((buyer) => world.addToCart(buyer, variant)))
    const other = await world.another()
    const outcomes = await Promise.all(
      buyers.map(({ scope, addressId }, index) =>
        place(index % 2 ? composed : other, scope, addressId).then(
          ({ outcome }) => outcome,
          (error) => error,
        ),
      ),
    )
    expect(outcomes.filter((outcome) => outcome === 'succeeded')).toHaveLength(1)
    const refused = outcomes.filter((outcome) => outcome !== 'succeeded')
    expect(
      refused.map(({ code, retryable, details }) => ({ code, retryable, available: details.items[0].available })),
    ).toEqual(Array.from({ length: 19 }, () => ({ code: 'out_of_stock', retryable: false, available: 0 })))
    expect(refused.map(({ attempts }) => attempts)).toEqual(refused.map(() => expect.any(Number)))
    expect(await stockOf(variant.variantId)).toEqual({ on_hand: 1, reserved: 1 })
    expect(
      await sql(
        `select count(*)::int as n from pantry.cart c join pantry.cart_item i on i.cart_id = c.id where c.state = 'active' and i.variant_id = $1`,
        [variant.variantId],
      ),
    ).toEqual([{ n: 19 }])
  })

  it('gives one order for one cart to ten requests under ten keys', async () => {
    const customer = await world.newCustomer()
    const cart = await world.addToCart(customer, await world.newVariant(50))
    const answers = await Promise.all(
      Array.from({ length: 10 }, () =>
        safepoint.run(
          operations.placeOrder,
          { cartId: cart.id, addressId: customer.addressId },
          { scope: customer.scope, key: randomUUID() },
        ),
      ),
    )
    const orders = answers.map((answer) =>
      answer.outcome === 'succeeded' ? [answer.result.id, answer.response.status] : answer.outcome,
    )
    expect(new Set(orders.map(([id]) => id)).size).toBe(1)
    expect(orders.map(([, status]) => status).toSorted()).toEqual([...Array(9).fill(200), 201])
  })

  it('refuses what it cannot do, and leaves the cart as it was', async () => {
    const customer = await world.newCustomer()
    const stranger = await world.newCustomer()
    const attempt = (input: object, scope = customer.scope) =>
      safepoint
        .run(operations.placeOrder, { addressId: customer.addressId, ...input } as never, { scope, key: randomUUID() })
        .then(
          ({ outcome }) => outcome,
          ({ code, retryable, details }) => ({ code, retryable, ...details }),
        )
    expect(await attempt({})).toMatchObject({ code: 'cart_empty' })
    const variant = await world.newVariant(3, 500)
    const cart = await world.addToCart(customer, variant, 2)
    expect(await attempt({ cartId: cart.id }, stranger.scope)).toMatchObject({
      code: 'cart_not_found',
      cartId: cart.id,
    })
    expect(await attempt({ cartId: 'nonsense' })).toMatchObject({ code: 'cart_not_found' })
    expect(await attempt({ addressId: stranger.addressId })).toMatchObject({ code: 'address_not_found' })
    expect(await attempt({ expectedTotal: { amount: 999, currency: 'INR' } })).toMatchObject({
      code: 'cart_changed',
      retryable: false,
      total: { amount: 1000, currency: 'INR' },
    })
    expect(await attempt({ surprise: 1 })).toMatchObject({ code: 'input_invalid' })
    await sql('delete from pantry.cart_item where cart_id = $1', [cart.id])
    expect(await attempt({ cartId: cart.id })).toMatchObject({ code: 'cart_empty', cartId: cart.id })
    expect(await sql('select state from pantry.cart where id = $1', [cart.id])).toEqual([{ state: 'active' }])
    expect(
      await sql('select count(*)::int as n from pantry.orders where account_id = $1', [customer.accountId]),
    ).toEqual([{ n: 0 }])
  })
})
