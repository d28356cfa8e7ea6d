import type { Browser, Page, Route } from 'playwright'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../../../safepoint/test/support/until.ts'
import { launchBrowser } from './launch-browser.ts'
import { startShop, type Shop } from './start-shop.ts'
import { newCustomer, openTabs, type Customer, type Tabs } from './tabs.test.setup.ts'

let shop: Shop
let browser: Browser

beforeAll(async () => {
  browser = await launchBrowser()
  shop = await startShop()
})

afterEach(() => Promise.all(browser.contexts().map((context) => context.close())))

afterAll(async () => {
  await browser?.close()
  await shop?.stop()
})

const press = (page: Page, name: string | RegExp) => page.getByRole('button', { name, exact: true }).click()
const units = (page: Page, product: string) => page.getByRole('textbox', { name: `Quantity of ${product}` })

/** A field writes 1000 as `1,000`. */
const shown = async (page: Page, product: string): Promise<number> =>
  Number((await units(page, product).inputValue({ timeout: 5_000 })).replaceAll(/\D/g, ''))

/** Until a page shows so many of a product, none for 0. */
async function sees(page: Page, product: string, quantity: number): Promise<void> {
  if (quantity === 0) return units(page, product).waitFor({ state: 'detached' })
  await until(async () => (await shown(page, product)) === quantity)
}

/** Somebody with a tab that shows their basket. */
async function signedIn(): Promise<{ readonly customer: Customer; readonly tabs: Tabs; readonly page: Page }> {
  const customer = await newCustomer(shop)
  const tabs = await openTabs(browser, shop, customer)
  const page = await tabs.open()
  await page.getByText('Nothing in it yet.').first().waitFor()
  return { customer, tabs, page }
}

async function fillSignIn(page: Page, { email, password }: Customer): Promise<void> {
  await press(page, 'Sign in to check out')
  await page.getByLabel('Email').fill(email)
  await page.getByLabel('Password').fill(password)
}

const submit = (page: Page) => page.getByRole('dialog').getByRole('button', { name: 'Sign in', exact: true }).click()

const cartOf = (customer: Customer): Promise<{ totalItems: number; version: number }> =>
  customer.send('GET', '/api/cart')

describe('Ten tabs of one browser', () => {
  it('have one stream; what one adds, all show; and when the one that reads it is closed, another does', async () => {
    const { customer, tabs, page } = await signedIn()
    await until(() => tabs.streams() === 1)
    const others = await Promise.all(Array.from({ length: 9 }, () => tabs.open()))
    await Promise.all(others.map((other) => other.getByText('Nothing in it yet.').first().waitFor()))
    expect(tabs.streams()).toBe(1)

    await press(others[4]!, 'Add Bananas to the basket')
    await Promise.all([page, ...others].map((tab) => sees(tab, 'Bananas, 500 g', 1)))

    // From another device: told by the stream, and read once for all ten.
    const before = tabs.count('GET', /^\/api\/cart$/)
    const { items } = await customer.send('GET', '/api/products?search=almonds')
    await customer.send('POST', '/api/cart/add', { productId: items[0].id, quantity: 2 })
    await Promise.all([page, ...others].map((tab) => sees(tab, 'Almonds, 200 g', 2)))
    expect(tabs.count('GET', /^\/api\/cart$/) - before).toBe(1)

    // The first one reads the stream.
    await page.close()
    await until(() => tabs.streams() === 1)
    await customer.send('DELETE', '/api/cart')
    await Promise.all(others.map((tab) => sees(tab, 'Almonds, 200 g', 0)))
    expect(tabs.streams()).toBe(1)
  })
})

describe('A guest', () => {
  it('shops, and finds it all after signing in, once, though two tabs sign in at the same moment', async () => {
    const customer = await newCustomer(shop)
    const tabs = await openTabs(browser, shop)
    const [page, other] = [await tabs.open(), await tabs.open()]
    await press(page, 'Add Bananas to the basket')
    await press(page, 'Add Bananas to the basket')
    await sees(other, 'Bananas, 500 g', 2)
    expect(tabs.requested.every(({ method }) => method === 'GET')).toBe(true)

    await Promise.all([fillSignIn(page, customer), fillSignIn(other, customer)])
    await Promise.all([submit(page), submit(other)])
    await Promise.all([page, other].map((tab) => tab.getByText('Signed in as Asha Rao').waitFor()))
    await until(async () => (await cartOf(customer)).totalItems === 2)
    await page.keyboard.press('Escape')
    await sees(page, 'Bananas, 500 g', 2)
    const merges = tabs.requested.filter(({ path }) => path === '/api/cart/merge')
    expect(merges).toHaveLength(1)
    expect(await cartOf(customer)).toMatchObject({ totalItems: 2 })
  })

  it('finds it there once, though the answer was lost and the page reloaded', async () => {
    const customer = await newCustomer(shop)
    const tabs = await openTabs(browser, shop)
    const page = await tabs.open()
    await press(page, 'Add Bananas to the basket')
    await fillSignIn(page, customer)
    await tabs.context.route('**/api/cart/merge', async (route) => {
      await route.fetch()
      // The page may have been reloaded meanwhile, and its requests with it.
      await route.abort('connectionreset').catch(() => {})
    })
    await submit(page)
    await until(async () => (await cartOf(customer)).totalItems === 1)
    await tabs.context.unroute('**/api/cart/merge')
    await page.reload()
    await sees(page, 'Bananas, 500 g', 1)
    const keys = tabs.requested.filter(({ path }) => path === '/api/cart/merge').map(({ key }) => key)
    expect(keys.length).toBeGreaterThan(1)
    expect(new Set(keys).size).toBe(1)
    expect(await cartOf(customer)).toMatchObject({ totalItems: 1 })
  })
})

describe('The basket', () => {
  it('shows what was asked for at once, and takes it back where the server refuses it', async () => {
    const { customer, page } = await signedIn()
    const { items } = await customer.send('GET', '/api/products?search=bananas')
    await customer.send('POST', '/api/cart/add', { productId: items[0].id, quantity: 999 })
    await sees(page, 'Bananas, 500 g', 999)
    const held = Promise.withResolvers<Route>()
    await page.route('**/api/cart/add', (route) => held.resolve(route))
    await press(page, 'Add Bananas to the basket')
    const request = await held.promise
    await sees(page, 'Bananas, 500 g', 1000)
    await request.continue()
    await page.getByRole('complementary').getByText('That is more than one basket takes.').waitFor()
    expect(await shown(page, 'Bananas, 500 g')).toBe(999)
  })

  it('gives back what was removed, as much as there was of it', async () => {
    const { customer, page } = await signedIn()
    const { items } = await customer.send('GET', '/api/products?search=almonds')
    await customer.send('POST', '/api/cart/add', { productId: items[0].id, quantity: 3 })
    await sees(page, 'Almonds, 200 g', 3)
    await press(page, 'Remove Almonds, 200 g')
    await sees(page, 'Almonds, 200 g', 0)
    await until(async () => (await cartOf(customer)).totalItems === 0)
    await press(page, 'Undo')
    await sees(page, 'Almonds, 200 g', 3)
    await until(async () => (await cartOf(customer)).totalItems === 3)
    await page.getByText('Almonds, 200 g: removed.').first().waitFor({ state: 'detached' })
  })

  it('ignores an answer that is older than what it shows', async () => {
    const { customer, page } = await signedIn()
    const held = Promise.withResolvers<Route>()
    await page.route('**/api/cart', (route) => held.resolve(route))
    // Another device adds something, and so the page reads; the server answers, and the answer takes its time.
    const { items } = await customer.send('GET', '/api/products?search=almonds')
    await customer.send('POST', '/api/cart/add', { productId: items[0].id, quantity: 2 })
    const read = await held.promise
    const old = await read.fetch()
    await press(page, 'Add Bananas to the basket')
    await sees(page, 'Almonds, 200 g', 2)
    await sees(page, 'Bananas, 500 g', 1)
    expect(await old.json()).toMatchObject({ totalItems: 2 })
    expect(await cartOf(customer)).toMatchObject({ totalItems: 3 })
    const arrived = page.waitForResponse((response) => response.url().endsWith('/api/cart'))
    await read.fulfill({ response: old })
    await arrived
    // Drawn after whatever the answer has changed.
    await page.evaluate('new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))')
    expect(await units(page, 'Bananas, 500 g').inputValue()).toBe('1')
  })

  it('has what was added once, though its answer was lost and the page reloaded', async () => {
    const { customer, page, tabs } = await signedIn()
    await tabs.context.route('**/api/cart/add', async (route) => {
      await route.fetch()
      // The page may have been reloaded meanwhile, and its requests with it.
      await route.abort('connectionreset').catch(() => {})
    })
    await press(page, 'Add Bananas to the basket')
    await until(async () => (await cartOf(customer)).totalItems === 1)
    await tabs.context.unroute('**/api/cart/add')
    await page.reload()
    await sees(page, 'Bananas, 500 g', 1)
    await until(async () =>
      page.evaluate(() => !Object.keys(localStorage).some((name) => name.startsWith('safepoint:'))),
    )
    expect(new Set(tabs.requested.filter(({ path }) => path.endsWith('/add')).map(({ key }) => key)).size).toBe(1)
    expect(await cartOf(customer)).toMatchObject({ totalItems: 1 })
  })

  it('keeps what was added without a connection, says so, and has it once there is one', async () => {
    const { customer, page, tabs } = await signedIn()
    await tabs.context.setOffline(true)
    await page.getByText('You are offline.').waitFor()
    await press(page, 'Add Bananas to the basket')
    const kept = page.getByRole('complementary').getByText('What you asked for is kept')
    await kept.waitFor({ timeout: 15_000 })
    await tabs.context.setOffline(false)
    await sees(page, 'Bananas, 500 g', 1)
    await kept.waitFor({ state: 'detached' })
    expect(await page.getByText('You are offline.').count()).toBe(0)
    expect(await cartOf(customer)).toMatchObject({ totalItems: 1 })
  })

  it('mends itself after a cart error that nobody caught, by its code, once in 30 s, and without a reload', async () => {
    const { page, tabs } = await signedIn()
    const reads = () => tabs.count('GET', /^\/api\/cart$/)
    const before = reads()
    let loads = 0
    page.on('load', () => loads++)
    const raise = (code: string) =>
      page.evaluate((of) => {
        localStorage.setItem('cartId', '42')
        sessionStorage.setItem('cartData', '{}')
        const error = Object.assign(new Error('Nothing with that word in it'), {
          name: 'ProblemError',
          problem: { type: `/errors/${of}`, title: of, status: 404, code: of, retryable: false },
        })
        void Promise.reject(error)
      }, code)
    const isLeft = () => page.evaluate(() => localStorage.getItem('cartId') ?? sessionStorage.getItem('cartData'))

    await raise('order_not_found')
    await page.evaluate(() => void Promise.reject(new Error('Cart is empty. cart, Cart, CART')))
    expect(await isLeft()).toBe('42')
    await raise('cart_not_found')
    await until(() => reads() === before + 1)
    await until(async () => (await isLeft()) === null)
    await raise('cart_not_found')
    await press(page, 'Add Bananas to the basket')
    await sees(page, 'Bananas, 500 g', 1)
    expect(await isLeft()).toBe('42')
    expect(reads()).toBe(before + 1)
    expect(loads).toBe(0)
  })
})
