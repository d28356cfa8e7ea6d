import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { until } from '../../../safepoint/test/support/until.ts'
import { address } from '../shop/people.ts'
import { assertLines } from './carts.ts'
import { check, type CheckGroup } from './check.ts'
import { signIn } from './devices.ts'
import { listenToCart } from './listen-to-cart.ts'
import { ordersFrom, payCart } from './paying.ts'
import { answered, logIn, refused } from './shoppers.ts'

export const userIsolation: CheckGroup = {
  name: 'User Isolation',
  points: {
    'Cart ownership validation': [
      check(
        "somebody else's cart is not paid: 404 cart_not_found, as one that never was, and nothing changes",
        async (site) => {
          const [owner, other] = [await site.shopper(), await site.shopper()]
          const [goods] = site.shelves.inStock(1)
          const cart = await owner.add(goods!, 2)
          const own = await other.add(goods!, 1)
          const named = (cartId: string) => payCart(site, other, { cartId })
          const foreign = refused(await named(cart.id), 404, 'cart_not_found')
          const unknown = refused(await named(randomUUID()), 404, 'cart_not_found')
          // Whoever guesses ids learns nothing.
          const told = ({ title, detail, retryable }: typeof foreign) => ({ title, detail, retryable })
          assert.deepEqual(told(foreign), told(unknown))
          assert.deepEqual([await owner.cart(), await other.cart()], [cart, own])
          assert.deepEqual(await ordersFrom(cart.id, other), [])
        },
      ),
      check("somebody else's cart is not ordered, and their address is not used", async (site) => {
        const [owner, other] = [await site.shopper(), await site.shopper()]
        const [goods] = site.shelves.inStock(1)
        const cart = await owner.add(goods!, 2)
        const own = await other.add(goods!, 1)
        const home = answered(await owner.send('POST', '/api/addresses', address), [200, 201])
        const mine = answered(await other.send('POST', '/api/addresses', address), [200, 201])
        const order = (body: object) => other.persist('POST', '/api/orders', body)
        refused(await order({ cartId: cart.id, addressId: mine.id }), 404, 'cart_not_found')
        refused(await order({ cartId: own.id, addressId: home.id }), 404, 'address_not_found')
        assert.deepEqual([await owner.cart(), await other.cart()], [cart, own])
      }),
    ],
    'Cross-user access prevention': [
      check(
        "lines of somebody else can neither be changed nor removed, and one's own cart stays as it is",
        async (site) => {
          const [owner, other] = [await site.shopper(), await site.shopper()]
          const [one, two] = site.shelves.different(2)
          const cart = await owner.add(one!, 2)
          const own = await other.add(two!, 3)
          const path = `/api/cart/items/${cart.items[0]!.id}`
          for (const quantity of [1, 999])
            refused(await other.send('PATCH', path, { quantity }), 404, 'cart_item_not_found')
          for (const reply of [await other.send('PATCH', path, { quantity: 0 }), await other.send('DELETE', path)])
            assertLines(answered(reply, 200), { [two!.variantId]: 3 })
          assert.deepEqual([await owner.cart(), await other.cart()], [cart, own])
        },
      ),
      check('an order is found by whoever placed it, and by nobody else', async (site) => {
        const [owner, other] = [await site.shopper(), await site.shopper()]
        const [goods] = site.shelves.inStock(1)
        await owner.add(goods!)
        const { orderId, paymentId } = answered(await payCart(site, owner), 201)
        refused(await other.send('GET', `/api/orders/${orderId}`), 404, 'order_not_found')
        refused(await other.send('POST', `/api/orders/${orderId}/cancel`, {}), 404, 'order_not_found')
        refused(await other.send('GET', `/api/payments/${paymentId}`), 404, 'payment_not_found')
        assert.equal(answered(await owner.send('GET', `/api/orders/${orderId}`), 200).status, 'awaiting_payment')
      }),
      check("nobody's events tell of another's cart", async (site) => {
        const [owner, other] = [await site.shopper(), await site.shopper()]
        const [goods] = site.shelves.different(1)
        const { id } = await other.cart()
        const events = listenToCart(site, other)
        try {
          await events.next()
          for (let n = 0; n < 3; n++) await owner.add(goods!)
          // Had the three been told here, they would come before this one.
          const { version } = await other.add(goods!)
          assert.deepEqual(await events.next(), { version, cartId: id })
        } finally {
          await events.close()
        }
      }),
      check('the same key of two people is two operations', async (site) => {
        const [one, other] = [await site.shopper(), await site.shopper()]
        const [first, second] = site.shelves.different(2)
        const key = randomUUID()
        const add = (shopper: typeof one, { productId, variantId }: typeof first & object, quantity: number) =>
          shopper.send('POST', '/api/cart/add', { productId, variantId, quantity }, { key })
        assertLines(answered(await add(one, first!, 2), 200), { [first!.variantId]: 2 })
        assertLines(answered(await add(other, second!, 3), 200), { [second!.variantId]: 3 })
      }),
      check('CartManager leaves nothing of one account in the browser for the next one', async (site) => {
        const [one, other] = [await site.shopper(), await site.shopper()]
        const [first, second] = site.shelves.different(2)
        await other.add(second!, 5)
        const { tab, browser } = await site.openDevice(one)
        const { id } = await tab.cart.addItem(first!.productId, first!.variantId, 2)
        await tab.session.signOut()
        assert.deepEqual(tab.cart.state().cart?.items ?? [], [])
        const kept = Array.from({ length: browser.store.length }, (_, n) =>
          browser.store.getItem(browser.store.key(n)!),
        )
        assert.ok(!kept.join().includes(id))
        await signIn(tab, other)
        assertLines(await until(() => tab.cart.state().cart), { [second!.variantId]: 5 })
        assertLines(await one.cart(), { [first!.variantId]: 2 })
      }),
    ],
    'Unique cart per user': [
      check('four people have four carts, each one cart at every server and through every change', async (site) => {
        const [goods] = site.shelves.different(1)
        const people = await Promise.all(Array.from({ length: 4 }, () => site.shopper()))
        const ids = await Promise.all(
          people.map(async (shopper, n) => {
            const seen = [await shopper.add(goods!, n + 1), await shopper.cart(), await shopper.cart()]
            assertLines(seen[2]!, { [goods!.variantId]: n + 1 })
            const emptied = answered(await shopper.send('DELETE', '/api/cart'), 200)
            assert.equal(new Set([...seen, emptied].map(({ id }) => id)).size, 1)
            return seen[0]!.id
          }),
        )
        assert.equal(new Set(ids).size, 4)
      }),
      check('whoever signs in anew, on another device, has the cart they had', async (site) => {
        const shopper = await site.shopper()
        const [goods] = site.shelves.different(1)
        const cart = await shopper.add(goods!, 3)
        const elsewhere = await logIn(site.urls, shopper)
        assert.notEqual(elsewhere.token, shopper.token)
        assert.deepEqual(await elsewhere.cart(), cart)
        assert.deepEqual(await elsewhere.add(goods!), await shopper.cart())
      }),
    ],
  },
}
