import assert from 'node:assert/strict'
import { until } from '../../../safepoint/test/support/until.ts'
import { installCartRecovery } from '../../client/cart-recovery.ts'
import { NotDone } from '../../client/not-done.ts'
import { problemOf } from '../../client/problem-of.ts'
import { assertLines } from './carts.ts'
import { check, type CheckGroup } from './check.ts'
import { listenToCart } from './listen-to-cart.ts'
import { pretendWindow } from './pretend-window.ts'
import { answered } from './shoppers.ts'
import { thrownBy } from './thrown-by.ts'

export const apiConsistency: CheckGroup = {
  name: 'API Consistency',
  points: {
    'Multiple call consistency': [
      check(
        'what a change answers is what every server reads afterwards, and twenty reads are the same',
        async (site) => {
          const shopper = await site.shopper()
          const goods = site.shelves.different(3)
          for (const [n, one] of goods.entries()) assert.deepEqual(await shopper.add(one, n + 1), await shopper.cart())
          const replies = await Promise.all(Array.from({ length: 20 }, () => shopper.send('GET', '/api/cart')))
          for (const reply of replies) answered(reply, 200)
          assert.equal(new Set(replies.map(({ text }) => text)).size, 1)
        },
      ),
      check(
        'reads change nothing: the version stays, and who has it is told so with 304 until it changes',
        async (site) => {
          const shopper = await site.shopper()
          const [goods] = site.shelves.different(1)
          await shopper.add(goods!)
          const first = await shopper.send('GET', '/api/cart')
          const tag = { 'if-none-match': first.headers.get('etag')! }
          for (let at = 0; at < 4; at++) {
            const same = await shopper.send('GET', '/api/cart', undefined, { headers: tag, at })
            assert.deepEqual([same.status, same.text], [304, ''])
          }
          const { version } = await shopper.add(goods!)
          assert.ok(version > first.body.version)
          const changed = await shopper.send('GET', '/api/cart', undefined, { headers: tag })
          assert.equal(answered(changed, 200).version, version)
          assert.notEqual(changed.headers.get('etag'), first.headers.get('etag'))
        },
      ),
      check('a slash at the end of a path makes no difference', async (site) => {
        const shopper = await site.shopper()
        const { productId, variantId } = site.shelves.different(1)[0]!
        const body = { productId, variantId, quantity: 2 }
        const added = answered(await shopper.send('POST', '/api/cart/add/', body), 200)
        assert.deepEqual(answered(await shopper.send('GET', '/api/cart/'), 200), added)
        const path = `/api/cart/items/${added.items[0].id}/`
        assert.equal(answered(await shopper.send('PATCH', path, { quantity: 3 }), 200).totalItems, 3)
      }),
    ],
    'Data synchronization': [
      check('another device is told of every change with its version, wherever it was made', async (site) => {
        const shopper = await site.shopper()
        const [goods] = site.shelves.different(1)
        const { id: cartId, version } = await shopper.cart()
        const events = listenToCart(site, shopper)
        try {
          assert.deepEqual(await events.next(), { version, cartId })
          for (let n = 0; n < 4; n++) {
            const changed = await shopper.add(goods!)
            assert.deepEqual(await events.next(), { version: changed.version, cartId })
          }
        } finally {
          await events.close()
        }
      }),
      check(
        'two browsers of one customer show the same cart, whichever of them, or a third, changes it',
        async (site) => {
          const shopper = await site.shopper()
          const [one, two, three] = site.shelves.different(3)
          const tabs = [(await site.openDevice(shopper)).tab, (await site.openDevice(shopper)).tab] as const
          await until(() => tabs.every((tab) => tab.live.leading()))
          const bothShow = (units: number) =>
            until(() => tabs.every((tab) => tab.cart.state().cart?.totalItems === units))
          await tabs[0].cart.addItem(one!.productId, one!.variantId, 2)
          await bothShow(2)
          await tabs[1].cart.addItem(two!.productId, two!.variantId, 3)
          await bothShow(5)
          await shopper.add(three!, 4)
          await bothShow(9)
          const stored = await shopper.cart()
          for (const tab of tabs) assert.deepEqual(tab.cart.state().cart, stored)
        },
      ),
      check('two browsers that change the cart at the same time end with all of it', async (site) => {
        const shopper = await site.shopper()
        const [one, two] = site.shelves.different(2)
        const tabs = [(await site.openDevice(shopper)).tab, (await site.openDevice(shopper)).tab] as const
        await Promise.all(
          Array.from({ length: 10 }, (_, n) => {
            const { productId, variantId } = (n % 2 ? one : two)!
            return tabs[n % 2]!.cart.addItem(productId, variantId)
          }),
        )
        // A signal that is lost delays: the stream looks for itself now and then.
        await until(() => tabs.every((tab) => tab.cart.state().cart?.totalItems === 10), { timeoutMs: 15_000 })
        const stored = await shopper.cart()
        assertLines(stored, { [one!.variantId]: 5, [two!.variantId]: 5 })
        for (const tab of tabs) assert.deepEqual(tab.cart.state().cart, stored)
      }),
    ],
    'Cache management': [
      check(
        'CartManager reads once however many ask, not again within its 30 s, and at once where it is forced to',
        async (site) => {
          const { tab, proxy } = await site.openDevice(await site.shopper())
          // A stream that opens reads once by itself, whenever that comes; a forced read waits for one that is on its way.
          tab.live.stop()
          await tab.cart.getCart(true)
          proxy.seen.length = 0
          await Promise.all(Array.from({ length: 10 }, () => tab.cart.getCart()))
          assert.equal(proxy.requests('GET', '/api/cart').length, 0)
          await Promise.all(Array.from({ length: 10 }, () => tab.cart.getCart(true)))
          assert.equal(proxy.requests('GET', '/api/cart').length, 1)
        },
      ),
      check(
        'a cache that has gone stale is found out by the first change that meets it, and read afresh by itself',
        async (site) => {
          const shopper = await site.shopper()
          const [one, other] = site.shelves.different(2)
          const { tab } = await site.openDevice(shopper)
          const { items } = await tab.cart.addItem(one!.productId, one!.variantId)
          tab.live.stop()
          answered(await shopper.send('DELETE', '/api/cart'), 200)
          await shopper.add(other!, 6)
          assert.equal((await tab.cart.getCart()).totalItems, 1)
          const error = await thrownBy(tab.cart.updateItem(items[0]!.id, 3))
          assert.equal(problemOf(error)?.code, 'cart_item_not_found')
          await until(() => tab.cart.state().cart?.totalItems === 6)
          assert.deepEqual(tab.cart.state().cart, await shopper.cart())
        },
      ),
      check('an answer that comes late, and is older than what is shown, changes nothing', async (site) => {
        const shopper = await site.shopper()
        const [goods] = site.shelves.different(1)
        const { tab, proxy } = await site.openDevice(shopper)
        await until(() => tab.live.leading())
        tab.live.stop()
        let release = () => {}
        let held = 0
        const gate = new Promise<void>((resolve) => (release = resolve))
        proxy.rule.onTheWay = ({ method, path }) => {
          if (method !== 'GET' || path !== '/api/cart') return 'pass'
          held++
          return gate
        }
        const late = tab.cart.getCart(true)
        await until(() => held === 1)
        const { version } = await tab.cart.addItem(goods!.productId, goods!.variantId, 4)
        release()
        assert.deepEqual([(await late).version, tab.cart.state().cart?.totalItems], [version, 4])
      }),
      check(
        'recovery forgets what is held, reads afresh, and ends what had no answer under its own key: it is added once',
        async (site) => {
          const shopper = await site.shopper()
          const [goods] = site.shelves.different(1)
          const { tab, proxy } = await site.openDevice(shopper)
          proxy.rule.onTheWay = ({ method }) => (method === 'POST' ? 'lose-answer' : 'pass')
          const error = await thrownBy(tab.cart.addItem(goods!.productId, goods!.variantId, 5))
          assert.ok(error instanceof NotDone && error.verdict.outcome === 'unknown')
          proxy.rule.onTheWay = () => 'pass'
          assert.equal((await tab.cart.recover()).totalItems, 5)
          const keys = proxy.requests('POST', '/api/cart/add').map(({ key }) => key)
          assert.ok(keys.length > 1)
          assert.equal(new Set(keys).size, 1)
          assertLines(await shopper.cart(), { [goods!.variantId]: 5 })
        },
      ),
      check(
        'a cart error that nobody caught mends the page: stale entries go, it shows the cart, and not twice in 30 s',
        async (site) => {
          const shopper = await site.shopper()
          const [goods] = site.shelves.different(1)
          const { tab, proxy } = await site.openDevice(shopper)
          const { items } = await tab.cart.addItem(goods!.productId, goods!.variantId)
          tab.live.stop()
          answered(await shopper.send('DELETE', '/api/cart'), 200)
          const window = pretendWindow({ cartId: 'of long ago', cartData: '{}' })
          const { cart, figures, account } = tab
          const takeOff = installCartRecovery(window, { cart, figures, account })
          const error = await thrownBy(cart.updateItem(items[0]!.id, 2))
          assert.equal(window.reject(error), 'caught')
          assert.deepEqual(
            [window.localStorage.getItem('cartId'), window.sessionStorage.getItem('cartData')],
            [null, null],
          )
          await until(() => cart.state().cart?.totalItems === 0)
          await cart.recover()
          proxy.seen.length = 0
          assert.equal(window.reject(error), 'left alone')
          assert.deepEqual(proxy.requests('GET', '/api/cart'), [])
          assert.equal(window.reject(new Error('Cart of something else')), 'left alone')
          takeOff()
        },
      ),
    ],
  },
}
