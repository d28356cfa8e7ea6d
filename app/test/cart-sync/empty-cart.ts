import assert from 'node:assert/strict'
import { problemOf } from '../../client/problem-of.ts'
import { send } from '../checkout/shopper.ts'
import { address } from '../shop/people.ts'
import { assertEmpty, assertLines } from './carts.ts'
import { check, type CheckGroup } from './check.ts'
import { ordersFrom, payCart } from './paying.ts'
import { answered, refused } from './shoppers.ts'
import { thrownBy } from './thrown-by.ts'

export const emptyCart: CheckGroup = {
  name: 'Empty Cart Scenarios',
  points: {
    'Empty cart detection': [
      check("a newcomer's first look makes a cart without lines, and a total of zero", async (site) => {
        const shopper = await site.newcomer()
        const cart = await shopper.cart()
        assertEmpty(cart, site.currency)
        assert.equal((await shopper.cart()).id, cart.id)
      }),
      check('a cart whose last line is removed is empty, and still the same cart', async (site) => {
        const shopper = await site.shopper()
        const [goods] = site.shelves.different(1)
        const filled = await shopper.add(goods!, 3)
        const removed = await shopper.send('DELETE', `/api/cart/items/${filled.items[0]!.id}`)
        assertEmpty(answered(removed, 200), site.currency)
        assert.equal(removed.body.id, filled.id)
        assert.ok(removed.body.version > filled.version)
        assert.deepEqual(await shopper.cart(), removed.body)
      }),
      check('a full cart is emptied in one go, and emptying it again changes nothing', async (site) => {
        const shopper = await site.shopper()
        for (const goods of site.shelves.different(3)) await shopper.add(goods)
        const emptied = answered(await shopper.send('DELETE', '/api/cart'), 200)
        assertEmpty(emptied, site.currency)
        assert.deepEqual(answered(await shopper.send('DELETE', '/api/cart'), 200).items, [])
        assertEmpty(await shopper.cart(), site.currency)
      }),
    ],
    'API response consistency': [
      check('an empty cart has every field of the contract, and no other', async (site) => {
        const cart = await (await site.newcomer()).cart()
        const kinds = Object.entries(cart).map(([name, value]) => [name, Array.isArray(value) ? 'array' : typeof value])
        assert.deepEqual(Object.fromEntries(kinds), {
          id: 'string',
          version: 'number',
          items: 'array',
          itemsCount: 'number',
          totalItems: 'number',
          totalPrice: 'object',
          hasUnavailableItems: 'boolean',
          createdAt: 'string',
          updatedAt: 'string',
        })
        for (const time of [cart.createdAt, cart.updatedAt]) assert.equal(new Date(time).toISOString(), time)
      }),
      check('ten reads of an empty cart, at every server, are the same byte for byte', async (site) => {
        const shopper = await site.newcomer()
        await shopper.cart()
        const replies = await Promise.all(
          Array.from({ length: 10 }, (_, at) => shopper.send('GET', '/api/cart', undefined, { at })),
        )
        for (const reply of replies) answered(reply, 200)
        assert.equal(new Set(replies.map(({ text }) => text)).size, 1)
        assert.equal(new Set(replies.map(({ headers }) => headers.get('etag'))).size, 1)
        assert.ok(replies[0]!.headers.get('etag'))
      }),
      check('without a valid token there is no cart to be seen or changed: 401', async (site) => {
        const body = { productId: 'any', quantity: 1 }
        for (const token of [undefined, 'nonsense']) {
          for (const [method, path, given] of [
            ['GET', '/api/cart', undefined],
            ['POST', '/api/cart/add', body],
            ['PATCH', '/api/cart/items/any', { quantity: 1 }],
            ['DELETE', '/api/cart/items/any', undefined],
            ['DELETE', '/api/cart', undefined],
            ['GET', '/api/cart/events', undefined],
          ] as const)
            refused(await send(site.urls[0]!, token, method, path, given), 401, 'unauthenticated')
        }
      }),
    ],
    'Payment validation blocking': [
      check('an empty cart is not paid: 400 cart_empty with its id, named or not, and no order', async (site) => {
        const shopper = await site.newcomer()
        const { id: cartId } = await shopper.cart()
        for (const named of [{}, { cartId }]) {
          const problem = refused(await payCart(site, shopper, named), 400, 'cart_empty')
          assert.equal(problem.cartId, cartId)
          assert.equal(problem.retryable, false)
        }
        assert.deepEqual(await ordersFrom(cartId, shopper), [])
        assert.equal((await shopper.cart()).id, cartId)
      }),
      check('an empty cart is not ordered either, and the same key may be used once it is filled', async (site) => {
        const shopper = await site.shopper()
        const [goods] = site.shelves.inStock(1)
        const { id: addressId } = answered(await shopper.send('POST', '/api/addresses', address), [200, 201])
        const { id: cartId } = await shopper.cart()
        const key = crypto.randomUUID()
        const order = () => shopper.persist('POST', '/api/orders', { addressId, cartId }, { key })
        assert.equal(refused(await order(), 400, 'cart_empty').cartId, cartId)
        await shopper.add(goods!, 2)
        assertLines(answered(await order(), 201), { [goods!.variantId]: 2 })
      }),
      check(
        'CartManager refuses an empty cart before anything is written, though it still shows lines',
        async (site) => {
          const shopper = await site.shopper()
          const { tab, proxy } = await site.openDevice(shopper)
          const [goods] = site.shelves.different(1)
          await tab.cart.addItem(goods!.productId, goods!.variantId)
          tab.live.stop()
          answered(await shopper.send('DELETE', '/api/cart'), 200)
          assert.equal((await tab.cart.getCart()).totalItems, 1)
          proxy.seen.length = 0
          const input = { gateway: site.gateways()[0]!, shippingAddress: address }
          const error = await thrownBy(tab.cart.checkout(input))
          assert.equal(problemOf(error)?.code, 'cart_empty')
          assert.deepEqual(
            proxy.seen.map(({ method, path }) => `${method} ${path}`),
            ['GET /api/cart'],
          )
          assert.equal((await tab.cart.getCart()).totalItems, 0)
        },
      ),
    ],
  },
}
