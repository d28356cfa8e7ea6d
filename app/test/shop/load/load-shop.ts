import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { mulberry32 } from '../../checkout/plan.ts'
import { findUnbalanced } from '../../checkout/read-facts.ts'
import { newCustomer, password } from '../people.ts'
import { startShop } from '../start-shop.ts'
import type { Exchange } from './faulty-edge.ts'
import { openLoadClient, type Counted, type LoadClient } from './load-client.ts'

export interface LoadOptions {
  /** Of a database with a catalogue. */
  readonly databaseUrl: string
  readonly clients: number
  readonly seconds: number
  /** Between two visits of a client: anything from none to this, in milliseconds. */
  readonly thinkMs: number
  readonly seed: number
}

export interface LoadReport {
  readonly counted: Counted
  readonly exchanges: readonly Exchange[]
  readonly inSync: { readonly clients: number; readonly right: number }
  /** As the clients told the shop. */
  readonly cache: { readonly hits: number; readonly misses: number }
  readonly unbalanced: readonly string[]
  readonly seconds: number
}

/** Clients as customers have them use one server, each through a network of its own that breaks now and then. */
export async function loadShop({
  databaseUrl,
  clients: count,
  seconds,
  thinkMs,
  seed,
}: LoadOptions): Promise<LoadReport> {
  const shop = await startShop({ databaseUrl, servers: 1, gateways: ['stripe'] })
  const sql = new pg.Pool({ connectionString: databaseUrl, max: 4 })
  const clients: LoadClient[] = []
  const url = shop.urls[0]!
  try {
    const exchanges: Exchange[] = []
    const counted: Counted = {
      adds: { ended: 0, done: 0 },
      checkouts: { ended: 0, done: 0, refused: 0, paid: 0 },
      recoveries: { ended: 0, done: 0 },
      troubles: {},
      failures: [],
    }
    const tell = (exchange: Exchange) => void exchanges.push(exchange)
    const chances = Array.from({ length: count }, (_, n) => mulberry32(seed * 1000 + n))
    while (clients.length < count) {
      const chance = chances[clients.length]!
      const customer = await newCustomer(url)
      clients.push(await openLoadClient({ url, sql, customer, password, gateway: 'stripe', chance, counted, tell }))
    }
    // Making accounts is not the load.
    exchanges.length = 0
    const began = performance.now()
    const end = began + seconds * 1000
    await Promise.all(
      clients.map(async (client, n) => {
        const chance = chances[n]!
        while (performance.now() < end) {
          await (chance() < 0.06 ? client.meetTrouble() : client.visit())
          await pause(chance() * thinkMs)
        }
      }),
    )
    const took = (performance.now() - began) / 1000
    const right = (await Promise.all(clients.map((client) => client.isInSync()))).filter(Boolean).length
    await Promise.all(clients.map((client) => client.flush()))
    return {
      counted,
      exchanges,
      inSync: { clients: count, right },
      cache: readCache(exchanges),
      unbalanced: await findUnbalanced(sql),
      seconds: took,
    }
  } finally {
    await Promise.all(clients.map((client) => client.close()))
    await shop.stop()
    await sql.end()
  }
}

/** The figures that the clients sent. */
function readCache(exchanges: readonly Exchange[]): LoadReport['cache'] {
  const sums: Record<string, number> = {}
  for (const { path, status, body } of exchanges) {
    if (path !== '/api/client-events' || status !== 204) continue
    for (const { type, count } of (JSON.parse(body) as { events: Array<{ type: string; count: number }> }).events)
      sums[type] = (sums[type] ?? 0) + count
  }
  return { hits: sums['cache_hit'] ?? 0, misses: sums['cache_miss'] ?? 0 }
}

export interface Figure {
  readonly name: string
  readonly value: number
  readonly unit: '%' | 'ms'
  readonly target: { readonly below: number } | { readonly above: number } | { readonly exactly: number }
  /** Of how many. */
  readonly of: number
  readonly ok: boolean
}

/** The seed's targets. */
export function figuresOf({ counted, exchanges, inSync, cache }: LoadReport): Figure[] {
  const clean = exchanges.filter(({ way, path }) => way === 'pass' && !path.startsWith('/api/client-events'))
  const carts = clean.filter(({ path, status }) => /^\/api\/cart(\/|$)/.test(path) && status > 0)
  const average = carts.reduce((sum, { milliseconds }) => sum + milliseconds, 0) / Math.max(1, carts.length)
  const errors = clean.filter(({ status }) => status === 0 || status >= 500).length
  const { adds, checkouts, recoveries } = counted
  const share = (part: number, whole: number) => (100 * part) / Math.max(1, whole)
  const wantedCheckouts = checkouts.ended - checkouts.refused
  const figure = (name: string, value: number, unit: Figure['unit'], target: Figure['target'], of: number): Figure => {
    const ok =
      'below' in target ? value < target.below : 'above' in target ? value > target.above : value === target.exactly
    return { name, value, unit, target, of, ok: ok && of > 0 }
  }
  return [
    figure('cart, average', average, 'ms', { below: 200 }, carts.length),
    figure('adds that succeed', share(adds.done, adds.ended), '%', { above: 99 }, adds.ended),
    figure(
      'checkouts that succeed, refusals apart',
      share(checkouts.done, wantedCheckouts),
      '%',
      { above: 99 },
      wantedCheckouts,
    ),
    figure('recoveries that succeed', share(recoveries.done, recoveries.ended), '%', { above: 95 }, recoveries.ended),
    figure('requests that end in an error', share(errors, clean.length), '%', { below: 1 }, clean.length),
    figure(
      'reads of the cart from the cache',
      share(cache.hits, cache.hits + cache.misses),
      '%',
      { above: 80 },
      cache.hits + cache.misses,
    ),
    figure('last cart equals the database', share(inSync.right, inSync.clients), '%', { exactly: 100 }, inSync.clients),
  ]
}
