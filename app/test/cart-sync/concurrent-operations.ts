import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { Cart } from '../../client/model.ts'
import type { Goods } from './goods.ts'
import { assertEmpty, assertLines, assertSums, linesOf, oneMoreEach } from './carts.ts'
import { check, type CheckGroup } from './check.ts'
import { orderOf, ordersFrom, payCart } from './paying.ts'
import { answered, type Shopper } from './shoppers.ts'

const times = <T>(count: number, make: (n: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, n) => make(n)))

/** Under a key of its own, until it is answered for good. */
const add = async (shopper: Shopper, { productId, variantId }: Goods, quantity: number) =>
  answered<Cart>(await shopper.persist('POST', '/api/cart/add', { productId, variantId, quantity }), 200)

export const concurrentOperations: CheckGroup = {
  name: 'Concurrent Operations',
  points: {
    'Thread-safe operations': [
      check('50 adds of different variants at once: each is a line, with its quantity', async (site) => {
        const shopper = await site.shopper()
        const goods = site.shelves.different(50)
        await times(50, (n) => add(shopper, goods[n % goods.length]!, n + 1))
        const cart = await shopper.cart()
        const wanted: Record<string, number> = {}
        for (let n = 0; n < 50; n++) {
          const { variantId } = goods[n % goods.length]!
          wanted[variantId] = (wanted[variantId] ?? 0) + n + 1
        }
        assertLines(cart, wanted)
        assertSums(cart)
      }),
      check('50 adds of the same variant at once: one line of 50', async (site) => {
        const shopper = await site.shopper()
        const [goods] = site.shelves.different(1)
        const answers = await times(50, () => add(shopper, goods!, 1))
        assertLines(await shopper.cart(), { [goods!.variantId]: 50 })
        // Each answer told of another state: what the n-th add made.
        const told = answers.map(({ totalItems }) => totalItems).toSorted((a, b) => a - b)
        assert.deepEqual(
          told,
          Array.from({ length: 50 }, (_, n) => n + 1),
        )
      }),
      check(
        '20 removals of one line at once, and 20 of the whole cart: all succeed, and it is gone once',
        async (site) => {
          const shopper = await site.shopper()
          const [one, other] = site.shelves.different(2)
          await shopper.add(other!)
          const { items } = await shopper.add(one!, 5)
          const { id } = items.find(({ variantId }) => variantId === one!.variantId)!
          for (const reply of await times(20, () => shopper.persist('DELETE', `/api/cart/items/${id}`)))
            assertLines(answered(reply, 200), { [other!.variantId]: 1 })
          for (const reply of await times(20, () => shopper.persist('DELETE', '/api/cart')))
            assertEmpty(answered(reply, 200), site.currency)
        },
      ),
    ],
    'Database consistency': [
      check(
        'adds, changes and removals at once: every answer adds up, no two tell of one version, the last is stored',
        async (site) => {
          const shopper = await site.shopper()
          const [a, b, c] = site.shelves.different(3) as [Goods, Goods, Goods]
          await shopper.add(b, 3)
          const { items } = await shopper.add(a, 3)
          const line = ({ variantId }: Goods) =>
            `/api/cart/items/${items.find((item) => item.variantId === variantId)!.id}`
          const replies = await times(36, (n) => {
            if (n % 3 === 0) return shopper.persist('POST', '/api/cart/add', { ...idsOf(n % 2 ? a : c), quantity: 1 })
            if (n % 3 === 1) return shopper.persist('PATCH', line(b), { quantity: n })
            return n === 17
              ? shopper.persist('DELETE', line(a))
              : shopper.persist('PATCH', line(b), { quantity: 100 + n })
          })
          const carts = replies.map((reply) => answered<Cart>(reply, 200))
          for (const cart of carts) assertSums(cart)
          const versions = carts.map(({ version }) => version)
          assert.equal(new Set(versions).size, versions.length)
          const last = carts.find(({ version }) => version === Math.max(...versions))!
          assert.deepEqual(await shopper.cart(), last)
        },
      ),
      check('two changes made from one version: one is done, the other is told that it came second', async (site) => {
        const shopper = await site.shopper()
        const [goods] = site.shelves.different(1)
        const { items } = await shopper.add(goods!)
        const { headers } = await shopper.send('GET', '/api/cart')
        const guard = { headers: { 'if-match': headers.get('etag')! } }
        const replies = await times(10, (n) =>
          shopper.persist('PATCH', `/api/cart/items/${items[0]!.id}`, { quantity: n + 2 }, guard),
        )
        const [done, ...more] = replies.filter(({ status }) => status === 200)
        assert.deepEqual(more, [])
        assert.equal(replies.filter(({ status }) => status === 412).length, 9)
        assert.deepEqual(await shopper.cart(), done!.body)
      }),
    ],
    'Race condition prevention': [
      check('ten tabs of a newcomer at once get one cart', async (site) => {
        const shopper = await site.newcomer()
        const carts = await times(10, () => shopper.cart())
        assert.equal(new Set(carts.map(({ id }) => id)).size, 1)
        for (const cart of carts) assertEmpty(cart, site.currency)
      }),
      check('the first adds of a newcomer from ten tabs at once are all in one cart', async (site) => {
        const shopper = await site.newcomer()
        const goods = site.shelves.different(10)
        const carts = await times(goods.length, (n) => add(shopper, goods[n]!, n + 1))
        assert.equal(new Set(carts.map(({ id }) => id)).size, 1)
        assertLines(await shopper.cart(), oneMoreEach(goods.map(({ variantId }) => variantId)))
      }),
      check('one add, ten times at once under one key, adds once, and ten are told the same', async (site) => {
        const shopper = await site.shopper()
        const [goods] = site.shelves.different(1)
        const key = randomUUID()
        const body = { ...idsOf(goods!), quantity: 3 }
        const replies = await times(10, () => shopper.persist('POST', '/api/cart/add', body, { key }))
        for (const reply of replies) answered(reply, 200)
        assert.equal(new Set(replies.map(({ text }) => text)).size, 1)
        assertLines(await shopper.cart(), { [goods!.variantId]: 3 })
      }),
      check(
        'a checkout that is pressed four times at once, under four keys, is one order and one payment',
        async (site) => {
          const shopper = await site.shopper()
          const [goods] = site.shelves.inStock(1)
          const { id: cartId, totalPrice: expectedTotal } = await shopper.add(goods!, 2)
          const replies = await times(4, () => payCart(site, shopper, { cartId, expectedTotal }))
          const told = replies.map((reply) => answered(reply, [200, 201]))
          assert.deepEqual(replies.filter(({ status }) => status === 201).length, 1)
          assert.equal(new Set(told.map(({ orderId, paymentId }) => `${orderId} ${paymentId}`)).size, 1)
          const orders = await ordersFrom(cartId, shopper)
          assert.deepEqual(
            orders.map(({ id }) => id),
            [told[0].orderId],
          )
        },
      ),
      check(
        'what is added while a checkout runs is in the order or in the next cart, and lost in neither',
        async (site) => {
          const shopper = await site.shopper()
          const [bought, more] = site.shelves.inStock(2)
          await shopper.add(bought!, 2)
          const [paid] = await Promise.all([payCart(site, shopper), times(10, () => add(shopper, more!, 1))])
          const order = await orderOf(paid, shopper)
          const cart = await shopper.cart()
          const inBoth = (variantId: string) =>
            [order, cart].reduce((sum, lines) => sum + (linesOf(lines)[variantId] ?? 0), 0)
          assert.deepEqual([inBoth(bought!.variantId), inBoth(more!.variantId)], [2, 10])
        },
      ),
    ],
  },
}

const idsOf = ({ productId, variantId }: Goods) => ({ productId, variantId })
