import type { Browser, Page, Route } from 'playwright'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../../../safepoint/test/support/until.ts'
import { launchBrowser } from './launch-browser.ts'
import { startShop, type Shop } from './start-shop.ts'
import { logIn, newCustomer, openTabs, type Customer } from './tabs.test.setup.ts'

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

const see = (page: Page, words: string | RegExp) => page.getByText(words).first().waitFor({ timeout: 12_000 })
const press = (page: Page, name: string | RegExp) => page.getByRole('button', { name, exact: true }).click()

const address = { name: 'Asha Rao', line1: '12 MG Road', city: 'Bengaluru', postalCode: '560001', country: 'IN' }

interface Buyer extends Customer {
  readonly page: Page
}

/** A customer with bananas in the basket, an address, and the payment form open. */
async function atThePaymentForm(): Promise<Buyer> {
  const customer = await newCustomer(shop)
  const { items } = await customer.send('GET', '/api/products?search=bananas')
  await customer.send('POST', '/api/cart/add', { productId: items[0].id, quantity: 1 })
  await customer.send('POST', '/api/addresses', address)
  const page = await (await openTabs(browser, shop, customer)).open()
  await press(page, 'Check out')
  return { ...customer, page }
}

async function fillAddress(page: Page): Promise<void> {
  await page.getByLabel('Full name').fill(address.name)
  await page.getByLabel('Street and number').fill(address.line1)
  await page.getByLabel('City').fill(address.city)
  await page.getByLabel('Postal code').fill(address.postalCode)
  await press(page, 'Save address')
}

/** A page of somebody whom nobody knows yet, with its motion. */
async function newPage(): Promise<Page> {
  const page = await (await browser.newContext({ locale: 'en-IN' })).newPage()
  page.setDefaultTimeout(10_000)
  await page.goto(shop.url)
  return page
}

const payButton = (page: Page) => page.getByRole('button', { name: /^Pay / })

type Order = { readonly id: string; readonly status: string }

/** The one order of this customer, and what the bank's book says of it. */
async function theOrder({ send }: Pick<Customer, 'send'>) {
  const [order, ...more] = (await send('GET', '/api/orders')).items as Order[]
  expect(more).toEqual([])
  return { ...order!, booked: (await shop.readBook())[order!.id] }
}

describe('A customer at the checkout', () => {
  it('cancels while the payment is in flight and is told the truth', async () => {
    const customer = await atThePaymentForm()
    const { page } = customer
    const charge = await shop.holdCharge()
    const refund = await shop.holdRefund()
    await payButton(page).click()
    await charge.arrived()
    await press(page, 'Cancel')
    await refund.arrived()
    await see(page, /^Being undone/)
    await Promise.all([charge.release(), refund.release()])
    await see(page, 'Cancelled: nothing was ordered, and no charge remains.')
    await see(page, /Your basket is as it was\.$/)
    // The bank had taken the money before the cancel: it must have been given back.
    expect(await theOrder(customer)).toMatchObject({ status: 'cancelled', booked: { charges: 1, net: 0 } })
    await press(page, 'Back to the groceries')
    await page.getByRole('button', { name: /^Remove Bananas/ }).waitFor()
  })

  it('cancels before the request has arrived, and it is true that nothing was charged', async () => {
    const customer = await atThePaymentForm()
    const { page } = customer
    const held = Promise.withResolvers<Route>()
    await page.route('**/confirm', (route) => held.resolve(route))
    await payButton(page).click()
    const request = await held.promise
    await press(page, 'Cancel')
    await see(page, 'Cancelled: nothing was charged, nothing was ordered.')
    await see(page, 'Your basket is as it was.')
    // It arrives after all, and is refused.
    await request.continue().catch(() => {})
    // The second press of a double click on Cancel does not put the verdict away.
    await page.getByRole('button', { name: 'Back to the groceries' }).dispatchEvent('click', { detail: 2 })
    await see(page, 'Cancelled: nothing was charged, nothing was ordered.')
    const { status, booked } = await theOrder(customer)
    expect({ status, booked }).toEqual({ status: 'cancelled', booked: undefined })
  })

  it('pays with the slow card of a demo account, cancels in the middle, and the money is not kept', async () => {
    const page = await newPage()
    await press(page, 'Add Almonds to the basket')
    await press(page, 'Sign in to check out')
    await press(page, 'Customer')
    const email = await page.getByLabel('Email').inputValue()
    const customer = await logIn(shop, { email, password: await page.getByLabel('Password').inputValue() })
    await page.getByLabel('Password').press('Enter')
    await fillAddress(page)
    await page.getByText('A slow card').click()
    await payButton(page).click()
    const charged = () =>
      shop.readBook().then((book) => Object.values(book).some(({ charged, net }) => charged === 21_000 && net > 0))
    await until(charged)
    await press(page, 'Cancel')
    await see(page, 'Cancelled: nothing was ordered, and no charge remains.')
    await see(page, /Your basket is as it was\.$/)
    expect(await theOrder(customer)).toMatchObject({ status: 'cancelled', booked: { charged: 21_000, net: 0 } })
  })

  it('cancels when the payment has already gone through, is told so, and can undo it', async () => {
    const customer = await atThePaymentForm()
    const { page } = customer
    let answered = () => {}
    const paid = new Promise<void>((resolve) => (answered = resolve))
    // The answer is lost on its way: the server has finished, the page does not know.
    await page.route('**/confirm', async (route) => {
      await route.fetch()
      answered()
    })
    await payButton(page).click()
    await paid
    await press(page, 'Cancel')
    await see(page, /^Too late: the order went through: #/)
    expect(await theOrder(customer)).toMatchObject({ status: 'completed', booked: { charges: 1, refunded: 0 } })
    await press(page, 'Undo (refund)')
    await see(page, /^Undone: order #\S+ is cancelled and your card was refunded/)
    expect(await theOrder(customer)).toMatchObject({ status: 'cancelled', booked: { charges: 1, net: 0 } })
  })

  it('taps twice and reloads in the middle: there is one order, one charge, and the verdict comes back', async () => {
    const customer = await atThePaymentForm()
    const { page } = customer
    const charge = await shop.holdCharge()
    await payButton(page).evaluate((button) => {
      ;(button as unknown as { click(): void }).click()
      ;(button as unknown as { click(): void }).click()
    })
    await charge.arrived()
    await page.reload()
    await see(page, 'Payment in progress')
    await charge.release()
    await see(page, /^Thank you. Order #/)
    expect(await theOrder(customer)).toMatchObject({ status: 'completed', booked: { charges: 1, refunded: 0 } })
  })

  it('reloads in the middle, and can still cancel', async () => {
    const customer = await atThePaymentForm()
    const { page } = customer
    const charge = await shop.holdCharge()
    await payButton(page).click()
    await charge.arrived()
    await page.reload()
    await press(page, 'Cancel')
    await charge.release()
    await see(page, /Your basket is as it was\.$/)
    expect(await theOrder(customer)).toMatchObject({ status: 'cancelled', booked: { net: 0 } })
  })

  it('shops as a guest, registers, is declined and charged nothing, and pays the same order with another card', async () => {
    const page = await newPage()
    const who = { email: `asha-${crypto.randomUUID()}@example.com`, password: 'bananas and mangoes' }
    await press(page, 'Add Bananas to the basket')
    await press(page, 'Sign in to check out')
    await press(page, 'New here? Create an account')
    await page.getByLabel('Name', { exact: true }).fill('Asha Rao')
    await page.getByLabel('Email').fill(who.email)
    await page.getByLabel('Password').fill(who.password)
    await press(page, 'Create an account')
    await fillAddress(page)
    const customer = await logIn(shop, who)
    await page.getByText('A card that is declined').click()
    await payButton(page).click()
    await see(page, 'The card was declined; nothing was charged.')
    await page.getByText('A card that works').click()
    await payButton(page).click()
    await see(page, /^Thank you. Order #/)
    expect(await theOrder(customer)).toMatchObject({ status: 'completed', booked: { charges: 1 } })
    await press(page, 'Look at the order')
    await see(page, /^Order #\S+: Thank you. It is paid.$/)
    await see(page, '12 MG Road, Bengaluru, 560001, India')
  })

  it('buys with the keyboard alone, and the browser has nothing to complain about', async () => {
    const customer = await atThePaymentForm()
    const { page } = customer
    const complaints: string[] = []
    page.on('console', (message) => message.type() !== 'log' && complaints.push(message.text()))
    const focused = () => page.evaluate<string | null>('document.activeElement.textContent')
    /** As often as it takes. */
    const tabTo = (words: RegExp) =>
      until(async () => {
        await page.keyboard.press('Tab')
        return words.test((await focused()) ?? '')
      })
    // Its rules (no inline style or script) are broken, if at all, while it is opened.
    await page.reload()
    await page.getByRole('button', { name: 'Check out' }).waitFor()
    await tabTo(/^Check out$/)
    await page.keyboard.press('Enter')
    await until(async () => (await focused()) === 'Checkout')
    await page.getByText('A card that works').waitFor()
    await tabTo(/^Pay ₹/)
    await page.keyboard.press('Enter')
    // What has the focus is what there is to read.
    await until(async () => /^Thank you. Order #/.test((await focused()) ?? ''))
    await tabTo(/^Back to the groceries$/)
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    // The button that had opened it is gone.
    await until(async () => (await focused()) === 'Pantry')
    expect(complaints).toEqual([])
    expect(await theOrder(customer)).toMatchObject({ status: 'completed', booked: { charges: 1 } })
  })

  it('is told that nothing is known while the server cannot be reached, and the outcome once it can', async () => {
    const customer = await atThePaymentForm()
    const { page } = customer
    const charge = await shop.holdCharge()
    await payButton(page).click()
    await charge.arrived()
    // The same page, a browser that was opened anew in a tunnel: nothing gets through.
    await page.route('**/confirm', (route) => route.abort('internetdisconnected'))
    await page.route('**/api/operations/**', (route) => route.abort('internetdisconnected'))
    await page.reload()
    await see(page, 'We do not know yet, we keep asking.')
    await charge.release()
    await page.unrouteAll()
    await press(page, 'Ask again now')
    await see(page, /^Thank you. Order #/)
    expect(await theOrder(customer)).toMatchObject({ status: 'completed', booked: { charges: 1 } })
  })
})

describe('The pages', () => {
  it('are sent compressed, and allow no script or style but their own files', async () => {
    const page = await fetch(shop.url)
    expect(page.headers.get('content-security-policy')).not.toContain('unsafe')
    const [, script] = /src="(\/assets\/[^"]+\.js)"/.exec(await page.text())!
    const { headers } = await fetch(shop.url + script!)
    expect(headers.get('content-encoding')).toMatch(/^(br|gzip)$/)
    expect(Number(headers.get('content-length'))).toBeLessThan(160_000)
  })
})
