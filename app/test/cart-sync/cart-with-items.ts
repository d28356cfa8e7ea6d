import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { assertEmpty, assertLines, assertSums, oneMoreEach } from './carts.ts'
import { check, type CheckGroup } from './check.ts'
import { answered, refused } from './shoppers.ts'

export const cartWithItems: CheckGroup = {
  name: 'Cart With Items',
  points: {
    'Item addition/removal': [
      check('what is added is a line with its name, price and quantity, and what is removed is gone', async (site) => {
        const shopper = await site.shopper()
        const [one, other] = site.shelves.different(2)
        const added = await shopper.add(one!, 2)
        const { id, productId, variantId, name, quantity, unitPrice } = added.items[0]!
        assert.deepEqual({ productId, variantId, name, price: unitPrice }, one)
        assert.equal(quantity, 2)
        assertLines(await shopper.add(other!, 5), { [one!.variantId]: 2, [other!.variantId]: 5 })
        assertLines(answered(await shopper.send('DELETE', `/api/cart/items/${id}`), 200), { [other!.variantId]: 5 })
        assertLines(await shopper.cart(), { [other!.variantId]: 5 })
      }),
      check('what is added again adds up on its line, which keeps its id', async (site) => {
        const shopper = await site.shopper()
        const [goods] = site.shelves.different(1)
        const first = await shopper.add(goods!, 2)
        const second = await shopper.add(goods!, 3)
        assertLines(second, { [goods!.variantId]: 5 })
        assert.equal(second.items[0]!.id, first.items[0]!.id)
        assert.ok(second.version > first.version)
      }),
      check("without a variant the product's first one is meant", async (site) => {
        const shopper = await site.shopper()
        const { productId } = site.shelves.different(1)[0]!
        const product = answered(await shopper.send('GET', `/api/products/${productId}`), 200)
        const added = await shopper.send('POST', '/api/cart/add', { productId, quantity: 1 })
        assertLines(answered(added, 200), { [product.variants[0].id]: 1 })
      }),
      check('an add that is sent again under its key adds once, and is answered with the same bytes', async (site) => {
        const shopper = await site.shopper()
        const { productId, variantId } = site.shelves.different(1)[0]!
        const key = randomUUID()
        const send = (quantity: number) =>
          shopper.send('POST', '/api/cart/add', { productId, variantId, quantity }, { key })
        const [first, again] = [await send(4), await send(4)]
        answered(first, 200)
        assert.deepEqual([again.status, again.text], [200, first.text])
        assert.equal(again.headers.get('idempotent-replayed'), 'true')
        assert.equal(again.headers.get('operation-key'), key)
        refused(await send(5), 422, 'key_reused')
        assertLines(await shopper.cart(), { [variantId]: 4 })
      }),
    ],
    'Quantity updates': [
      check('a line is set to a quantity, and to 0 it is removed', async (site) => {
        const shopper = await site.shopper()
        const [one, other] = site.shelves.different(2)
        await shopper.add(other!)
        const { items } = await shopper.add(one!, 2)
        const path = `/api/cart/items/${items.find(({ variantId }) => variantId === one!.variantId)!.id}`
        for (const quantity of [7, 1, 999]) {
          const set = answered(await shopper.send('PATCH', path, { quantity }), 200)
          assertLines(set, { [one!.variantId]: quantity, [other!.variantId]: 1 })
          assertSums(set)
        }
        assertLines(answered(await shopper.send('PATCH', path, { quantity: 0 }), 200), { [other!.variantId]: 1 })
        assertLines(await shopper.cart(), { [other!.variantId]: 1 })
      }),
      check('a change made from an older version is refused with the version that is stored: 412', async (site) => {
        const shopper = await site.shopper()
        const [goods] = site.shelves.different(1)
        const seen = await shopper.send('GET', '/api/cart')
        const { version, items } = await shopper.add(goods!, 2)
        const change = (tag: string) =>
          shopper.send('PATCH', `/api/cart/items/${items[0]!.id}`, { quantity: 9 }, { headers: { 'if-match': tag } })
        const problem = refused(await change(seen.headers.get('etag')!), 412, 'precondition_failed')
        assert.equal(problem.currentVersion, version)
        assertLines(await shopper.cart(), { [goods!.variantId]: 2 })
        const now = await shopper.send('GET', '/api/cart')
        assertLines(answered(await change(now.headers.get('etag')!), 200), { [goods!.variantId]: 9 })
      }),
      check(
        'CartManager shows a change at once, and taps faster than the answers end as the last of them',
        async (site) => {
          const shopper = await site.shopper()
          const { tab, proxy } = await site.openDevice(shopper)
          const [goods] = site.shelves.different(1)
          const { items } = await tab.cart.addItem(goods!.productId, goods!.variantId)
          const taps = [2, 3, 4, 5, 6].map((quantity) => tab.cart.updateItem(items[0]!.id, quantity))
          assert.equal(tab.cart.state().cart?.totalItems, 6)
          assert.equal((await Promise.all(taps)).at(-1)?.totalItems, 6)
          assert.equal(proxy.requests('PATCH', /items/).length, 2)
          assertLines(await shopper.cart(), { [goods!.variantId]: 6 })
        },
      ),
    ],
    'Price calculations': [
      check(
        'lines and totals are whole minor units: each line its price times its quantity, the total the sum of ten',
        async (site) => {
          const shopper = await site.shopper()
          const goods = site.shelves.different(10)
          for (const [n, one] of goods.entries()) await shopper.add(one, n + 1)
          const cart = await shopper.cart()
          assertSums(cart)
          assertLines(cart, oneMoreEach(goods.map(({ variantId }) => variantId)))
          const total = goods.reduce((sum, { price }, n) => sum + price.amount * (n + 1), 0)
          assert.deepEqual(cart.totalPrice, { amount: total, currency: site.currency })
        },
      ),
      check('totals follow each change: an add, a new quantity, a removal, down to zero', async (site) => {
        const shopper = await site.shopper()
        const [one, other] = site.shelves.different(2)
        const amount = (a: number, b: number) => a * one!.price.amount + b * other!.price.amount
        const first = await shopper.add(one!, 3)
        assert.equal(first.totalPrice.amount, amount(3, 0))
        const second = await shopper.add(other!, 2)
        assert.equal(second.totalPrice.amount, amount(3, 2))
        const path = `/api/cart/items/${first.items[0]!.id}`
        const third = answered(await shopper.send('PATCH', path, { quantity: 999 }), 200)
        assert.equal(third.totalPrice.amount, amount(999, 2))
        assert.equal(answered(await shopper.send('DELETE', path), 200).totalPrice.amount, amount(0, 2))
        assertEmpty(answered(await shopper.send('DELETE', '/api/cart'), 200), site.currency)
      }),
      check(
        'a price that has changed is in the cart at the next look, though its version is the same',
        async (site) => {
          const administrator = site.administrator()
          const [goods] = await administrator.newProduct({ variants: 1 })
          const shopper = await site.shopper()
          const before = await shopper.add(goods!, 4)
          const { headers } = await shopper.send('GET', '/api/cart')
          await administrator.setPrice(goods!.productId, goods!.price.amount + 1)
          const tag = { 'if-none-match': headers.get('etag')! }
          const after = answered(await shopper.send('GET', '/api/cart', undefined, { headers: tag }), 200)
          assert.equal(after.totalPrice.amount, before.totalPrice.amount + 4)
          assert.equal(after.version, before.version)
          assertSums(after)
        },
      ),
    ],
  },
}
