// The same cart operation bare, under Safepoint and under its peers; and what a cancel is told by those that have one.
//
//   npm run bench:peers [-- --rounds 12 --runs 40]
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { createSafepoint, defineOperation, uuidv7 } from 'safepoint'
import { pgDatabase } from 'safepoint/pg'
import { installPeers } from './peers/install.ts'
import type { CartInput, Peer, PeerOptions, SlowWork } from './peers/peer.ts'
import { addItem, addToCart, anything, interleave, load, quartiles, ratio, startStand, touchCart } from './stand.ts'

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '12' }, runs: { type: 'string', default: '40' } },
})
const rounds = Number(values.rounds)
const runs = Number(values.runs)
const max = 16
const carts = 64

installPeers()
const stand = await startStand({ carts })
const pool = new pg.Pool({ connectionString: stand.url, max, pipeline: true } as pg.PoolConfig)
pool.on('error', () => {})
await pool.query('create table slow_effect (key text not null)')

const bareCart: PeerOptions['bareCart'] = async (ofPool, { cartId, variantId }) => {
  const connection = await ofPool.connect()
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
const options: PeerOptions = { url: stand.url, max, bareCart }
const loadPeer = async (file: string): Promise<Peer> =>
  (await import(new URL(`./peers/${file}.ts`, import.meta.url).href)).startPeer(options)
const dbos = await loadPeer('dbos')
const middleware = await loadPeer('node-idempotency')

/** Whether the work listens to its signal is told by the key, to all alike. */
const parts = 3
const slow: SlowWork = async (ofPool, key, stopped) => {
  const connection = await ofPool.connect()
  try {
    await connection.query('begin')
    await connection.query('insert into slow_effect (key) values ($1::text)', [key])
    for (let part = 0; part < parts; part++) {
      await pause(150 / parts)
      stopped?.throwIfAborted()
    }
    await connection.query('commit')
    return { key }
  } catch (error) {
    await connection.query('rollback')
    throw error
  } finally {
    connection.release()
  }
}
const deafSlow: SlowWork = (ofPool, key) => slow(ofPool, key, undefined)

const slowOperation = defineOperation({
  name: 'work.slow',
  input: anything,
  keep: 'a measurement',
  async run(ctx, { key, obeys }: { key: string; obeys: boolean }) {
    await ctx.tx.query('insert into slow_effect (key) values ($1::text)', [key])
    for (let part = 0; part < parts; part++) {
      await pause(150 / parts)
      if (obeys) ctx.safepoint()
    }
    return { key }
  },
})
const database = pgDatabase({ driver: pg as never, url: stand.url, max })
const otherDatabase = pgDatabase({ driver: pg as never, url: stand.url, max })
const operations = [addToCart, slowOperation]
const safepoint = createSafepoint({ database, operations })
const elsewhere = createSafepoint({ database: otherDatabase, operations })
await safepoint.start()
await elsewhere.start()
const ours: Peer = {
  name: 'safepoint',
  addToCart: (key, input) => safepoint.run(addToCart, input, { scope: 'bench', key }),
  async cancelRace(key, work, cancelNow) {
    const running = safepoint.run(slowOperation, { key, obeys: work === slow }, { scope: 'bench', key })
    await cancelNow
    const { outcome } = await elsewhere.cancel('bench', key)
    await running
    return { toldCancelled: outcome === 'cancelled' }
  },
  async close() {
    await Promise.all([safepoint.stop(), elsewhere.stop()])
    await Promise.all([database.close(), otherDatabase.close()])
  },
}

console.log(`bench/peers: ${stand.about}, ${rounds} interleaved rounds, ${max} connections each`)
const input = (client: number, index: number): CartInput => ({ cartId: (client % carts) + 1, variantId: index % 20 })
for (const clients of [16, 1]) {
  const each = clients === 1 ? 120 : 640
  const under = (peer: Peer, count: number) => () =>
    load(clients, count, (client, index) => peer.addToCart(uuidv7(), input(client, index)))
  const contenders = {
    bare: () => load(clients, each, (client, index) => bareCart(pool, input(client, index))),
    safepoint: under(ours, each),
    // Slower by an order of magnitude: fewer of it, so that its rounds take as long as the others'.
    dbos: under(dbos, each / 4),
    middleware: under(middleware, each),
  }
  await interleave(2, contenders)
  const results = await interleave(rounds, contenders)
  const speed = (name: keyof typeof results) => results[name].map(({ perSecond }) => perSecond)
  const latency = (name: keyof typeof results) => results[name].map((result) => result.latency)
  const names = {
    bare: 'bare begin … commit',
    safepoint: ours.name,
    dbos: dbos.name,
    middleware: middleware.name,
  }
  console.log(`\n${clients} client${clients === 1 ? '' : 's'}`)
  for (const [name, title] of Object.entries(names) as Array<[keyof typeof results, string]>) {
    const perSecond = quartiles(speed(name)).median.toFixed(0).padStart(6)
    console.log(`  ${title.padEnd(32)}${perSecond}/s   median ${quartiles(latency(name)).median.toFixed(2)} ms`)
  }
  for (const [name, title] of Object.entries(names) as Array<[keyof typeof results, string]>) {
    if (name === 'bare') continue
    console.log(`  throughput to bare, ${title.padEnd(32)}${ratio(speed(name), speed('bare'))}`)
    console.log(`  latency to bare,    ${title.padEnd(32)}${ratio(latency(name), latency('bare'))}`)
  }
}

console.log(
  `\nA 150 ms transaction, cancelled by another client between 0 and 170 ms after its call, ${runs} runs of each`,
)
let lies = 0
for (const [how, work] of [
  ['listens to its signal', slow],
  ['ignores its signal', deafSlow],
] as const) {
  for (const peer of [ours, dbos]) {
    const counts = { cancelled: 0, notCancelled: 0, untrue: 0 }
    for (let run = 0; run < runs; run++) {
      const key = uuidv7()
      const { toldCancelled } = await peer.cancelRace!(key, work, pause(Math.random() * 170))
      const { rows } = await pool.query('select count(*)::integer as effects from slow_effect where key = $1', [key])
      counts[toldCancelled ? 'cancelled' : 'notCancelled']++
      if (toldCancelled ? rows[0].effects > 0 : rows[0].effects !== 1) counts.untrue++
    }
    if (peer === ours) lies += counts.untrue
    console.log(
      `  ${how.padEnd(24)}${peer.name.padEnd(24)}told cancelled ${String(counts.cancelled).padStart(3)}, told not ${String(counts.notCancelled).padStart(3)}, untrue ${String(counts.untrue).padStart(3)}`,
    )
  }
}

await dbos.close()
await middleware.close()
await ours.close()
await pool.end()
await stand.stop()
process.exitCode = lies > 0 ? 1 : 0
