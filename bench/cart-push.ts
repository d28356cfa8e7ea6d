// How soon another device is told of an add: from the commit at server process A to the event on a stream of server process B,
// beside a bare NOTIFY between the same two processes.
//
//   npm run bench:cart-push [-- --samples 1000]
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import { parseArgs } from 'node:util'
import { migrate, uuidv7 } from 'safepoint'
import pg from 'pg'
import type { ServerCommand, ServerReport } from './cart-push-server.ts'
import { quartiles, ratio, startStand } from './stand.ts'

const { values } = parseArgs({ options: { samples: { type: 'string', default: '1000' } } })
const samples = Number(values.samples)
const blocks = 10

const stand = await startStand({ carts: 1 })
const admin = new pg.Client(stand.url)
await admin.connect()
await migrate(admin, { name: 'pantry', directory: new URL('../app/server/migrations/', import.meta.url) })
const productId = uuidv7()
await admin.query(
  `insert into pantry.product (id, slug, name, description, category, image, price_amount, currency,
    energy_kcal, protein_g, carbohydrate_g, sugar_g, fat_g, fibre_g, salt_g)
  values ($1, 'rice', 'Rice', 'Long grain.', 'grains', '/images/grains.svg', 9900, 'INR', 350, 8, 78, 0, 1, 1, 0)`,
  [productId],
)
await admin.query(
  `with variant as (
    insert into pantry.variant (id, product_id, sku, name, position, content_g)
    select gen_random_uuid(), $1, 'rice-' || n, 'Bag ' || n, n, 500 from generate_series(0, 9) as n returning id
  ) insert into pantry.stock (variant_id, on_hand) select id, 1000000 from variant`,
  [productId],
)
const { rows: variants } = await admin.query<{ id: string }>('select id from pantry.variant order by position')
await admin.end()

function startServer() {
  const { PATH = '', TMPDIR = '' } = process.env
  const child: ChildProcess = fork(new URL('./cart-push-server.ts', import.meta.url), {
    execArgv: ['--conditions=source'],
    env: {
      PATH,
      ...(TMPDIR && { TMPDIR }),
      DATABASE_URL: stand.url,
      JWT_SECRET: 'a secret of this bench, of forty-eight bytes or so',
      LOG_LEVEL: 'warn',
    },
  })
  const reports: ServerReport[] = []
  let wakes: Array<() => void> = []
  child.on('message', (report: ServerReport) => {
    reports.push(report)
    const woken = wakes
    wakes = []
    for (const wake of woken) wake()
  })
  return {
    ask: (command: ServerCommand) => void child.send(command),
    async report<Kind extends string>(kind: Kind, of?: unknown) {
      for (;;) {
        const place = reports.findIndex((one: any) => kind in one && (of === undefined || one[kind] === of))
        if (place >= 0) return reports.splice(place, 1)[0] as Extract<ServerReport, { [K in Kind]: unknown }>
        if (child.exitCode !== null) throw new Error(`A server ended with ${child.exitCode}.`)
        await new Promise<void>((resolve) => void wakes.push(resolve))
      }
    },
    async stop() {
      child.send({ end: true } satisfies ServerCommand)
      await once(child, 'exit')
    },
  }
}

const [a, b] = [startServer(), startServer()]
const [{ ready: urlOfA }, { ready: urlOfB }] = await Promise.all([a.report('ready'), b.report('ready')])
b.ask({ listen: true })
await b.report('listening')

const agent = new http.Agent({ keepAlive: true })
/** Not by `fetch`: what the sender's own device computes would be measured as the other one's delay. */
const post = (path: string, body: object, token?: string) =>
  new Promise<any>((resolve, reject) => {
    const request = http.request(
      `${urlOfA}${path}`,
      {
        method: 'POST',
        agent,
        headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
      },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString()
          if (response.statusCode! < 300) resolve(JSON.parse(text))
          else reject(new Error(`${path}: ${response.statusCode} ${text}`))
        })
      },
    )
    request.on('error', reject).end(JSON.stringify(body))
  })
const { user, accessToken } = await post('/api/auth/register', {
  email: 'bench@example.com',
  password: 'correct horse battery',
  name: 'Bench',
})
a.ask({ note: user.id })
await a.report('noted')

/** When each version arrived, in nanoseconds. */
const arrivals = new Map<number, bigint>()
let arrived = () => {}
const streaming = http.get(
  `${urlOfB}/api/events?topics=cart`,
  { headers: { authorization: `Bearer ${accessToken}` } },
  (response) => {
    let text = ''
    response.setEncoding('utf8').on('data', (chunk: string) => {
      const at = process.hrtime.bigint()
      text += chunk
      for (let end; (end = text.indexOf('\n\n')) >= 0; text = text.slice(end + 2)) {
        const data = /^data: (.*)$/m.exec(text.slice(0, end))?.[1]
        if (data !== undefined) arrivals.set(JSON.parse(data).version, at)
      }
      arrived()
    })
  },
)
streaming.on('error', () => {})

let n = 0
/** From the commit at A to the event on the stream of B, in milliseconds. */
async function addOnce(): Promise<number> {
  // Ten lines of at most 999 units: quantities do not reach their limit, and the cart stays as large as one is.
  const variantId = variants[n++ % variants.length]!.id
  const { version } = await post('/api/cart/add', { productId, variantId, quantity: 1 }, accessToken)
  while (!arrivals.has(version)) await new Promise<void>((resolve) => (arrived = resolve))
  a.ask({ committed: version })
  const { at } = await a.report('committedAt', version)
  return Number(arrivals.get(version)! - BigInt(at)) / 1e6
}

/** From pg_notify at A to the notification at B, in milliseconds. */
async function pingOnce(): Promise<number> {
  const id = uuidv7()
  a.ask({ ping: id })
  const [{ at: heard }, { at: sent }] = await Promise.all([b.report('pinged', id), a.report('pinging', id)])
  return Number(BigInt(heard) - BigInt(sent)) / 1e6
}

console.log(`bench/cart-push: ${stand.about}\n`)
const measures = [
  { name: 'commit at A to the event at B', once: addOnce, taken: [] as number[] },
  { name: 'bare NOTIFY, A to B', once: pingOnce, taken: [] as number[] },
] as const
const warmUp = 100
for (let index = -warmUp; index < samples; index++) {
  // In turn, and who goes first changes, so that drift of the machine meets both alike.
  for (let place = 0; place < measures.length; place++) {
    const { once: measure, taken } = measures[(index + warmUp + place) % measures.length]!
    const milliseconds = await measure()
    if (index >= 0) taken.push(milliseconds)
  }
}

const at = (sorted: readonly number[], share: number) => sorted[Math.floor(share * (sorted.length - 1))]!
console.log('  milliseconds                           p50     p95     p99    most')
const [push, ping] = measures.map(({ name, taken }) => {
  const sorted = taken.toSorted((x, y) => x - y)
  const told = [0.5, 0.95, 0.99, 1].map((share) => at(sorted, share).toFixed(2).padStart(8)).join('')
  console.log(`  ${name.padEnd(34)}${told}   (${sorted.length} samples)`)
  return { p50: at(sorted, 0.5), p99: at(sorted, 0.99) }
})
/** Of the medians of ten blocks, in which the machine was as it was for both. */
const medians = ({ taken }: { readonly taken: readonly number[] }) =>
  Array.from(
    { length: blocks },
    (_, block) => quartiles(taken.slice((block * samples) / blocks, ((block + 1) * samples) / blocks)).median,
  )
const verdict = (reached: boolean) => (reached ? 'reached' : 'MISSED')
const [p50Ratio, p99Ratio] = [push!.p50 / ping!.p50, push!.p99 / ping!.p99]
console.log(`\n  median, to the bare NOTIFY, by block        ${ratio(medians(measures[0]), medians(measures[1]))}`)
console.log(
  `  p50, to the bare NOTIFY                     ${p50Ratio.toFixed(2)}   target < 3: ${verdict(p50Ratio < 3)}`,
)
console.log(
  `  p99, to the bare NOTIFY                     ${p99Ratio.toFixed(2)}   target < 3: ${verdict(p99Ratio < 3)}`,
)
console.log(
  `  p99                                         ${push!.p99.toFixed(2)} ms   target < 100 ms: ${verdict(push!.p99 < 100)}`,
)

streaming.destroy()
agent.destroy()
await Promise.all([a.stop(), b.stop()])
await stand.stop()
process.exit()
