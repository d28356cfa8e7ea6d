import type pg from 'pg'
import { administratorOf, readShelves, type Administrator, type Shelves } from './goods.ts'
import { NotHere } from './check.ts'
import { createDevices, signIn, type Device } from './devices.ts'
import { answered, logIn, register, type Account, type Shopper } from './shoppers.ts'
import { send } from '../checkout/shopper.ts'

export interface SiteSettings {
  /** Servers of one shop. */
  readonly urls: readonly string[]
  /** Absent: the demonstration's own, where it is one. */
  readonly admin?: Account | undefined
  /** Its database, where one may look. */
  readonly sql?: pg.Pool
}

/** The shop that is looked at, as far as it lets us. */
export interface Site {
  readonly urls: readonly string[]
  /** ISO 4217, as an empty cart has it. */
  readonly currency: string
  readonly shelves: Shelves
  /** Those of the two that it offers. Throws NotHere where there is none. */
  gateways(): readonly string[]
  /** Throws NotHere. */
  administrator(): Administrator
  /** Throws NotHere. */
  database(): pg.Pool
  /** Somebody whose cart is empty; they may have been here before. */
  shopper(): Promise<Shopper>
  /** Somebody who has never asked for anything. */
  newcomer(): Promise<Shopper>
  /** Everybody who has an account by now. */
  accountIds(): readonly string[]
  /** A browser in which somebody has signed in, at one server after the other. */
  openDevice(shopper: Account): Promise<Device>
  /** The end of one check. */
  tidy(): Promise<void>
  close(): Promise<void>
}

const wantedGateways = ['razorpay', 'stripe']

export async function openSite({ urls, admin, sql }: SiteSettings): Promise<Site> {
  const [url = ''] = urls
  const devices = createDevices()
  const accountIds: string[] = []
  // Each is somebody's turn again: a shop that is open admits so many accounts a minute.
  const free: Shopper[] = []
  let taken: Shopper[] = []
  let opened = 0

  async function newcomer(): Promise<Shopper> {
    const shopper = await register(urls)
    accountIds.push(shopper.id)
    taken.push(shopper)
    return shopper
  }

  async function tidy(): Promise<void> {
    await devices.close()
    const done = taken
    taken = []
    await Promise.all(done.map(async (shopper) => (await clear(shopper)) && free.push(shopper)))
  }

  const { currency } = (await (await newcomer()).cart()).totalPrice
  const known = admin ?? (await findDemoAdmin(url))
  const administrator = known && administratorOf(await logIn(urls, known), currency)
  const shelves = administrator ? await administrator.fillShelves() : await readShelves(url)
  const offered = await findGateways(url)
  await tidy()

  return {
    urls,
    currency,
    shelves,
    gateways() {
      if (offered.length === 0) throw new NotHere(`${wantedGateways.join(' and ')} are not offered`)
      return offered
    },
    administrator() {
      if (!administrator) throw new NotHere('it takes an administrator: set ADMIN_EMAIL and ADMIN_PASSWORD')
      return administrator
    },
    database() {
      if (!sql) throw new NotHere('it takes the database: only with a server of our own')
      return sql
    },
    async shopper() {
      const shopper = free.shift()
      if (!shopper) return newcomer()
      taken.push(shopper)
      return shopper
    },
    newcomer,
    accountIds: () => accountIds,
    async openDevice(shopper) {
      const device = await devices.open(urls[opened++ % urls.length]!)
      await signIn(device.tab, shopper)
      return device
    },
    tidy,
    async close() {
      await tidy()
      await administrator?.tidy()
    },
  }
}

/** What they have ordered and not paid is cancelled, and the cart emptied. `false`: somebody else should go on. */
async function clear(shopper: Shopper): Promise<boolean> {
  const orders = answered<{ items: ReadonlyArray<{ id: string; status: string }> }>(
    await shopper.send('GET', '/api/orders'),
    200,
  )
  for (const { id, status } of orders.items)
    if (unpaid.has(status)) await shopper.persist('POST', `/api/orders/${id}/cancel`, {})
  const { status, body } = await shopper.persist('DELETE', '/api/cart')
  return status === 200 && body.items.length === 0
}

const unpaid = new Set(['pending', 'awaiting_payment', 'failed'])

async function findDemoAdmin(url: string): Promise<Account | undefined> {
  const { status, body } = await send(url, undefined, 'GET', '/api/demo-accounts')
  if (status !== 200) return undefined
  return body.items.find(({ role }: { role: string }) => role === 'admin')
}

async function findGateways(url: string): Promise<readonly string[]> {
  const { items } = answered(await send(url, undefined, 'GET', '/api/payments/gateways'), 200)
  return wantedGateways.filter((name) => items.some((one: { name: string }) => one.name === name))
}
