import fs from 'node:fs'
import type { Browser, Page, Route } from 'playwright'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../../../safepoint/test/support/until.ts'
import { launchBrowser } from './launch-browser.ts'
import { startShop, type Shop } from './start-shop.ts'
import { newCustomer as register, openTabs } from './tabs.test.setup.ts'

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

async function newPage(path = '/'): Promise<Page> {
  const page = await (await browser.newContext({ locale: 'en-IN', reducedMotion: 'reduce' })).newPage()
  page.setDefaultTimeout(10_000)
  await page.goto(shop.url + path)
  return page
}

async function signIn(page: Page, email: string, words: string): Promise<void> {
  await press(page, 'Sign in')
  const form = page.getByRole('dialog')
  await form.getByLabel('Email').fill(email)
  await form.getByLabel('Password').fill(words)
  await form.getByLabel('Password').press('Enter')
}

/** A new customer, signed in, in a browser of their own. */
async function newCustomer() {
  const customer = await register(shop)
  const page = await (await openTabs(browser, shop, customer)).open()
  await see(page, 'Signed in as Asha Rao')
  return { ...customer, page }
}

/** Where the link of the mail leads that came to this address. */
async function linkTo(email: string): Promise<string> {
  const mail = await until(async () => (await shop.readMails(email)).find(({ text }) => text.includes('#reset=')), {
    timeoutMs: 10_000,
    message: `no mail with a link came to ${email}`,
  })
  return /https?:\/\/\S+(\/#reset=\S+)/.exec(mail.text)![1]!
}

async function forget(page: Page, email: string): Promise<void> {
  await press(page, 'Sign in')
  await page.getByRole('dialog').getByLabel('Email').fill(email)
  await press(page, 'Forgot your password?')
  await press(page, 'Send me a link')
  await see(page, `If there is an account with ${email}, a link is on its way to it.`)
}

describe('Somebody who has forgotten the password', () => {
  it('has a link sent, is told when the new one is too weak, chooses another, and signs in with it', async () => {
    const { page: before, email } = await newCustomer()
    const page = await newPage()
    await forget(page, email)
    const link = await linkTo(email)
    const there = await newPage(link)
    await there.getByLabel('New password', { exact: true }).fill('short')
    await press(there, 'Set the new password')
    await see(there, 'must have at least 8 characters')
    await there.getByLabel('New password', { exact: true }).fill('papayas and limes')
    await press(there, 'Set the new password')
    await see(there, 'Your new password is set, and every device is signed out.')
    expect(there.url()).not.toContain('reset')
    await press(there, 'Sign in with it')
    const form = there.getByRole('dialog')
    await form.getByLabel('Email').fill(email)
    await form.getByLabel('Password').fill('papayas and limes')
    await form.getByLabel('Password').press('Enter')
    await see(there, 'Signed in as Asha Rao')
    // The device that was signed in is not any more.
    await before.reload()
    await before.getByRole('button', { name: 'Sign in', exact: true }).waitFor()

    const again = await newPage(link)
    await again.getByLabel('New password', { exact: true }).fill('a third password')
    await press(again, 'Set the new password')
    await see(again, /^This link is not good any more/)
    await again.getByLabel('Email').fill(email)
    await press(again, 'Send me a link')
    await see(again, /a link is on its way to it/)
  })

  it('is told that it is done although the first answer was lost', async () => {
    const { email } = await newCustomer()
    const page = await newPage()
    await forget(page, email)
    const there = await newPage(await linkTo(email))
    let lost = 0
    await there.route('**/api/auth/password/reset', async (route: Route) => {
      if (lost++ > 0) return route.continue()
      await route.fetch()
      return route.abort('connectionreset')
    })
    await there.getByLabel('New password', { exact: true }).fill('papayas and limes')
    await press(there, 'Set the new password')
    await see(there, /^The shop does not answer/)
    await press(there, 'Set the new password')
    await see(there, 'Your new password is set, and every device is signed out.')
    expect(lost).toBe(2)
  })

  it('opens the link in a window where the shop is open already, and may leave it', async () => {
    const page = await newPage()
    await page.evaluate(`location.hash = '#reset=made-up'`)
    await page.getByLabel('New password', { exact: true }).fill('papayas and limes')
    await press(page, 'Set the new password')
    await see(page, /^This link is not good any more/)
    await press(page, 'Close')
    expect(page.url()).toBe(`${shop.url}/`)
    await page.getByRole('button', { name: 'Sign in', exact: true }).waitFor()
  })
})

describe('A customer', () => {
  it('changes the password, and is told when the current one is wrong', async () => {
    const { page, email, password } = await newCustomer()
    await press(page, 'Signed in as Asha Rao')
    const form = page.getByRole('dialog')
    const change = async (current: string, next: string) => {
      await form.getByLabel('Current password', { exact: true }).fill(current)
      await form.getByLabel('New password', { exact: true }).fill(next)
      await press(page, 'Change the password')
    }
    await change('not that one', 'papayas and limes')
    await see(page, 'That is not your current password.')
    await change(password, 'papayas and limes')
    await see(page, 'Your password is changed. Your other devices are signed out.')
    expect(await form.getByLabel('Current password', { exact: true }).inputValue()).toBe('')
    await page.reload()
    await see(page, 'Signed in as Asha Rao')
    const other = await newPage()
    await signIn(other, email, 'papayas and limes')
    await see(other, 'Signed in as Asha Rao')
  })

  it('downloads all that the shop holds of them', async () => {
    const { page, email } = await newCustomer()
    await press(page, 'Signed in as Asha Rao')
    const [download] = await Promise.all([page.waitForEvent('download'), press(page, 'Download my data')])
    expect(download.suggestedFilename()).toMatch(/^pantry-\d{4}-\d\d-\d\d\.json$/)
    const data = JSON.parse(fs.readFileSync(await download.path(), 'utf8'))
    expect(data.profile).toMatchObject({ email, name: 'Asha Rao' })
    expect(data.sessions).toHaveLength(1)
    await see(page, 'The file is among your downloads.')
  })

  it('closes the account after reading what goes and what stays; every tab is signed out, and the email is free', async () => {
    const { page, email, password } = await newCustomer()
    const tab = await page.context().newPage()
    await tab.goto(shop.url)
    await see(tab, 'Signed in as Asha Rao')
    await press(page, 'Signed in as Asha Rao')
    await press(page, 'Close my account')
    await see(page, /^Erased at once: your name, email and password/)
    await see(page, /^Kept, because the law wants it/)
    await press(page, 'Keep my account')
    await press(page, 'Close my account')
    await press(page, 'Yes, close my account')
    await see(page, 'Your account is closed, and your data are erased.')
    for (const one of [page, tab]) await one.getByRole('button', { name: 'Sign in', exact: true }).waitFor()
    await signIn(page, email, password)
    await see(page, 'That email and password do not belong together.')
    await press(page, 'New here? Create an account')
    await page.getByLabel('Name', { exact: true }).fill('Asha Anew')
    await press(page, 'Create an account')
    await see(page, 'Signed in as Asha Anew')
    expect(await page.getByText('Your account is closed, and your data are erased.').count()).toBe(0)
  })

  it('is told which order keeps the account open, cancels it, and closes the account', async () => {
    const { page, send } = await newCustomer()
    await press(page, 'Add Bananas to the basket')
    await until(async () => (await send('GET', '/api/cart')).totalItems === 1)
    // From another program of theirs: a payment page is open.
    const shippingAddress = { name: 'A', line1: '1 Rd', city: 'Pune', postalCode: '411001', country: 'IN' }
    const wish = { gateway: 'stripe', shippingAddress, currency: 'INR' }
    const { orderId } = await send('POST', '/api/payments/create-from-cart', wish)
    expect(orderId).toMatch(/^[0-9a-f-]{36}$/)
    await press(page, 'Signed in as Asha Rao')
    await press(page, 'Close my account')
    await press(page, 'Yes, close my account')
    await see(page, /^Not yet: the payment of Order #\S+ is not settled/)
    await press(page, 'Close')
    await press(page, 'Orders')
    await page.getByRole('button', { name: /^Order #/ }).click()
    await press(page, 'Cancel the order')
    await press(page, 'Yes, cancel it')
    await see(page, /^Order #\S+ is cancelled/)
    await press(page, 'Close')
    await press(page, 'Signed in as Asha Rao')
    await press(page, 'Close my account')
    await press(page, 'Yes, close my account')
    await see(page, 'Your account is closed, and your data are erased.')
    expect((await fetch(`${shop.url}/api/orders/${orderId}`)).status).toBe(401)
  })

  it('keeps a book of addresses: adds, changes, removes one and has it back', async () => {
    const { page, send } = await newCustomer()
    const kept = async () => (await send('GET', '/api/addresses')).items as Array<Record<string, string>>
    await press(page, 'Signed in as Asha Rao')
    await press(page, 'Add an address')
    await page.getByLabel('Full name').fill('Asha Rao')
    await page.getByLabel('Street and number').fill('12 MG Road')
    await page.getByLabel('Flat, floor').fill('Flat 3')
    await page.getByLabel('City').fill('Bengaluru')
    await page.getByLabel('Postal code').fill('560001')
    await page.getByLabel('Phone').fill('call me')
    await press(page, 'Save address')
    await see(page, 'must be a telephone number')
    await page.getByLabel('Phone').fill('+91 80 1234 5678')
    await press(page, 'Save address')
    await see(page, '12 MG Road, Flat 3, Bengaluru, 560001, India')

    await press(page, 'Change 12 MG Road')
    await page.getByLabel('Street and number').fill('14 MG Road')
    await page.getByLabel('Flat, floor').fill('')
    await press(page, 'Save address')
    await see(page, '14 MG Road, Bengaluru, 560001, India')
    const [changed, ...more] = await kept()
    expect(more).toEqual([])
    expect(changed).toMatchObject({ line1: '14 MG Road', phone: '+91 80 1234 5678' })
    expect(changed).not.toHaveProperty('line2')

    await press(page, 'Remove 14 MG Road')
    await see(page, '14 MG Road: removed.')
    expect(await kept()).toEqual([])
    await press(page, 'Undo')
    await see(page, '14 MG Road, Bengaluru, 560001, India')
    expect(await kept()).toMatchObject([{ id: changed!.id, line1: '14 MG Road' }])
  })

  it('puts groceries on the wishlist, sees them alone, buys from there, and takes them off', async () => {
    const { email, password, send } = await register(shop)
    const page = await newPage()
    const wished = async () =>
      ((await send('GET', '/api/wishlist')).items as Array<{ name: string }>).map(({ name }) => name)
    const heart = (product: string) => page.getByRole('button', { name: `Wishlist: ${product}`, exact: true })
    // As a guest: what was pressed is not forgotten over signing in.
    await heart('Bananas').click()
    const form = page.getByRole('dialog')
    await form.getByLabel('Email').fill(email)
    await form.getByLabel('Password').fill(password)
    await form.getByLabel('Password').press('Enter')
    await form.waitFor({ state: 'detached' })
    await until(async () => (await wished()).length === 1)
    await heart('Broccoli').click()
    await until(async () => (await wished()).length === 2)
    await page.reload()
    await press(page, 'Wishlist, 2 products')
    await heart('Almonds').waitFor({ state: 'detached' })
    await press(page, 'Add Broccoli to the basket')
    await page.getByRole('button', { name: /^Remove Broccoli/ }).waitFor()
    await heart('Broccoli').click()
    await heart('Broccoli').waitFor({ state: 'detached' })
    await until(async () => (await wished()).length === 1)
    expect(await wished()).toEqual(['Bananas'])
    // Nothing is lost by a refusal but the wish itself: what the shop has is shown again.
    await page.route('**/api/wishlist/**', (route) =>
      route.fulfill({
        status: 422,
        contentType: 'application/problem+json',
        body: JSON.stringify({ type: '/errors/wishlist_full', title: 'Full', status: 422, code: 'wishlist_full' }),
      }),
    )
    await press(page, 'Wishlist, 1 product')
    await heart('Almonds').click()
    await see(page, 'Your wishlist is full.')
    await page.getByRole('button', { name: 'Wishlist, 1 product', exact: true }).waitFor()
    expect(await heart('Almonds').getAttribute('aria-pressed')).toBe('false')
  })
})
