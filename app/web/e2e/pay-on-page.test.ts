import type { Browser, Page } from 'playwright'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../../../safepoint/test/support/until.ts'
import { launchBrowser } from './launch-browser.ts'
import { startShop, type Shop } from './start-shop.ts'
import { newCustomer, openTabs, type Customer } from './tabs.test.setup.ts'

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
const see = (page: Page, words: string | RegExp) => page.getByText(words).first().waitFor({ timeout: 12_000 })

const address = { name: 'Asha Rao', line1: '12 MG Road', city: 'Bengaluru', postalCode: '560001', country: 'IN' }

/** Somebody with an address and so much of a product in the basket. */
async function customerWith(product: string, quantity: number): Promise<Customer> {
  const customer = await newCustomer(shop)
  const { items } = await customer.send('GET', `/api/products?search=${product}`)
  await customer.send('POST', '/api/cart/add', { productId: items[0].id, quantity })
  await customer.send('POST', '/api/addresses', address)
  return customer
}

/** Somebody at the payment form. */
async function atThePaymentForm({ product = 'bananas', gateways }: { product?: string; gateways?: object[] } = {}) {
  const customer = await customerWith(product, 2)
  const tabs = await openTabs(browser, shop, customer)
  if (gateways) {
    await tabs.context.route('**/api/payments/gateways', (route) =>
      route.fulfill({ json: { items: gateways, nextCursor: null } }),
    )
  }
  const page = await tabs.open()
  await press(page, 'Check out')
  return { customer, page, tabs }
}

async function goToThePageOf(page: Page, gateway: string): Promise<void> {
  await page.getByText(`On ${gateway}’s page`).click()
  await page.getByRole('button', { name: /^Pay ₹/ }).click()
  await see(page, 'Simulated payment page. No money moves.')
}

async function theOrder(customer: Customer) {
  const { items } = await customer.send('GET', '/api/orders')
  expect(items).toHaveLength(1)
  return items[0] as { id: string; status: string; payment: { status: string } }
}

const dialog = (page: Page) => page.getByRole('dialog')

describe('A customer who pays on a gateway’s own page', () => {
  it('goes there by a link, pays, comes back to the truth, and cancels for a refund', async () => {
    const { customer, page } = await atThePaymentForm()
    await goToThePageOf(page, 'Stripe')
    await press(page, 'Pay')
    await see(page, /^Order #\S+: Thank you. It is paid.$/)
    expect(await theOrder(customer)).toMatchObject({ status: 'completed', payment: { status: 'captured' } })

    await press(page, 'All orders')
    await dialog(page)
      .getByRole('button', { name: /^Order #.*Paid$/ })
      .click()
    await page.getByText('What has happened').click()
    await see(page, 'Paid on the payment page')
    await press(page, 'Cancel and refund')
    await press(page, 'Yes, cancel it')
    await see(page, /^Order #\S+ is cancelled and your money was given back.$/)
    await see(page, /^Order #\S+: It is cancelled, and your money was given back.$/)
    expect(await theOrder(customer)).toMatchObject({ status: 'cancelled', payment: { status: 'refunded' } })
    await press(page, 'Order again')
    await dialog(page)
      .getByRole('button', { name: /^Remove Bananas/ })
      .waitFor()
    await until(async () => (await customer.send('GET', '/api/cart')).totalItems === 2)
  })

  it('goes there with a form, pays, and comes back to the truth', async () => {
    const { customer, page } = await atThePaymentForm()
    await goToThePageOf(page, 'Razorpay')
    await press(page, 'Pay')
    await see(page, /^Order #\S+: Thank you. It is paid.$/)
    expect(await theOrder(customer)).toMatchObject({ status: 'completed', payment: { status: 'captured' } })
  })

  it('leaves it unpaid, is told so, goes on, leaves again, and cancels: nothing was charged', async () => {
    const { customer, page } = await atThePaymentForm()
    await goToThePageOf(page, 'Stripe')
    await press(page, 'Back to the shop')
    await see(page, /^Order #\S+: It waits for your payment. Nothing has been charged.$/)
    await press(page, 'Go on to the payment page')
    await see(page, 'Simulated payment page. No money moves.')
    await press(page, 'Back to the shop')
    await press(page, 'Cancel the order')
    await press(page, 'Yes, cancel it')
    await see(page, /is cancelled: nothing was charged, and no charge remains.$/)
    expect(await theOrder(customer)).toMatchObject({ status: 'cancelled' })
    await until(async () => (await customer.send('GET', '/api/cart')).totalItems === 2)
  })

  it('cancels while the page is being opened, and the basket is as it was', async () => {
    const { customer, page } = await atThePaymentForm()
    let arrived = () => {}
    const sent = new Promise<void>((resolve) => (arrived = resolve))
    // It does not reach the shop before the cancel does.
    let letGo = () => {}
    const late = new Promise<void>((resolve) => (letGo = resolve))
    await page.route('**/create-from-cart', async (route) => {
      arrived()
      await late
      await route.continue().catch(() => {})
    })
    await page.getByText('On Stripe’s page').click()
    await page.getByRole('button', { name: /^Pay ₹/ }).click()
    await sent
    await press(page, 'Cancel')
    await see(page, 'Cancelled: nothing was charged, nothing was ordered.')
    letGo()
    expect((await customer.send('GET', '/api/orders')).items).toEqual([])
    expect(await customer.send('GET', '/api/cart')).toMatchObject({ totalItems: 2 })
  })

  it('comes back by the browser’s own button, closes that, and finds the order again beside the empty basket', async () => {
    const { customer, page } = await atThePaymentForm()
    await goToThePageOf(page, 'Razorpay')
    await page.goBack()
    await see(page, /is set aside for you, and nothing has been charged.$/)
    await page.keyboard.press('Escape')
    await press(page, 'Pay or cancel it')
    await see(page, /^Order #\S+: It waits for your payment. Nothing has been charged.$/)
    await press(page, 'Cancel the order')
    await press(page, 'Yes, cancel it')
    await see(page, /is cancelled: nothing was charged, and no charge remains.$/)
    await press(page, 'Close')
    await page.getByRole('button', { name: /^Remove Bananas/ }).waitFor()
    expect(await page.getByText('Pay or cancel it').count()).toBe(0)
    expect(await theOrder(customer)).toMatchObject({ status: 'cancelled' })
  })
})

describe('A shop', () => {
  it('that cannot be paid just now says so, and one that has nothing to sell', async () => {
    const { page } = await atThePaymentForm({ gateways: [] })
    await see(page, 'There is no way to pay just now.')
    expect(await page.getByRole('button', { name: /^Pay ₹/ }).isDisabled()).toBe(true)
    await page.route('**/api/products?*', (route) => route.fulfill({ json: { items: [], nextCursor: null } }))
    await page.reload()
    await see(page, 'There is nothing to buy here yet.')
  })
})

describe('A payment form that has stood open', () => {
  it('says in the other window that its basket is empty, and leads to the order that was made of it', async () => {
    const { customer, page, tabs } = await atThePaymentForm()
    const other = await tabs.open()
    await press(other, 'Check out')
    await page.getByRole('button', { name: /^Pay ₹/ }).click()
    await see(page, /^Thank you. Order #/)
    await see(other, 'There is nothing in your basket any more.')
    await press(other, 'Look at your orders')
    await dialog(other)
      .getByRole('button', { name: /^Order #.*Paid$/ })
      .waitFor()
    expect(await theOrder(customer)).toMatchObject({ status: 'completed' })
  })

  it('is told what somebody else has bought meanwhile, and how much of it is left', async () => {
    const { customer, page } = await atThePaymentForm({ product: 'broccoli' })
    const other = await customerWith('broccoli', 34)
    const cart = await other.send('GET', '/api/cart')
    const [{ id: addressId }] = (await other.send('GET', '/api/addresses')).items
    await other.send('POST', '/api/orders', { cartId: cart.id, addressId, expectedTotal: cart.totalPrice })
    await page.getByRole('button', { name: /^Pay ₹/ }).click()
    await see(page, /There is not enough left: Broccoli, 1 head \(1 left\)/)
    await press(page, 'Back to the groceries')
    await page.getByRole('complementary').getByText('Only 1 left: take fewer').waitFor()
    expect((await customer.send('GET', '/api/orders')).items).toEqual([])
  })
})
