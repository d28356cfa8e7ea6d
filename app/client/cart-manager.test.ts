import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { until } from '../../safepoint/test/support/until.ts'
import { listen, world, type Shopper } from '../server/test/world.ts'
import { startBrowser, startProxy, type Proxy, type TestBrowser } from './browser.test.setup.ts'
import type { Cart } from './model.ts'
import { isKept } from './not-done.ts'
import type { Pantry } from './pantry.ts'
import { problemOf } from './problem-of.ts'

const shop = await world()
const proxy: Proxy = await startProxy(await listen(shop.app))
afterAll(() => proxy.close())

let browsers: TestBrowser[] = []
beforeEach(() => {
  proxy.seen.length = 0
  proxy.rule.onTheWay = () => 'pass'
})
afterEach(() => {
  for (const browser of browsers) browser.close()
  browsers = []
})

function openBrowser(): TestBrowser {
  const browser = startBrowser(proxy.url)
  browsers.push(browser)
  return browser
}

const credentialsOf = ({ email, password }: Shopper) => ({ email, password })

async function signIn(tab: Pantry, shopper: Shopper): Promise<void> {
  await tab.session.signIn(credentialsOf(shopper))
  await until(() => tab.cart.state().status === 'ready')
}

const stored = async (shopper: Shopper): Promise<Cart> => (await shopper.send<Cart>('GET', '/api/cart')).body
const units = (cart: Cart | undefined) => cart?.items.map(({ variantId, quantity }) => [variantId, quantity])

async function shopperWithProduct() {
  const [shopper, { productId, variantIds }] = await Promise.all([shop.newShopper(), shop.newProduct()])
  const tab = openBrowser().openTab()
  await signIn(tab, shopper)
  await tab.getProduct(productId)
  return { shopper, tab, productId, variantId: variantIds[0]! }
}

/** Holds every answer that `matches` back, until it is released. */
function hold(matches: (method: string, path: string) => boolean): { release(): void; held(): number } {
  let release = () => {}
  let held = 0
  const gate = new Promise<void>((resolve) => (release = resolve))
  proxy.rule.onTheWay = ({ method, path }) => {
    if (!matches(method, path)) return 'pass'
    held++
    return gate
  }
  return { release, held: () => held }
}

describe('The cart in the browser', () => {
  it('is read once however many ask, and not again for 30 s unless it is forced', async () => {
    const { tab } = await shopperWithProduct()
    proxy.seen.length = 0
    await Promise.all(Array.from({ length: 10 }, () => tab.cart.getCart()))
    expect(proxy.requests('GET', '/api/cart')).toEqual([])
    await Promise.all(Array.from({ length: 10 }, () => tab.cart.getCart(true)))
    expect(proxy.requests('GET', '/api/cart')).toHaveLength(1)
  })

  it('shows an addition at once, and takes it back where the server refuses it', async () => {
    const { tab, productId, variantId } = await shopperWithProduct()
    await shop.sql('update pantry.product set archived_at = now() where id = $1::uuid', [productId])
    const adding = tab.cart.addItem(productId, variantId, 2)
    expect(units(tab.cart.state().cart)).toEqual([[variantId, 2]])
    expect(tab.cart.state().cart).toMatchObject({ totalItems: 2, totalPrice: { amount: 2000, currency: 'INR' } })
    const refused = await adding.catch((error: unknown) => error)
    expect(problemOf(refused)).toMatchObject({ code: 'product_unavailable' })
    expect(tab.cart.state()).toMatchObject({ saving: false, trouble: refused })
    expect(units(tab.cart.state().cart)).toEqual([])
  })

  it('never shows an addition twice, though its effect is told before its answer', async () => {
    const { tab, productId, variantId, shopper } = await shopperWithProduct()
    const answers = hold((method) => method === 'POST')
    const shown: unknown[] = []
    tab.cart.subscribe(() => shown.push(tab.cart.state().cart?.totalItems))
    const adding = tab.cart.addItem(productId, variantId, 3)
    // The server has it; the event says so; the answer is still on its way.
    await until(async () => (await stored(shopper)).totalItems === 3)
    await tab.cart.getCart(true)
    expect(tab.cart.state().cart?.totalItems).toBe(3)
    answers.release()
    await adding
    expect(new Set(shown)).toEqual(new Set([3]))
  })

  it('sends taps on one line that come faster than the answers as the last of them, and reads nothing afterwards', async () => {
    const { tab, productId, variantId, shopper } = await shopperWithProduct()
    const { items } = await tab.cart.addItem(productId, variantId)
    await until(() => proxy.requests('GET', /^\/api\/events/).length === 1)
    proxy.seen.length = 0
    const taps = [2, 3, 4, 5, 6].map((quantity) => tab.cart.updateItem(items[0]!.id, quantity))
    expect(tab.cart.state().cart?.totalItems).toBe(6)
    expect((await Promise.all(taps)).at(-1)?.totalItems).toBe(6)
    expect(proxy.requests('PATCH', /items/).map(({ body }) => body)).toEqual(['{"quantity":2}', '{"quantity":6}'])
    expect((await stored(shopper)).totalItems).toBe(6)
    expect(proxy.requests('GET', '/api/cart')).toEqual([])
  })

  it('ignores an answer that is older than what is held, however late it comes', async () => {
    const { tab, productId, variantId } = await shopperWithProduct()
    const answers = hold((method, path) => method === 'GET' && path === '/api/cart')
    const late = tab.cart.getCart(true)
    await until(() => answers.held() === 1)
    await tab.cart.addItem(productId, variantId, 4)
    const versions: unknown[] = []
    tab.cart.subscribe(() => versions.push(tab.cart.state().cart?.version))
    answers.release()
    // Whoever waited for it gets what is true now.
    expect((await late).totalItems).toBe(4)
    expect(tab.cart.state().cart?.totalItems).toBe(4)
    expect(versions.every((version) => version === tab.cart.state().cart?.version)).toBe(true)
  })

  it('changes a line that was shown before the server had given it an id', async () => {
    const { tab, productId, variantId, shopper } = await shopperWithProduct()
    const answers = hold((method) => method === 'POST')
    const adding = tab.cart.addItem(productId, variantId)
    const changing = tab.cart.updateItem(tab.cart.state().cart!.items[0]!.id, 7)
    expect(tab.cart.state().cart?.totalItems).toBe(7)
    answers.release()
    await Promise.all([adding, changing])
    expect((await stored(shopper)).totalItems).toBe(7)
  })

  it('recovers: forgets what it holds, reads afresh, and brings what had no answer to its end under the same key', async () => {
    const { tab, productId, variantId, shopper } = await shopperWithProduct()
    proxy.rule.onTheWay = ({ method }) => (method === 'POST' ? 'lose-answer' : 'pass')
    await expect(tab.cart.addItem(productId, variantId, 5)).rejects.toMatchObject({ verdict: { outcome: 'unknown' } })
    proxy.rule.onTheWay = () => 'pass'
    const recovered = await tab.cart.recover()
    expect(recovered.totalItems).toBe(5)
    const keys = proxy.requests('POST', '/api/cart/add').map(({ key }) => key)
    expect(keys).toHaveLength(3)
    expect(new Set(keys).size).toBe(1)
    expect((await stored(shopper)).totalItems).toBe(5)
  })

  it('says that a change without an answer is kept, and nothing more of it once it has been brought to its end', async () => {
    const { tab, productId, variantId, shopper } = await shopperWithProduct()
    proxy.rule.onTheWay = ({ method }) => (method === 'POST' ? 'lose-answer' : 'pass')
    await tab.cart.addItem(productId, variantId, 5).catch(() => {})
    expect(isKept(tab.cart.state().trouble)).toBe(true)
    await tab.cart.takeUp()
    expect(isKept(tab.cart.state().trouble)).toBe(true)
    proxy.rule.onTheWay = () => 'pass'
    await tab.cart.takeUp()
    expect(tab.cart.state()).toMatchObject({ cart: { totalItems: 5 } })
    expect(tab.cart.state()).not.toHaveProperty('trouble')
    expect((await stored(shopper)).totalItems).toBe(5)
  })

  it('refuses to check out an empty cart, though another device emptied it, before anything is written', async () => {
    const { tab, productId, variantId, shopper } = await shopperWithProduct()
    await tab.cart.addItem(productId, variantId)
    tab.live.stop()
    await shopper.send('DELETE', '/api/cart')
    proxy.seen.length = 0
    const refused = await tab.cart
      .checkout({ gateway: 'stripe', shippingAddress: crypto.randomUUID() })
      .catch((error: unknown) => error)
    expect(problemOf(refused)?.code).toBe('cart_empty')
    expect(proxy.seen.map(({ method, path }) => `${method} ${path}`)).toEqual(['GET /api/cart'])
  })

  it('checks out the cart as it is now, at the total that was seen: where that has changed, nothing is ordered', async () => {
    const { tab, productId, variantId, shopper } = await shopperWithProduct()
    await tab.cart.addItem(productId, variantId, 2)
    const seen = tab.cart.state().cart!
    tab.live.stop()
    await shopper.send('POST', '/api/cart/add', { productId, quantity: 1 })
    const address = { name: 'Asha Rao', line1: '12 MG Road', city: 'Bengaluru', postalCode: '560001', country: 'IN' }
    proxy.seen.length = 0
    await tab.cart.checkout({ gateway: 'stripe', shippingAddress: address }).catch(() => {})
    const [read, write] = proxy.seen
    expect(read).toMatchObject({ method: 'GET', path: '/api/cart' })
    expect(write).toMatchObject({ method: 'POST', path: '/api/payments/create-from-cart' })
    expect(write!.key).toBeDefined()
    expect(JSON.parse(write!.body)).toEqual({
      gateway: 'stripe',
      cartId: seen.id,
      currency: 'INR',
      expectedTotal: { amount: 2000, currency: 'INR' },
      shippingAddress: address,
    })
    expect((await shopper.send('GET', '/api/orders')).body.items).toEqual([])
    expect((await stored(shopper)).totalItems).toBe(3)
  })

  it('tells the shop’s figures in sums: hits, misses, and refusals that showed it to be out of step', async () => {
    const { tab, productId, variantId, shopper } = await shopperWithProduct()
    const { items } = await tab.cart.addItem(productId, variantId)
    await tab.figures.flush()
    tab.live.stop()
    proxy.seen.length = 0
    for (let n = 0; n < 5; n++) await tab.cart.getCart()
    await shopper.send('DELETE', '/api/cart')
    await expect(tab.cart.updateItem(items[0]!.id, 3)).rejects.toMatchObject({
      problem: { code: 'cart_item_not_found' },
    })
    await until(() => tab.cart.state().cart?.items.length === 0)
    await tab.figures.flush()
    const [sent, ...more] = proxy.requests('POST', '/api/client-events')
    expect(more).toEqual([])
    expect(JSON.parse(sent!.body)).toEqual({
      events: [
        { type: 'cache_hit', count: 5 },
        { type: 'cart_sync_error', count: 1 },
        { type: 'cart_recovered', count: 1 },
      ],
    })
  })

  it('keeps nothing of an account that has left, although its cart was being read', async () => {
    const { shopper, productId, variantId } = await shopperWithProduct()
    const browser = openBrowser()
    const tab = browser.openTab()
    await signIn(tab, shopper)
    const { id } = await tab.cart.addItem(productId, variantId)
    const answers = hold((method, path) => method === 'GET' && path === '/api/cart')
    const reading = tab.cart.getCart(true)
    await until(() => answers.held() > 0)
    await tab.session.signOut()
    answers.release()
    await reading.catch(() => undefined)
    const kept = Array.from({ length: browser.store.length }, (_, n) => browser.store.getItem(browser.store.key(n)!))
    expect(kept.join()).not.toContain(id)
  })

  it('leaves nothing of one account for the next one', async () => {
    const { tab, productId, variantId } = await shopperWithProduct()
    await tab.cart.addItem(productId, variantId)
    await tab.session.signOut()
    expect(tab.cart.state().cart?.items ?? []).toEqual([])
    await signIn(tab, await shop.newShopper())
    await until(() => tab.cart.state().cart?.totalItems === 0)
  })
})

describe('Ten tabs', () => {
  it('need one stream, and one read of a change that was made elsewhere', async () => {
    const [shopper, product] = await Promise.all([shop.newShopper(), shop.newProduct()])
    const browser = openBrowser()
    const first = browser.openTab()
    await signIn(first, shopper)
    const tabs = [first, ...Array.from({ length: 9 }, () => browser.openTab())]
    await Promise.all(tabs.map((tab) => tab.session.open()))
    await until(() => tabs.every((tab) => tab.cart.state().status === 'ready'))
    await until(() => tabs.filter((tab) => tab.live.leading()).length === 1)
    proxy.seen.length = 0
    await shopper.send('POST', '/api/cart/add', { productId: product.productId, quantity: 2 })
    await until(() => tabs.every((tab) => tab.cart.state().cart?.totalItems === 2))
    expect(proxy.requests('GET', /^\/api\/(events|cart)/)).toHaveLength(1)
  })

  it('go on when the one that reads is closed, and each hears what another does', async () => {
    const [shopper, product] = await Promise.all([shop.newShopper(), shop.newProduct()])
    const browser = openBrowser()
    const leader = browser.openTab()
    await signIn(leader, shopper)
    const others = [browser.openTab(), browser.openTab()]
    await Promise.all(others.map((tab) => tab.session.open()))
    await until(() => leader.live.leading())
    leader.live.stop()
    await until(() => others.filter((tab) => tab.live.leading()).length === 1)
    await shopper.send('POST', '/api/cart/add', { productId: product.productId, quantity: 1 })
    await until(() => others.every((tab) => tab.cart.state().cart?.totalItems === 1))
    await others[0]!.cart.addItem(product.productId, product.variantIds[0])
    await until(() => others.every((tab) => tab.cart.state().cart?.totalItems === 2))
  })

  it('come back when the stream breaks, with a new token where the old one has ended, and have missed nothing', async () => {
    const { shopper, tab, productId } = await shopperWithProduct()
    await until(() => proxy.requests('GET', /^\/api\/events/).length === 1)
    const refreshed = () => proxy.requests('POST', '/api/auth/refresh').length
    let refused = 0
    proxy.rule.onTheWay = ({ path }) => (path.startsWith('/api/events') && refused++ === 0 ? 'refuse' : 'pass')
    expect(proxy.cut(/^\/api\/events/)).toBe(1)
    await shopper.send('POST', '/api/cart/add', { productId, quantity: 4 })
    await until(() => tab.cart.state().cart?.totalItems === 4)
    expect([refused, refreshed()]).toEqual([2, 1])
  })

  it('hear of other topics too, in the same stream', async () => {
    const { shopper, tab } = await shopperWithProduct()
    await until(() => tab.live.leading())
    const key = crypto.randomUUID()
    const heard: unknown[] = []
    const leave = tab.live.listen(`operation:${key}`, (data) => heard.push((data as { state: string }).state))
    await until(() => heard.includes('none'))
    const product = await shop.newProduct()
    await shopper.send(
      'POST',
      '/api/cart/add',
      { productId: product.productId, quantity: 1 },
      { 'idempotency-key': key },
    )
    await until(() => heard.includes('succeeded'))
    leave()
    await until(() => proxy.requests('GET', /^\/api\/events/).at(-1)?.path === '/api/events?topics=cart')
  })
})

describe('A guest', () => {
  async function guestWithCart(quantity = 2) {
    const product = await shop.newProduct({ stock: 5, variants: 2 })
    const browser = openBrowser()
    const tab = browser.openTab()
    await tab.cart.addItem(product.productId, undefined, quantity)
    return { browser, tab, ...product }
  }

  it('has a cart that reads and changes like one of the server, with the catalogue’s prices, in every tab', async () => {
    const { browser, tab, productId, variantIds } = await guestWithCart(2)
    const other = browser.openTab()
    await other.cart.getCart()
    await other.cart.addItem(productId, variantIds[1], 6)
    await until(() => tab.cart.state().cart?.totalItems === 8)
    expect(tab.cart.state().cart).toMatchObject({
      itemsCount: 2,
      totalPrice: { amount: 2 * 1000 + 6 * 1100, currency: 'INR' },
      hasUnavailableItems: true,
    })
    await tab.cart.updateItem(tab.cart.state().cart!.items[1]!.id, 1)
    await tab.cart.removeItem(tab.cart.state().cart!.items[0]!.id)
    await until(() => other.cart.state().cart?.totalItems === 1)
    expect(proxy.seen.every(({ path }) => path.startsWith('/api/products/'))).toBe(true)
  })

  it('finds it in the account’s cart after signing in, once, though two tabs sign in at the same moment', async () => {
    const { browser, tab } = await guestWithCart(2)
    const other = browser.openTab()
    const shopper = await shop.newShopper()
    await Promise.all([tab.session.signIn(credentialsOf(shopper)), other.session.signIn(credentialsOf(shopper))])
    await until(() => [tab, other].every(({ cart }) => cart.state().cart?.totalItems === 2))
    expect(proxy.requests('POST', '/api/cart/merge')).toHaveLength(1)
    expect((await stored(shopper)).totalItems).toBe(2)
    await tab.session.signOut()
    await until(() => tab.cart.state().status === 'ready')
    expect(tab.cart.state().cart?.items).toEqual([])
  })

  it('finds it there once, though the answer was lost and the page closed', async () => {
    const { browser, tab } = await guestWithCart(3)
    const shopper = await shop.newShopper()
    proxy.rule.onTheWay = ({ path }) => (path === '/api/cart/merge' ? 'lose-answer' : 'pass')
    await tab.session.signIn(credentialsOf(shopper))
    await until(() => proxy.requests('POST', '/api/cart/merge').length === 2)
    tab.live.stop()
    proxy.rule.onTheWay = () => 'pass'
    const reopened = browser.openTab()
    await reopened.session.open()
    await until(() => reopened.cart.state().cart?.totalItems === 3)
    await until(() => proxy.requests('POST', '/api/cart/merge').length === 3)
    expect(new Set(proxy.requests('POST', '/api/cart/merge').map(({ key }) => key)).size).toBe(1)
    expect((await stored(shopper)).totalItems).toBe(3)
  })

  it('is told in every tab what did not fit', async () => {
    const { browser, tab, variantIds } = await guestWithCart(2)
    const other = browser.openTab()
    await shop.sql('update pantry.variant set archived_at = now() where id = $1::uuid', [variantIds[0]])
    await tab.session.signIn(credentialsOf(await shop.newShopper()))
    await until(() => [tab, other].every(({ cart }) => cart.state().leftOut.length === 1))
    expect(other.cart.state().leftOut).toEqual([{ name: 'Rice, Size 1', quantity: 2, reason: 'product_unavailable' }])
    other.cart.dismissLeftOut()
    await until(() => tab.cart.state().leftOut.length === 0)
  })
})
