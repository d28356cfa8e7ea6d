import type { Browser, BrowserContext, Page, Request } from 'playwright'
import type { Shop } from './start-shop.ts'

/** An account of its own, made without a page. */
export interface Customer {
  readonly email: string
  readonly password: string
  readonly refreshToken: string
  /** As this account, from another device. */
  send(method: string, path: string, body?: object): Promise<any>
}

export async function newCustomer(shop: Shop): Promise<Customer> {
  const who = { email: `asha-${crypto.randomUUID()}@example.com`, password: 'bananas and mangoes' }
  return enter(shop, 'register', who, { name: 'Asha Rao' })
}

/** Somebody who has an account, on another device. */
export const logIn = (shop: Shop, who: Pick<Customer, 'email' | 'password'>): Promise<Customer> =>
  enter(shop, 'login', who)

async function enter(
  shop: Shop,
  by: 'register' | 'login',
  { email, password }: Pick<Customer, 'email' | 'password'>,
  more?: { readonly name: string },
): Promise<Customer> {
  const entered = await fetch(`${shop.url}/api/auth/${by}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email, password, ...more }),
  })
  const { refreshToken, accessToken } = (await entered.json()) as { refreshToken: string; accessToken: string }
  return {
    email,
    password,
    refreshToken,
    async send(method, path, body) {
      const response = await fetch(shop.url + path, {
        method,
        headers: {
          authorization: `Bearer ${accessToken}`,
          'idempotency-key': crypto.randomUUID(),
          ...(body && { 'content-type': 'application/json' }),
        },
        ...(body && { body: JSON.stringify(body) }),
      })
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
      return response.json()
    },
  }
}

export interface Requested {
  readonly method: string
  readonly path: string
  readonly key: string | undefined
}

/** A browser of somebody's own, whose tabs share what the tabs of a browser share. */
export interface Tabs {
  readonly context: BrowserContext
  /** What the tabs have sent to the API, in order. */
  readonly requested: Requested[]
  count(method: string, path: RegExp): number
  /** Event streams that are open now. */
  streams(): number
  open(): Promise<Page>
}

/** Of a guest, or of somebody who had signed in before. */
export async function openTabs(browser: Browser, shop: Shop, customer?: Customer): Promise<Tabs> {
  const localStorage = customer ? [{ name: 'pantry:refresh-token', value: customer.refreshToken }] : []
  const context = await browser.newContext({
    locale: 'en-IN',
    // A press waits until what it presses stands still.
    reducedMotion: 'reduce',
    storageState: { cookies: [], origins: [{ origin: shop.url, localStorage }] },
  })
  const requested: Requested[] = []
  const streams = new Set<Request>()
  context.on('request', (request) => {
    const { pathname } = new URL(request.url())
    if (!pathname.startsWith('/api/')) return
    requested.push({ method: request.method(), path: pathname, key: request.headers()['idempotency-key'] })
    if (pathname === '/api/events') streams.add(request)
  })
  context.on('requestfinished', (request) => streams.delete(request))
  context.on('requestfailed', (request) => streams.delete(request))
  return {
    context,
    requested,
    count: (method, path) => requested.filter((one) => one.method === method && path.test(one.path)).length,
    // Of a page that is closed no end is told.
    streams: () => [...streams].filter((request) => !request.frame().page().isClosed()).length,
    async open() {
      const page = await context.newPage()
      page.setDefaultTimeout(10_000)
      await page.goto(shop.url)
      return page
    },
  }
}
