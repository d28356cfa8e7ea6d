import type { Browser, Page, Route } from 'playwright'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../../../safepoint/test/support/until.ts'
import { launchBrowser } from './launch-browser.ts'
import { startShop, type Shop } from './start-shop.ts'

let shop: Shop
let browser: Browser

beforeAll(async () => {
  browser = await launchBrowser()
  shop = await startShop()
})

afterAll(async () => {
  await browser?.close()
  await shop?.stop()
})

const see = (page: Page, words: string | RegExp) => page.getByText(words).first().waitFor({ timeout: 12_000 })
const press = (page: Page, name: string | RegExp) => page.getByRole('button', { name, exact: true }).click()

/** A new customer in a browser of their own, with bananas in the basket, an address, and the payment form open. */
async function atThePaymentForm(): Promise<Page> {
  const context = await browser.newContext({ locale: 'en-IN' })
  const page = await context.newPage()
  page.setDefaultTimeout(10_000)
  await page.goto(shop.url)
  await press(page, 'Add Bananas to the basket')
  await press(page, 'Sign in to check out')
  await press(page, 'New here? Create an account')
  await page
    .getByLabel('Full name')
    .or(page.getByLabel('Name', { exact: true }))
    .fill('Asha Rao')
  await page.getByLabel('Email').fill(`asha-${crypto.randomUUID()}@example.com`)
  await page.getByLabel('Password').fill('bananas and mangoes')
  await press(page, 'Create an account')
  await page.getByLabel('Full name').fill('Asha Rao')
  await page.getByLabel('Street and number').fill('12 MG Road')
  await page.getByLabel('City').fill('Bengaluru')
  await page.getByLabel('Postal code').fill('560001')
  await press(page, 'Save address')
  return page
}

const payButton = (page: Page) => page.getByRole('button', { name: /^Pay / })

/** The orders of the customer of this page, as the server has them. */
async function ordersOf(page: Page): Promise<Array<{ id: string; status: string }>> {
  const token = await page.evaluate(async () => {
    const refreshToken = localStorage.getItem('pantry:refresh-token')
    const response = await fetch('/api/auth/refresh', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ refreshToken }),
    })
    const tokens = (await response.json()) as { accessToken: string; refreshToken: string }
    localStorage.setItem('pantry:refresh-token', tokens.refreshToken)
    return tokens.accessToken
  })
  const response = await fetch(`${shop.url}/api/orders`, { headers: { authorization: `Bearer ${token}` } })
  return ((await response.json()) as { items: Array<{ id: string; status: string }> }).items
}

/** The one order of this customer, and what the bank's book says of it. */
async function theOrder(page: Page) {
  const [order, ...more] = await ordersOf(page)
  expect(more).toEqual([])
  return { ...order!, booked: (await shop.readBook())[order!.id] }
}

describe('A customer at the checkout', () => {
  it('cancels while the payment is in flight and is told the truth', async () => {
    const page = await atThePaymentForm()
    const charge = await shop.holdCharge()
    await payButton(page).click()
    await charge.arrived()
    await press(page, 'Cancel')
    await see(page, /^Being undone/)
    await charge.release()
    await see(page, 'Cancelled: nothing was ordered, and no charge remains.')
    await see(page, /Your basket is as it was\.$/)
    // The bank had taken the money before the cancel: it must have been given back.
    expect(await theOrder(page)).toMatchObject({ status: 'cancelled', booked: { charges: 1, net: 0 } })
    await press(page, 'Back to the groceries')
    await page.getByRole('button', { name: /^Remove Bananas/ }).waitFor()
  })

  it('cancels before the request has arrived, and it is true that nothing was charged', async () => {
    const page = await atThePaymentForm()
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
    const { status, booked } = await theOrder(page)
    expect({ status, booked }).toEqual({ status: 'cancelled', booked: undefined })
  })

  it('pays with the slow card of a demo account, cancels in the middle, and the money is not kept', async () => {
    const page = await (await browser.newContext({ locale: 'en-IN' })).newPage()
    page.setDefaultTimeout(10_000)
    await page.goto(shop.url)
    await press(page, 'Add Almonds to the basket')
    await press(page, 'Sign in to check out')
    await press(page, 'Customer')
    await page.getByLabel('Password').press('Enter')
    await page.getByLabel('Full name').fill('Asha Rao')
    await page.getByLabel('Street and number').fill('12 MG Road')
    await page.getByLabel('City').fill('Bengaluru')
    await page.getByLabel('Postal code').fill('560001')
    await press(page, 'Save address')
    await page.getByText('A slow card').click()
    await payButton(page).click()
    const charged = () =>
      shop.readBook().then((book) => Object.values(book).some(({ charged, net }) => charged === 21_000 && net > 0))
    await until(charged)
    await press(page, 'Cancel')
    await see(page, 'Cancelled: nothing was ordered, and no charge remains.')
    await see(page, /Your basket is as it was\.$/)
    expect(await theOrder(page)).toMatchObject({ status: 'cancelled', booked: { charged: 21_000, net: 0 } })
  })

  it('cancels when the payment has already gone through, is told so, and can undo it', async () => {
    const page = await atThePaymentForm()
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
    expect(await theOrder(page)).toMatchObject({ status: 'completed', booked: { charges: 1, refunded: 0 } })
    await press(page, 'Undo (refund)')
    await see(page, /^Undone: order #\S+ is cancelled and your card was refunded/)
    expect(await theOrder(page)).toMatchObject({ status: 'cancelled', booked: { charges: 1, net: 0 } })
  })

  it('taps twice and reloads in the middle: there is one order, one charge, and the verdict comes back', async () => {
    const page = await atThePaymentForm()
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
    expect(await theOrder(page)).toMatchObject({ status: 'completed', booked: { charges: 1, refunded: 0 } })
  })

  it('reloads in the middle, and can still cancel', async () => {
    const page = await atThePaymentForm()
    const charge = await shop.holdCharge()
    await payButton(page).click()
    await charge.arrived()
    await page.reload()
    await press(page, 'Cancel')
    await charge.release()
    await see(page, /Your basket is as it was\.$/)
    expect(await theOrder(page)).toMatchObject({ status: 'cancelled', booked: { net: 0 } })
  })

  it('is declined and charged nothing, and pays the same order with another card', async () => {
    const page = await atThePaymentForm()
    await page.getByText('A card that is declined').click()
    await payButton(page).click()
    await see(page, 'The card was declined; nothing was charged.')
    await page.getByText('A card that works').click()
    await payButton(page).click()
    await see(page, /^Thank you. Order #/)
    expect(await theOrder(page)).toMatchObject({ status: 'completed', booked: { charges: 1 } })
  })

  it('buys with the keyboard alone, and the browser has nothing to complain about', async () => {
    const page = await atThePaymentForm()
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
    expect(await theOrder(page)).toMatchObject({ status: 'completed', booked: { charges: 1 } })
  })

  it('is told that nothing is known while the server cannot be reached, and the outcome once it can', async () => {
    const page = await atThePaymentForm()
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
    expect(await theOrder(page)).toMatchObject({ status: 'completed', booked: { charges: 1 } })
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
