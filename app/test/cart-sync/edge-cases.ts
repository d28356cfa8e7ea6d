import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { Cart, MergedCart } from '../../client/model.ts'
import { findUnbalanced } from '../checkout/read-facts.ts'
import { assertEmpty, assertLines, assertSums } from './carts.ts'
import { check, type CheckGroup } from './check.ts'
import type { Goods } from './goods.ts'
import { findInconsistent, importCarts, listCarts } from './imports.ts'
import { orderOf, payCart } from './paying.ts'
import { answered, refused, type Shopper } from './shoppers.ts'

/** The limits of a line and of a cart. */
const mostUnits = 999
const mostLines = 200

const addition = ({ productId, variantId }: Goods, quantity: number) => ({ productId, variantId, quantity })
const tryAdd = (shopper: Shopper, body: object) => shopper.persist('POST', '/api/cart/add', body)

export const edgeCases: CheckGroup = {
  name: 'Edge Cases',
  points: {
    'Non-existent cart handling': [
      check(
        'a cart that never was is 404 cart_not_found, whatever its id looks like, and costs the real one nothing',
        async (site) => {
          const shopper = await site.shopper()
          const [goods] = site.shelves.inStock(1)
          const cart = await shopper.add(goods!)
          for (const cartId of [randomUUID(), '0', 'no-such-cart', "'; drop table cart; --"])
            refused(await payCart(site, shopper, { cartId }), 404, 'cart_not_found')
          assert.deepEqual(await shopper.cart(), cart)
        },
      ),
      check('a newcomer without a cart may begin with any write: empty it, remove, change, add', async (site) => {
        const [goods] = site.shelves.different(1)
        const shopper = await site.newcomer()
        assertEmpty(answered(await shopper.send('DELETE', '/api/cart'), 200), site.currency)
        const other = await site.newcomer()
        const path = `/api/cart/items/${randomUUID()}`
        refused(await other.send('PATCH', path, { quantity: 2 }), 404, 'cart_item_not_found')
        assertEmpty(answered(await other.send('DELETE', path), 200), site.currency)
        assertLines(await other.add(goods!, 2), { [goods!.variantId]: 2 })
      }),
      check('lines, products and variants that do not exist are 404, and the cart stays as it is', async (site) => {
        const shopper = await site.shopper()
        const [goods] = site.shelves.different(1)
        const cart = await shopper.add(goods!)
        for (const id of [randomUUID(), 'no-such-id']) {
          refused(await shopper.send('PATCH', `/api/cart/items/${id}`, { quantity: 2 }), 404, 'cart_item_not_found')
          refused(await tryAdd(shopper, { productId: id, quantity: 1 }), 404, 'product_not_found')
          refused(await tryAdd(shopper, { ...addition(goods!, 1), variantId: id }), 404, 'product_not_found')
        }
        assert.deepEqual(await shopper.cart(), cart)
      }),
      check('deleting twice is deleting once: the second time is answered with the cart as it is', async (site) => {
        const shopper = await site.shopper()
        const [one, other] = site.shelves.different(2)
        const { items } = await shopper.add(one!)
        const kept = await shopper.add(other!, 2)
        const remove = () => shopper.send('DELETE', `/api/cart/items/${items[0]!.id}`)
        const first: Cart = answered(await remove(), 200)
        assert.ok(first.version > kept.version)
        assert.deepEqual(answered(await remove(), 200), first)
        assertLines(first, { [other!.variantId]: 2 })
      }),
      check(
        'quantities that are none are refused: 0 of an addition, less, halves, words, and more than a line holds',
        async (site) => {
          const shopper = await site.shopper()
          const [goods] = site.shelves.different(1)
          const cart = await shopper.add(goods!)
          const path = `/api/cart/items/${cart.items[0]!.id}`
          for (const quantity of [-1, 1.5, '2', null, mostUnits + 1, 2 ** 53])
            refused(await shopper.send('PATCH', path, { quantity }), 422, 'input_invalid')
          for (const quantity of [0, -1, 1.5, '2', null, mostUnits + 1])
            refused(await tryAdd(shopper, { ...addition(goods!, 1), quantity }), 422, 'input_invalid')
          assert.deepEqual(await shopper.cart(), cart)
        },
      ),
      check(`a line holds ${mostUnits}, by whatever steps; one more is refused and changes nothing`, async (site) => {
        const shopper = await site.shopper()
        const [goods] = site.shelves.different(1)
        await shopper.add(goods!, mostUnits - 1)
        assertLines(await shopper.add(goods!), { [goods!.variantId]: mostUnits })
        refused(await tryAdd(shopper, addition(goods!, 1)), 422, 'quantity_limit')
        const full = await shopper.cart()
        assertLines(full, { [goods!.variantId]: mostUnits })
        assertSums(full)
      }),
    ],
    'Multiple cart cleanup': [
      check(
        'carts that an import has brought are folded into the active one at the first look, summed, once',
        async (site) => {
          const sql = site.database()
          const shopper = await site.shopper()
          const [a, b, c] = site.shelves.different(3) as [Goods, Goods, Goods]
          const active = await shopper.add(a)
          const before = await listCarts(sql, shopper.id)
          await importCarts(sql, shopper.id, [
            { [a.variantId]: 2, [b.variantId]: 3 },
            { [b.variantId]: 4, [c.variantId]: 5 },
            {},
          ])
          const carts = await Promise.all(Array.from({ length: 10 }, () => shopper.cart()))
          const folded = { [a.variantId]: 3, [b.variantId]: 7, [c.variantId]: 5 }
          // Whoever looks while another folds may see the cart of before, and none sees half of it.
          for (const { id, items } of carts) {
            assert.equal(id, active.id)
            assert.ok([1, 3].includes(items.length), 'half of it was shown')
          }
          const cart = await shopper.cart()
          assertLines(cart, folded)
          assertSums(cart)
          const { merged = 0, ...rest } = await listCarts(sql, shopper.id)
          assert.deepEqual([merged - (before.merged ?? 0), rest.active, rest.imported], [3, 1, undefined])
          assert.deepEqual(await shopper.cart(), cart)
        },
      ),
      check(
        "a guest's cart is merged once, though five tabs log in at once, and what does not fit comes back",
        async (site) => {
          const shopper = await site.shopper()
          const [a, b] = site.shelves.different(2) as [Goods, Goods]
          await shopper.add(a, 2)
          const items = [addition(a, 3), addition(b, 4), { productId: randomUUID(), quantity: 1 }]
          const key = randomUUID()
          const merge = () => shopper.persist('POST', '/api/cart/merge', { items }, { key })
          const replies = await Promise.all(Array.from({ length: 5 }, merge))
          const [first] = replies.map((reply) => answered<MergedCart>(reply, 200))
          assert.equal(new Set(replies.map(({ text }) => text)).size, 1)
          assertLines(first!, { [a.variantId]: 5, [b.variantId]: 4 })
          const { productId } = items[2]!
          assert.deepEqual(first!.notMerged, [{ productId, quantity: 1, reason: 'product_not_found' }])
          assertLines(await shopper.cart(), { [a.variantId]: 5, [b.variantId]: 4 })
        },
      ),
      check(
        `a cart holds ${mostLines} lines: what a merge brings beyond comes back, and one more is refused`,
        async (site) => {
          const administrator = site.administrator()
          const goods = await administrator.newVariants(mostLines + 2)
          const shopper = await site.shopper()
          // A merge takes as many lines as a cart may have.
          const first = goods.slice(0, mostLines).map((one) => addition(one, 1))
          await shopper.add(goods[mostLines]!)
          const merged = answered<MergedCart>(await shopper.persist('POST', '/api/cart/merge', { items: first }), 200)
          assert.equal(merged.itemsCount, mostLines)
          assert.deepEqual(
            merged.notMerged.map(({ reason }) => reason),
            ['cart_full'],
          )
          refused(await tryAdd(shopper, addition(goods[mostLines + 1]!, 1)), 422, 'cart_full')
          const cart = await shopper.cart()
          assert.equal(cart.itemsCount, mostLines)
          assertSums(cart)
        },
      ),
    ],
    'Foreign key constraints': [
      check(
        'a product that is archived while in a cart stays there as unavailable, blocks the payment, and can be removed',
        async (site) => {
          const administrator = site.administrator()
          const [gone] = (await administrator.newProduct({ variants: 1, stock: 10 })) as [Goods]
          const [kept] = site.shelves.inStock(1) as [Goods]
          const shopper = await site.shopper()
          await shopper.add(kept, 2)
          await shopper.add(gone, 3)
          await administrator.archive(gone.productId)
          const cart = await shopper.cart()
          assertLines(cart, { [kept.variantId]: 2, [gone.variantId]: 3 })
          assert.deepEqual(
            [cart.hasUnavailableItems, cart.items.map(({ available }) => available)],
            [true, [true, false]],
          )
          refused(await tryAdd(shopper, addition(gone, 1)), 409, 'product_unavailable')
          const problem = refused(await payCart(site, shopper, { cartId: cart.id }), 409, 'out_of_stock')
          const told = problem.items.map((item: Record<string, unknown>) => [
            item.variantId,
            item.requested,
            item.available,
          ])
          assert.deepEqual([problem.retryable, told], [false, [[gone.variantId, 3, 0]]])
          const line = cart.items.find(({ variantId }) => variantId === gone.variantId)!
          const removed = answered<Cart>(await shopper.send('DELETE', `/api/cart/items/${line.id}`), 200)
          assert.equal(removed.hasUnavailableItems, false)
          assertLines(await orderOf(await payCart(site, shopper), shopper), { [kept.variantId]: 2 })
        },
      ),
      check(
        'more than there is can be put into a cart and is shown as unavailable; it is not ordered: 409 out_of_stock',
        async (site) => {
          const administrator = site.administrator()
          const [goods] = (await administrator.newProduct({ variants: 1, stock: 2 })) as [Goods]
          const shopper = await site.shopper()
          const cart = await shopper.add(goods, 3)
          assert.equal(cart.hasUnavailableItems, true)
          const problem = refused(await payCart(site, shopper), 409, 'out_of_stock')
          assert.deepEqual([problem.retryable, problem.items[0].requested, problem.items[0].available], [false, 3, 2])
          assert.deepEqual(await shopper.cart(), cart)
          const path = `/api/cart/items/${cart.items[0]!.id}`
          assert.equal(answered(await shopper.send('PATCH', path, { quantity: 2 }), 200).hasUnavailableItems, false)
          answered(await payCart(site, shopper), 201)
        },
      ),
      check(
        'after all of this: one active cart each, no line without a cart, orders as their carts were, stock that adds up',
        async (site) => {
          const sql = site.database()
          assert.deepEqual(await findInconsistent(sql, site.accountIds()), [])
          assert.deepEqual(await findUnbalanced(sql), [])
        },
      ),
    ],
  },
}
