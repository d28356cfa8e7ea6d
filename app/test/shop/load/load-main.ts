// Clients as customers have them against one server; prints the seed's figures, and what each route costs.
//
//   npm run load:shop [-- --clients 32 --seconds 20 --think-ms 100 --seed 1]
import { parseArgs } from 'node:util'
import pg from 'pg'
import { startDatabases } from '../../checkout/own-database.ts'
import { countStatements, stockCatalogue } from './count-statements.ts'
import type { Exchange } from './faulty-edge.ts'
import { figuresOf, loadShop, type Figure } from './load-shop.ts'

const { values } = parseArgs({
  options: {
    clients: { type: 'string', default: '32' },
    seconds: { type: 'string', default: '20' },
    'think-ms': { type: 'string', default: '100' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
})
const clients = Number(values.clients)
const seed = Number(values.seed)
const thinkMs = Number(values['think-ms'])
const databases = await startDatabases({ count: 1, fsync: true })
try {
  const databaseUrl = databases.urls[0]!
  const sql = new pg.Pool({ connectionString: databaseUrl, max: 1 })
  const [goods] = await stockCatalogue(sql, 24)
  await sql.end()
  const statements = await countStatements({ databaseUrl, goods: goods! })
  const report = await loadShop({ databaseUrl, clients, seconds: Number(values.seconds), thinkMs, seed })
  const { counted, exchanges, unbalanced, seconds } = report
  console.log(
    `${clients} clients for ${seconds.toFixed(0)} s on one server, up to ${thinkMs} ms between two visits, seed ${seed}: ${(exchanges.length / seconds).toFixed(0)} requests a second`,
  )
  const { adds, checkouts, recoveries, troubles, failures } = counted
  console.log(
    `${adds.ended} adds; ${checkouts.ended} checkouts, ${checkouts.refused} of them refused for what was sold out or had changed, ${checkouts.paid} paid; ${recoveries.ended} recoveries (${Object.entries(
      troubles,
    )
      .map(([name, times]) => `${name} ${times}`)
      .join(', ')})\n`,
  )
  const figures = figuresOf(report)
  for (const figure of figures) console.log(lineOf(figure))
  console.log(
    `\n${'route'.padEnd(40)} ${'requests'.padStart(8)} ${'average'.padStart(9)} ${'p99'.padStart(9)} ${'errors'.padStart(6)} ${'statements'.padStart(10)}`,
  )
  for (const line of routeLines(exchanges, statements)) console.log(line)
  for (const line of [...new Set(failures)].slice(0, 20)) console.log(line)
  for (const line of unbalanced) console.log(line)
  process.exitCode = figures.some(({ ok }) => !ok) || unbalanced.length > 0 ? 1 : 0
} finally {
  await databases.stop()
}

function lineOf({ name, value, unit, target, of, ok }: Figure): string {
  const wanted =
    'below' in target ? `< ${target.below}` : 'above' in target ? `> ${target.above}` : `= ${target.exactly}`
  return `${ok ? 'ok    ' : 'MISSED'} ${name.padEnd(42)} ${value.toFixed(2).padStart(7)} ${unit.padEnd(2)}  target ${wanted} ${unit}, of ${of}`
}

function routeLines(exchanges: readonly Exchange[], statements: ReadonlyMap<string, number>): string[] {
  const clean = Map.groupBy(
    exchanges.filter(({ way }) => way === 'pass'),
    ({ method, path }) => `${method} ${routeOf(path)}`,
  )
  return [...new Set([...clean.keys(), ...statements.keys()])].toSorted().map((route) => {
    const own = clean.get(route) ?? []
    const times = own.map(({ milliseconds }) => milliseconds).toSorted((a, b) => a - b)
    const average = times.reduce((sum, time) => sum + time, 0) / times.length
    const p99 = times[Math.floor(0.99 * (times.length - 1))]
    const errors = own.filter(({ status }) => status === 0 || status >= 500).length
    const cells =
      own.length === 0 ? ['–', '–', '–'] : [`${average.toFixed(1)} ms`, `${p99!.toFixed(1)} ms`, String(errors)]
    return `${route.padEnd(40)} ${String(own.length).padStart(8)} ${cells[0]!.padStart(9)} ${cells[1]!.padStart(9)} ${cells[2]!.padStart(6)} ${String(statements.get(route) ?? '').padStart(10)}`
  })
}

/** Ids left out. */
function routeOf(path: string): string {
  return path
    .replace(/\?.*$/, '')
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, ':id')
    .replace(/^(\/api\/operations\/)[^/]+/, '$1:key')
}
