import pg from 'pg'
import { findUntold, findWrong } from './check-shop.ts'
import { perform, type Performed } from './perform.ts'
import { planOperations } from './random-plan.ts'
import { currency, openRandomWorld } from './random-world.ts'
import { readBooks } from './read-books.ts'
import { settleShop, type Open } from './settle-shop.ts'
import { gatewayNames, startShop } from './start-shop.ts'

export interface RandomOptions {
  /** Of a database with the app's tables, for this run alone. */
  readonly databaseUrl: string
  readonly operations: number
  readonly seed: number
  readonly people: number
  /** Operations under way at the same time. */
  readonly concurrency: number
  readonly settleMs: number
  readonly quick?: boolean
}

export interface RandomReport {
  readonly performed: readonly Performed[]
  /** How often each outcome came, by kind. */
  readonly outcomes: ReadonlyMap<string, ReadonlyMap<string, number>>
  readonly orders: Readonly<Record<string, number>>
  readonly payments: Readonly<Record<string, number>>
  /** What had not ended. */
  readonly open: Open
  /** Refunds of which only a human could say whether they were made. */
  readonly answered: number
  readonly wrong: readonly string[]
  readonly untrue: readonly string[]
  /** Answers of the shop that say it was its own fault. */
  readonly faults: readonly string[]
  readonly seconds: { readonly operations: number; readonly settling: number }
}

/**
 * Many people use two servers of one shop at random, while gateways fail and connections break; then nothing fails any more,
 * and once all has settled the rows, the stock and the gateways' books are held against each other. The plan follows from
 * the seed; the scheduling is the machine's.
 */
export async function runRandomShop(options: RandomOptions): Promise<RandomReport> {
  const { databaseUrl, operations, seed, people, concurrency, quick = false } = options
  const shop = await startShop({
    databaseUrl,
    servers: 2,
    gateways: gatewayNames,
    currency,
    mail: true,
    env: {
      GATEWAY_TIMEOUT_MS: '1000',
      GATEWAY_PAGE_TIMEOUT_MS: '1000',
      GATEWAY_READ_TIMEOUT_MS: '1000',
      GATEWAY_BREAKER_OPEN_MS: '200',
      OPERATION_LEASE_MS: '2000',
      // They are tried much more often here than in a day.
      WEBHOOK_TRIES: '1000',
    },
  })
  const sql = new pg.Pool({ connectionString: databaseUrl, max: 4 })
  try {
    const world = await openRandomWorld(shop, sql, people)
    const plan = planOperations({ seed, operations, people, servers: shop.urls.length, quick })
    const performed: Performed[] = []
    const began = performance.now()
    let next = 0
    await Promise.all(
      Array.from({ length: concurrency }, async () => {
        for (let n = next++; n < plan.length; n = next++) performed.push(await perform(world, plan[n]!))
      }),
    )
    const seconds = (performance.now() - began) / 1000
    const settled = await settleShop({
      shop,
      sql,
      databaseUrl,
      customers: world.customers,
      admin: world.admin,
      timeoutMs: options.settleMs,
    })
    const books = await readBooks(shop)
    return {
      performed,
      outcomes: count(performed),
      orders: await countBy(sql, 'pantry.orders'),
      payments: await countBy(sql, 'pantry.payment'),
      open: settled.open,
      answered: settled.answered,
      wrong: await findWrong(sql, books),
      untrue: await findUntold(sql, performed),
      faults: performed.flatMap(({ kind, key, request, answers }) =>
        answers.flatMap(({ status, text }) =>
          status === 500 ? [`${kind} ${request?.path}: ${text}`, ...shop.linesAbout(`"${key}"`)] : [],
        ),
      ),
      seconds: { operations: seconds, settling: settled.seconds },
    }
  } catch (cause) {
    throw new Error(`The shop broke off; its servers had said:\n${shop.output()}`, { cause })
  } finally {
    await shop.stop()
    await sql.end()
  }
}

function count(performed: readonly Performed[]): Map<string, Map<string, number>> {
  const counts = new Map<string, Map<string, number>>()
  for (const { kind, outcome } of performed) {
    const of = counts.get(kind) ?? new Map<string, number>()
    counts.set(kind, of.set(outcome, (of.get(outcome) ?? 0) + 1))
  }
  return counts
}

async function countBy(sql: pg.Pool, table: string): Promise<Record<string, number>> {
  const { rows } = await sql.query(`select status, count(*)::int as n from ${table} group by 1 order by 1`)
  return Object.fromEntries(rows.map(({ status, n }) => [status, n]))
}
