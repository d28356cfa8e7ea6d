// Takes the picture of the README anew, docs/cancelled-checkout.png: the shop, its simulated bank and a browser are real.
import fs from 'node:fs'
import path from 'node:path'
import type { Browser } from 'playwright'
import { launchBrowser } from './launch-browser.ts'
import { startShop, type Shop } from './start-shop.ts'
import { newCustomer } from './tabs.test.setup.ts'

const file = path.join(import.meta.dirname, '..', '..', '..', 'docs', 'cancelled-checkout.png')
/** CSS pixels: as on a narrow phone, and no higher than the longer of the two needs. */
const panel = { width: 390, height: 524 }
const basket = { bananas: 2, almonds: 1 }
const address = { name: 'Asha Rao', line1: '12 MG Road', city: 'Bengaluru', postalCode: '560001', country: 'IN' }

const browser = await launchBrowser()
const shop = await startShop()
try {
  fs.writeFileSync(file, await join(browser, await cancelCheckout(browser, shop)))
  console.log(`Taken: ${file}`)
} finally {
  await browser.close()
  await shop.stop()
}

/** The page while the bank has the charge, and what it says after Cancel. */
async function cancelCheckout(browser: Browser, shop: Shop): Promise<readonly Buffer[]> {
  const customer = await newCustomer(shop)
  for (const [search, quantity] of Object.entries(basket)) {
    const { items } = await customer.send('GET', `/api/products?search=${search}`)
    await customer.send('POST', '/api/cart/add', { productId: items[0].id, quantity })
  }
  await customer.send('POST', '/api/addresses', address)
  const localStorage = [{ name: 'pantry:refresh-token', value: customer.refreshToken }]
  const page = await browser.newPage({
    locale: 'en-IN',
    viewport: panel,
    deviceScaleFactor: 1.5,
    storageState: { cookies: [], origins: [{ origin: shop.url, localStorage }] },
  })
  await page.goto(shop.url)
  await page.getByRole('button', { name: /^Open the basket/ }).click()
  await page.getByRole('button', { name: 'Check out' }).click()
  const charge = await shop.holdCharge()
  await page.getByRole('button', { name: /^Pay ₹/ }).click()
  await charge.arrived()
  await page.getByText(/^Charging your card: ₹/).waitFor()
  const charging = await page.screenshot()
  await page.getByRole('button', { name: 'Cancel', exact: true }).click()
  await charge.release()
  await page.getByText(/Your basket is as it was\.$/).waitFor()
  return [charging, await page.screenshot()]
}

async function join(browser: Browser, pictures: readonly Buffer[]): Promise<Buffer> {
  const page = await browser.newPage({ viewport: { width: 857, height: 574 }, deviceScaleFactor: 1.5 })
  const images = pictures.map((picture) => `<img src="data:image/png;base64,${picture.toString('base64')}">`)
  await page.setContent(`<style>
    body { margin: 0; padding: 24px; display: flex; gap: 25px; background: #e0e4d6 }
    img { width: ${panel.width}px; border: 1px solid #c9cfbe; border-radius: 12px }
  </style>${images.join('')}`)
  return page.screenshot()
}
