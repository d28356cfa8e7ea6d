import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { until } from '../../../safepoint/test/support/until.ts'
import type { CartItem, CreatedPayment } from '../../client/model.ts'
import { address } from '../shop/people.ts'
import { payOnPage } from '../shop/pay-page.ts'
import { assertEmpty, assertLines } from './carts.ts'
import { check, NotHere, type Check, type CheckGroup } from './check.ts'
import { orderOf, ordersFrom, payCart, payment, readOrder } from './paying.ts'
import { answered, refused, type Shopper } from './shoppers.ts'
import type { Site } from './site.ts'

/** Three lines of which each differs from the others in everything. */
async function fillCart(site: Site, shopper: Shopper) {
  const goods = site.shelves.inStock(3)
  for (const [n, one] of goods.entries()) await shopper.add(one, n + 1)
  const cart = await shopper.cart()
  return { goods, cart, wanted: { cartId: cart.id, expectedTotal: cart.totalPrice } }
}

/** A refusal leaves the cart as it was, and no order. */
async function assertRefused(site: Site, more: object, status: number, code: string): Promise<void> {
  const shopper = await site.shopper()
  const { cart, wanted } = await fillCart(site, shopper)
  const problem = refused(await payCart(site, shopper, { ...wanted, ...more }), status, code)
  assert.equal(problem.retryable, false)
  assert.deepEqual(await shopper.cart(), cart)
  assert.deepEqual(await ordersFrom(cart.id, shopper), [])
}

const orderFromCart = (gateway: string): Check =>
  check(
    `an order is made from exactly the cart's lines, and a page of ${gateway} to pay it on; a new cart is empty`,
    async (site) => {
      if (!site.gateways().includes(gateway)) throw new NotHere(`${gateway} is not offered`)
      const shopper = await site.shopper()
      const { cart, wanted } = await fillCart(site, shopper)
      const key = randomUUID()
      const paid = await payCart(site, shopper, { ...wanted, gateway }, { key })
      const { orderId, paymentId, checkout, ...created } = answered<CreatedPayment>(paid, 201)
      assert.deepEqual(created, { gateway })
      assert.ok(URL.canParse(checkout.url ?? ''), 'there is no page to pay on')
      const order = await orderOf(paid, shopper)
      const copied = ({ productId, variantId, name, quantity, unitPrice, totalPrice }: Omit<CartItem, 'available'>) => [
        productId,
        variantId,
        name,
        quantity,
        unitPrice,
        totalPrice,
      ]
      assert.deepEqual(new Set(order.items.map(copied)), new Set(cart.items.map(copied)))
      assert.deepEqual([order.total, order.cartId, order.status], [cart.totalPrice, cart.id, 'awaiting_payment'])
      assert.deepEqual([order.payment?.id, order.payment?.gateway], [paymentId, gateway])
      assert.deepEqual(order.shippingAddress, address)
      const next = await shopper.cart()
      assertEmpty(next, site.currency)
      assert.notEqual(next.id, cart.id)
      // Again under its key it is the same answer, and under another one the same order.
      assert.equal((await payCart(site, shopper, { ...wanted, gateway }, { key })).text, paid.text)
      const again = await payCart(site, shopper, { ...wanted, gateway })
      assert.deepEqual(answered(again, 200).orderId, orderId)
      assert.equal((await ordersFrom(cart.id, shopper)).length, 1)
    },
  )

export const paymentIntegration: CheckGroup = {
  name: 'Payment Integration',
  points: {
    'Cart data structure validation': [
      check('a payment in another currency than the cart is refused: 422 currency_mismatch', async (site) => {
        for (const currency of ['XXX', site.currency === 'USD' ? 'EUR' : 'USD'])
          await assertRefused(site, { currency }, 422, 'currency_mismatch')
      }),
      check(
        'a payment without address, with an unknown field or an amount that is no integer is refused: 422',
        async (site) => {
          const { expectedTotal, ...rest } = { expectedTotal: { amount: 10.5, currency: site.currency }, total: 1 }
          for (const more of [{ shippingAddress: undefined }, { shippingAddress: {} }, { expectedTotal }, rest])
            await assertRefused(site, more, 422, 'input_invalid')
        },
      ),
      check('a gateway that is not offered is refused, and so is an address that is not there', async (site) => {
        await assertRefused(site, { gateway: 'no-such-gateway' }, 503, 'not_configured')
        await assertRefused(site, { shippingAddress: randomUUID() }, 404, 'address_not_found')
      }),
      check('a payment without a key is refused before anything is looked at: 400 key_required', async (site) => {
        const shopper = await site.shopper()
        const { cart } = await fillCart(site, shopper)
        const pay = shopper.send('POST', '/api/payments/create-from-cart', payment(site), { key: null })
        refused(await pay, 400, 'key_required')
        assert.deepEqual(await shopper.cart(), cart)
      }),
    ],
    'Empty cart payment blocking': [
      check('an empty cart is blocked at every gateway, with its id: 400 cart_empty', async (site) => {
        const shopper = await site.shopper()
        const { id } = await shopper.cart()
        for (const gateway of site.gateways())
          assert.equal(refused(await payCart(site, shopper, { gateway, cartId: id }), 400, 'cart_empty').cartId, id)
      }),
      check('the new cart after an order is as empty as any: it is blocked until something is in it', async (site) => {
        const shopper = await site.shopper()
        const { goods } = await fillCart(site, shopper)
        answered(await payCart(site, shopper), 201)
        const { id: cartId } = await shopper.cart()
        assert.equal(refused(await payCart(site, shopper), 400, 'cart_empty').cartId, cartId)
        await shopper.add(goods[0]!)
        answered(await payCart(site, shopper, { cartId }), 201)
      }),
      check(
        'a total that has drifted since it was shown is refused with the new one: 409 cart_changed; that one is taken',
        async (site) => {
          const shopper = await site.shopper()
          const { cart, wanted, goods } = await fillCart(site, shopper)
          const now = await shopper.add(goods[0]!)
          const problem = refused(await payCart(site, shopper, wanted), 409, 'cart_changed')
          assert.deepEqual([problem.retryable, problem.total], [false, now.totalPrice])
          assert.deepEqual(await shopper.cart(), now)
          assert.deepEqual(await ordersFrom(cart.id, shopper), [])
          const paid = await payCart(site, shopper, { cartId: cart.id, expectedTotal: problem.total })
          assert.deepEqual((await orderOf(paid, shopper)).total, now.totalPrice)
        },
      ),
      check('a price that has changed since it was shown is refused just so', async (site) => {
        const administrator = site.administrator()
        const [goods] = await administrator.newProduct({ variants: 1, stock: 5 })
        const shopper = await site.shopper()
        const { id: cartId, totalPrice: expectedTotal } = await shopper.add(goods!, 2)
        await administrator.setPrice(goods!.productId, goods!.price.amount - 1)
        const problem = refused(await payCart(site, shopper, { cartId, expectedTotal }), 409, 'cart_changed')
        assert.equal(problem.total.amount, expectedTotal.amount - 2)
        assert.deepEqual(await ordersFrom(cartId, shopper), [])
      }),
    ],
    'Order creation from cart': [
      orderFromCart('razorpay'),
      orderFromCart('stripe'),
      check('an order that is cancelled puts its lines back, on top of what is there meanwhile', async (site) => {
        const shopper = await site.shopper()
        const { goods } = await fillCart(site, shopper)
        const { id } = await orderOf(await payCart(site, shopper), shopper)
        await shopper.add(goods[0]!, 4)
        const cancelled = await shopper.persist('POST', `/api/orders/${id}/cancel`, {})
        assert.equal(answered(cancelled, 200).status, 'cancelled')
        const [a, b, c] = goods.map(({ variantId }) => variantId) as [string, string, string]
        assertLines(await shopper.cart(), { [a]: 5, [b]: 2, [c]: 3 })
      }),
      check('CartManager checks out the cart as it is now, and shows an empty one afterwards', async (site) => {
        const shopper = await site.shopper()
        const { tab } = await site.openDevice(shopper)
        const [goods] = site.shelves.inStock(1)
        const cart = await tab.cart.addItem(goods!.productId, goods!.variantId, 2)
        const made = await tab.cart.checkout({ gateway: site.gateways()[0]!, shippingAddress: address })
        const order = await readOrder(made.orderId, shopper)
        assertLines(order, { [goods!.variantId]: 2 })
        assert.deepEqual(order.total, cart.totalPrice)
        await until(() => tab.cart.state().cart?.itemsCount === 0)
      }),
      check(
        'paid on the page of each gateway, the order is completed, and what was added meanwhile is still in the cart',
        async (site) => {
          // Pages of real gateways are not for us to pay on.
          const sql = site.database()
          for (const gateway of site.gateways()) {
            const shopper = await site.shopper()
            const { goods, wanted } = await fillCart(site, shopper)
            const paid = await payCart(site, shopper, { ...wanted, gateway })
            const { orderId, checkout } = answered<CreatedPayment>(paid, 201)
            await shopper.add(goods[0]!, 7)
            const goBack = await payOnPage(
              { gateway, url: checkout.url!, ...(checkout.fields && { fields: checkout.fields }) },
              'pay',
            )
            assert.ok(goBack, `the page of ${gateway} took no payment`)
            await goBack()
            const isCompleted = async () => (await readOrder(orderId, shopper)).status === 'completed'
            await until(isCompleted, {
              message: `${gateway}: the order is completed`,
              timeoutMs: 10_000,
              intervalMs: 50,
            })
            assertLines(await shopper.cart(), { [goods[0]!.variantId]: 7 })
            const { rows } = await sql.query(
              'select variant_id, delta from pantry.stock_movement where order_id = $1::uuid',
              [orderId],
            )
            const booked = Object.fromEntries(rows.map((row) => [row.variant_id, row.delta]))
            assert.deepEqual(booked, Object.fromEntries(goods.map(({ variantId }, n) => [variantId, -(n + 1)])))
          }
        },
      ),
    ],
  },
}
