// What protection costs: a two-statement cart operation, protected, beside the same statements bare.
//
//   npm run bench:overhead [-- --rounds 20 --count 1500]
import { parseArgs } from 'node:util'
import pg from 'pg'
import { createSafepoint, uuidv7 } from 'safepoint'
import { pgDatabase } from 'safepoint/pg'
import { addItem, addToCart, interleave, load, quartiles, ratio, startStand, touchCart } from './stand.ts'

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '24' }, count: { type: 'string', default: '1200' } },
})
const rounds = Number(values.rounds)
const count = Number(values.count)
const carts = 64
const stand = await startStand({ carts })
/** Each contender has connections of its own: a backend that serves two of them would be warmer for both. */
const openPool = () => {
  const pool = new pg.Pool({ connectionString: stand.url, max: 16, pipeline: true } as pg.PoolConfig)
  return pool.on('error', () => {})
}
const awaitedPool = openPool()
const flightsPool = openPool()
const database = pgDatabase({ driver: pg as never, url: stand.url, max: 16 })
const safepoint = createSafepoint({ database, operations: [addToCart] })
await safepoint.start()

const input = (client: number, index: number) => ({ cartId: (client % carts) + 1, variantId: index % 20 })

/** Each statement awaited: four round trips. */
async function bare(client: number, index: number) {
  const { cartId, variantId } = input(client, index)
  const connection = await awaitedPool.connect()
  try {
    await connection.query('begin')
    const added = await connection.query({ ...addItem, values: [cartId, variantId] })
    const touched = await connection.query({ ...touchCart, values: [cartId, added.rows[0].quantity] })
    await connection.query('commit')
    return { cartId, quantity: added.rows[0].quantity, version: touched.rows[0].version }
  } finally {
    connection.release()
  }
}

/** BEGIN sent with the first statement, as the engine does it: three flights. */
async function sameFlights(client: number, index: number) {
  const { cartId, variantId } = input(client, index)
  const connection = await flightsPool.connect()
  const { stream } = (connection as any).connection
  try {
    stream.cork()
    const begun = connection.query('begin')
    const first = connection.query({ ...addItem, values: [cartId, variantId] })
    stream.uncork()
    const [, added] = await Promise.all([begun, first])
    const touched = await connection.query({ ...touchCart, values: [cartId, added.rows[0].quantity] })
    await connection.query('commit')
    return { cartId, quantity: added.rows[0].quantity, version: touched.rows[0].version }
  } finally {
    connection.release()
  }
}

const safe = (client: number, index: number) =>
  safepoint.run(addToCart, input(client, index), { scope: `user:${client}`, key: uuidv7() })

console.log(`bench/overhead: ${stand.about}, ${rounds} interleaved rounds of ${count} operations`)
for (const clients of [16, 1]) {
  const each = clients === 1 ? Math.ceil(count / 4) : count
  const contenders = {
    bare: () => load(clients, each, bare),
    sameFlights: () => load(clients, each, sameFlights),
    safepoint: () => load(clients, each, safe),
  }
  await interleave(2, contenders)
  const results = await interleave(rounds, contenders)
  const speed = (name: keyof typeof results) => results[name].map(({ perSecond }) => perSecond)
  const latency = (name: keyof typeof results) => results[name].map((result) => result.latency)
  console.log(`\n${clients} client${clients === 1 ? '' : 's'}`)
  for (const name of ['bare', 'sameFlights', 'safepoint'] as const) {
    console.log(
      `  ${name.padEnd(12)} ${quartiles(speed(name)).median.toFixed(0).padStart(6)} operations/s, median latency ${quartiles(latency(name)).median.toFixed(2)} ms`,
    )
  }
  console.log(
    `  throughput, safepoint / bare                ${ratio(speed('safepoint'), speed('bare'))}${clients === 16 ? '   target >= 0.85' : ''}`,
  )
  console.log(
    `  throughput, safepoint / bare, same flights  ${ratio(speed('safepoint'), speed('sameFlights'))}${clients === 16 ? '   target >= 0.78' : ''}`,
  )
  console.log(
    `  median latency, safepoint / bare            ${ratio(latency('safepoint'), latency('bare'))}${clients === 1 ? '   target <= 1.10' : ''}`,
  )
}
await safepoint.stop()
await database.close()
await awaitedPool.end()
await flightsPool.end()
await stand.stop()
