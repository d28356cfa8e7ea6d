import { setTimeout as pause } from 'node:timers/promises'
import type pg from 'pg'
import { until } from '../../../../safepoint/test/support/until.ts'
import { startBrowser } from '../../../client/browser.test.setup.ts'
import type { Cart } from '../../../client/model.ts'
import type { Pantry } from '../../../client/pantry.ts'
import { problemOf } from '../../../client/problem-of.ts'
import { send } from '../../checkout/shopper.ts'
import { payOnPage } from '../pay-page.ts'
import type { Customer } from '../people.ts'
import { startFaultyEdge, type Exchange, type OnTheWay } from './faulty-edge.ts'

/** What a client saw of what it asked for. */
export interface Counted {
  readonly adds: { ended: number; done: number }
  readonly checkouts: { ended: number; done: number; refused: number; paid: number }
  readonly recoveries: { ended: number; done: number }
  /** By what was wrong. */
  readonly troubles: Record<string, number>
  readonly failures: string[]
}

export interface LoadClient {
  /** One visit of a page, and what is done there. */
  visit(): Promise<void>
  /** Something goes wrong, and the client recovers from it. */
  meetTrouble(): Promise<void>
  /** Whether the cart that is shown is the one of the database; asked once nothing is under way. */
  isInSync(): Promise<boolean>
  flush(): Promise<void>
  close(): Promise<void>
}

export interface LoadClientOptions {
  readonly url: string
  readonly sql: pg.Pool
  readonly customer: Customer
  readonly password: string
  readonly gateway: string
  readonly chance: () => number
  readonly counted: Counted
  readonly tell: (exchange: Exchange) => void
}

interface Line {
  readonly productId: string
  readonly variantId: string
  readonly quantity: number
}

const unitsOf = ({ items }: Cart, { variantId }: Line): number =>
  items.find((item) => item.variantId === variantId)?.quantity ?? 0

/** Refusals that are the shop's right: something is sold out, or its price has just changed. */
const refusals = new Set([
  'out_of_stock',
  'cart_changed',
  'cart_empty',
  'product_unavailable',
  'quantity_limit',
  'cart_full',
])

/** A browser with one page of the shop: the real client, over HTTP through a network of its own. */
export async function openLoadClient(options: LoadClientOptions): Promise<LoadClient> {
  const { url, sql, customer, password, gateway, chance, counted, tell } = options
  const network = await startFaultyEdge(url, tell)
  const browser = startBrowser(network.url)
  const shop: Pantry = browser.openTab()
  await shop.session.signIn({ email: customer.email, password })
  const { items: products } = await shop.listProducts({ search: '' })
  const pick = <T>(of: readonly T[]): T => of[Math.floor(chance() * of.length)]!
  const { cart } = shop

  const choose = (): Line => {
    const product = pick(products)
    return { productId: product.id, variantId: pick(product.variants).id, quantity: 1 + Math.floor(chance() * 2) }
  }
  const add = ({ productId, variantId, quantity }: Line) => cart.addItem(productId, variantId, quantity)

  async function checkout(): Promise<void> {
    if ((await cart.getCart()).items.length === 0) return
    counted.checkouts.ended++
    try {
      const { checkout: page } = await cart.checkout({ gateway, shippingAddress: customer.addressId })
      counted.checkouts.done++
      if (page.url === null || chance() < 0.3) return
      const back = await payOnPage({ gateway, url: page.url, ...(page.fields && { fields: page.fields }) }, 'pay')
      await back?.()
      counted.checkouts.paid++
    } catch (error) {
      const code = problemOf(error)?.code
      if (code === undefined || !refusals.has(code)) return void counted.failures.push(`checkout: ${String(error)}`)
      counted.checkouts.refused++
      // What cannot be had is taken out.
      await cart.clear()
    }
  }

  /** Each adds a line, once, whatever the client is told of it. */
  const troubles: Readonly<Record<string, (line: Line) => Promise<void>>> = {
    'answer lost': (line) => addDuring('lose answer', line),
    'connection cut': (line) => addDuring('cut', line),
    '503': (line) => addDuring('503', line),
    /** Another device changes the cart, and this one does not hear of it. */
    async 'stale cache'(line) {
      network.edge.rule = (_, path) => (path.startsWith('/api/events') ? 'cut' : 'pass')
      network.cutStreams()
      const before = await cart.getCart()
      const { status, text } = await send(url, undefined, 'POST', '/api/cart/add', line, customer.headers())
      if (status !== 200) throw new Error(`another device was told ${status} ${text}`)
      const shown = await cart.getCart()
      if (shown.version !== before.version) throw new Error('the cache was not stale')
    },
  }

  async function addDuring(way: OnTheWay, line: Line): Promise<void> {
    network.edge.rule = (_, path) => (path.startsWith('/api/events') ? 'pass' : way)
    const told = await add(line).then(
      () => 'done',
      () => 'not known',
    )
    if (told === 'done') throw new Error('nothing went wrong')
  }

  return {
    async visit() {
      const what = chance()
      // Every page shows the cart.
      await cart.getCart()
      if (what < 0.35) {
        await shop.listProducts({ search: pick(['', '', 'rice', 'milk']) })
        await cart.getCart()
      } else if (what < 0.75) {
        counted.adds.ended++
        await add(choose()).then(
          () => counted.adds.done++,
          (error: unknown) => counted.failures.push(`add: ${String(error)}`),
        )
      } else if (what < 0.92) {
        const line = pick((await cart.getCart()).items)
        if (line && what < 0.86) await cart.updateItem(line.id, 1 + Math.floor(chance() * 4))
        else if (line) await cart.removeItem(line.id)
      } else await checkout()
      await cart.getCart()
    },
    async meetTrouble() {
      const name = pick(Object.keys(troubles))
      counted.troubles[name] = (counted.troubles[name] ?? 0) + 1
      counted.recoveries.ended++
      const line = choose()
      const before = unitsOf(await cart.getCart(), line)
      try {
        await troubles[name]!(line)
      } finally {
        network.edge.rule = () => 'pass'
      }
      const recovered = await cart.recover().catch((error: unknown) => String(error))
      const right =
        typeof recovered === 'object' &&
        unitsOf(recovered, line) === Math.min(999, before + line.quantity) &&
        (await isStored(recovered))
      if (right) counted.recoveries.done++
      else counted.failures.push(`recovery from ${name}: ${JSON.stringify(recovered)}`)
    },
    async isInSync() {
      // A change of another device may still be on its way to this one.
      return until(() => isStored(cart.state().cart), { timeoutMs: 2000, intervalMs: 20 }).then(
        () => true,
        () => false,
      )
    },
    async flush() {
      await shop.figures.flush()
      await pause(0)
    },
    async close() {
      browser.close()
      await network.close()
    },
  }

  async function isStored(shown: Cart | undefined): Promise<boolean> {
    const { rows } = await sql.query<{ id: string; version: number; lines: Record<string, number> | null }>(
      `select c.id, c.version,
          (select json_object_agg(i.variant_id, i.quantity) from pantry.cart_item i where i.cart_id = c.id) as lines
        from pantry.cart c where c.account_id = $1 and c.state = 'active'`,
      [customer.accountId],
    )
    const [stored] = rows
    const lines = stored?.lines ?? {}
    return (
      shown !== undefined &&
      stored !== undefined &&
      shown.id === stored.id &&
      shown.version === stored.version &&
      shown.items.length === Object.keys(lines).length &&
      shown.items.every(({ variantId, quantity }) => lines[variantId] === quantity)
    )
  }
}
