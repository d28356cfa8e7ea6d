// How long a cancel in one process takes to reach the work in another, beside a bare NOTIFY between the same two.
//
//   npm run bench:signal [-- --samples 1200]
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { createSafepoint, uuidv7 } from 'safepoint'
import { pgDatabase } from 'safepoint/pg'
import type { WorkerCommand, WorkerReport } from './cancel-signal-worker.ts'
import { quartiles, ratio, startStand } from './stand.ts'

const { values } = parseArgs({
  options: { samples: { type: 'string', default: '1200' }, cut: { type: 'string', default: '60' } },
})
const samples = Number(values.samples)
const cutSamples = Number(values.cut)
const channel = 'bench_ping'
const poll = 500

const stand = await startStand()
const database = pgDatabase({ driver: pg as never, url: stand.url, max: 4 })
const safepoint = createSafepoint({ database, operations: [] })
await safepoint.start()
const bare = new pg.Client(stand.url)
await bare.connect()
await bare.query('create table stopped_work (id text); create table decided (id text primary key)')

const untrue: string[] = []
const clock = () => process.hrtime.bigint()
const millisecondsSince = (begun: bigint, at: string) => Number(BigInt(at) - begun) / 1e6

function startWorker(busCut: boolean) {
  const child: ChildProcess = fork(
    new URL('./cancel-signal-worker.ts', import.meta.url),
    [JSON.stringify({ url: stand.url, channel, busCut })],
    { execArgv: ['--conditions=source'] },
  )
  const reports: WorkerReport[] = []
  let wakes: Array<() => void> = []
  child.on('message', (report: WorkerReport) => {
    reports.push(report)
    const woken = wakes
    wakes = []
    for (const wake of woken) wake()
  })
  const report = async <Kind extends string>(kind: Kind, of?: unknown) => {
    for (;;) {
      const place = reports.findIndex((one: any) => kind in one && (of === undefined || one[kind] === of))
      if (place >= 0) return reports.splice(place, 1)[0] as Extract<WorkerReport, { [K in Kind]: unknown }>
      await new Promise<void>((resolve) => void wakes.push(resolve))
    }
  }
  const ask = (command: WorkerCommand) => child.send(command)
  return {
    report,
    ask,
    async stop() {
      child.disconnect()
      await once(child, 'exit')
    },
  }
}

type Worker = ReturnType<typeof startWorker>

/** From the call of `cancel` here to the work's AbortSignal there, in milliseconds. */
async function cancelOnce(worker: Worker, beforeCancel = async () => {}): Promise<number> {
  const key = uuidv7()
  worker.ask({ run: key })
  await worker.report('working', key)
  await beforeCancel()
  const begun = clock()
  const { outcome } = await safepoint.cancel('bench', key)
  const { at } = await worker.report('signalled', key)
  const ended = await worker.report('ended', key)
  if (outcome !== 'cancelled' || ended.outcome !== 'cancelled') untrue.push(`${key}: ${outcome}, ${ended.outcome}`)
  return millisecondsSince(begun, at)
}

async function pingOnce(worker: Worker): Promise<number> {
  const id = uuidv7()
  const begun = clock()
  await bare.query({ name: 'ping', text: 'select pg_notify($1::text, $2::text)', values: [channel, id] })
  const { at } = await worker.report('pinged', id)
  return millisecondsSince(begun, at)
}

/** The least that any cancel has to do which is decided before it is told: a commit, and then the NOTIFY. */
async function commitAndPingOnce(worker: Worker): Promise<number> {
  const id = uuidv7()
  const begun = clock()
  await bare.query({ name: 'decide', text: 'insert into decided (id) values ($1::text)', values: [id] })
  await bare.query({ name: 'ping', text: 'select pg_notify($1::text, $2::text)', values: [channel, id] })
  const { at } = await worker.report('pinged', id)
  return millisecondsSince(begun, at)
}

const at = (sorted: readonly number[], share: number) => sorted[Math.floor(share * (sorted.length - 1))]!
const describe = (name: string, taken: readonly number[]) => {
  const sorted = taken.toSorted((a, b) => a - b)
  const told = [0.5, 0.95, 0.99, 1].map((share) => at(sorted, share).toFixed(2).padStart(8)).join('')
  console.log(`  ${name.padEnd(34)}${told}   (${sorted.length} samples)`)
  return { p50: at(sorted, 0.5), p99: at(sorted, 0.99), most: sorted.at(-1)! }
}
const verdict = (reached: boolean) => (reached ? 'reached' : 'MISSED')

console.log(`bench/cancel-signal: ${stand.about}\n`)
const worker = startWorker(false)
await worker.report('ready')
const measures = [
  { name: 'cancel() to the AbortSignal', once: () => cancelOnce(worker), taken: [] as number[] },
  { name: 'bare NOTIFY to the notification', once: () => pingOnce(worker), taken: [] as number[] },
  { name: 'bare commit, then bare NOTIFY', once: () => commitAndPingOnce(worker), taken: [] as number[] },
] as const
const warmUp = 50
for (let index = -warmUp; index < samples; index++) {
  // In turn, and who goes first changes, so that drift of the machine meets all alike.
  for (let place = 0; place < measures.length; place++) {
    const { once, taken } = measures[(index + warmUp + place) % measures.length]!
    const milliseconds = await once()
    if (index >= 0) taken.push(milliseconds)
  }
}
console.log('  milliseconds                           p50     p95     p99    most')
const [cancel, ping, floor] = measures.map(({ name, taken }) => describe(name, taken))
/** Of the medians of twelve blocks, in which the machine was as it was for both. */
const ratioOfMedians = (of: readonly number[], to: readonly number[]) => {
  const block = (all: readonly number[], index: number) =>
    quartiles(all.slice((index * samples) / 12, ((index + 1) * samples) / 12)).median
  return ratio(
    Array.from({ length: 12 }, (_, index) => block(of, index)),
    Array.from({ length: 12 }, (_, index) => block(to, index)),
  )
}
const [cancels, pings, floors] = measures.map(({ taken }) => taken)
console.log(`\n  median, to the bare NOTIFY                  ${ratioOfMedians(cancels!, pings!)}`)
console.log(`  median, to the bare commit and NOTIFY       ${ratioOfMedians(cancels!, floors!)}`)
console.log(`  p99, to the bare commit and NOTIFY          ${(cancel!.p99 / floor!.p99).toFixed(2)}`)
console.log(
  `  p99, to the bare NOTIFY                     ${(cancel!.p99 / ping!.p99).toFixed(2)}   target < 3: ${verdict(cancel!.p99 < 3 * ping!.p99)}`,
)
console.log(
  `  p99                                         ${cancel!.p99.toFixed(2)} ms   target < 10 ms: ${verdict(cancel!.p99 < 10)}`,
)

console.log(`\nWith the bus cut, behind it a poll every ${poll} ms\n`)
console.log('  milliseconds                           p50     p95     p99    most')
const cutting: number[] = []
for (let index = 0; index < cutSamples; index++)
  cutting.push(
    await cancelOnce(worker, async () => {
      worker.ask({ cutListen: true })
      await worker.report('listenCut')
    }),
  )
const reconnected = describe('LISTEN connection just killed', cutting)
await worker.stop()
const deafWorker = startWorker(true)
await deafWorker.report('ready')
// At any point of the poll's period and of the work's age.
const deaf = await Promise.all(
  Array.from({ length: cutSamples }, async (_, index) => {
    await pause((index * 2 * poll) / cutSamples + Math.random() * 20)
    return cancelOnce(deafWorker, () => pause(Math.random() * poll))
  }),
)
const polled = describe('a bus that drops everything', deaf)
await deafWorker.stop()
const { rows } = await bare.query('select count(*)::integer as left from stopped_work')
if (rows[0].left > 0) untrue.push(`${rows[0].left} rows of cancelled work are there`)
const most = Math.max(reconnected.most, polled.most)
console.log(
  `\n  noticed within ${most.toFixed(0)} ms   target ${poll} ms and a round trip: ${verdict(most < poll + 50)}`,
)
console.log(`  untrue answers    ${untrue.length}`)
for (const one of untrue) console.log(`    ${one}`)

await bare.end()
await safepoint.stop()
await database.close()
await stand.stop()
process.exitCode = untrue.length > 0 ? 1 : 0
