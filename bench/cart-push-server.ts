// One server process of cart-push.ts: Pantry as `app/server/main.ts` runs it with a DATABASE_URL, and beside it a bare
// connection that NOTIFYs or LISTENs.
import pg from 'pg'
import { buildApp } from '../app/server/app.ts'
import { cartTopic } from '../app/server/cart/cart.ts'
import { readConfig } from '../app/server/config.ts'
import { areaLog, createLog } from '../app/server/log.ts'
import { createRuntime } from '../app/server/runtime.ts'

/** What this process is asked over IPC. */
export type ServerCommand =
  /** Notes when each change of this account's cart is committed here. */
  | { readonly note: string }
  /** When version so and so was. */
  | { readonly committed: number }
  | { readonly ping: string }
  | { readonly listen: true }
  | { readonly end: true }

/** What it tells: times are nanoseconds of the host's monotonic clock, in decimal. */
export type ServerReport =
  | { readonly ready: string }
  | { readonly noted: true }
  | { readonly committedAt: number; readonly at: string }
  | { readonly pinging: string; readonly at: string }
  | { readonly pinged: string; readonly at: string }
  | { readonly listening: true }

const channel = 'bench_ping'
const tell = (report: ServerReport) => process.send!(report)
const clock = () => String(process.hrtime.bigint())

const config = readConfig(process.env)
const log = createLog(config)
const databaseUrl = config.databaseUrl!
const runtime = createRuntime({
  config,
  databaseUrl,
  jwtSecret: config.jwtSecret!,
  publicUrl: () => 'http://127.0.0.1',
  simulators: {},
  log,
})
const { pantry } = runtime.composed
const app = await buildApp({ composed: runtime.composed, log: areaLog(log, 'http', config.env) })
await runtime.start()
const bare = new pg.Client(databaseUrl)
await bare.connect()
bare.on('notification', ({ payload }) => tell({ pinged: payload!, at: clock() }))

const commits = new Map<number, string>()
process.on('message', (command: ServerCommand) => {
  if ('note' in command) {
    // Delivered within this process in the same moment in which the commit's answer has come, before anybody else is told.
    pantry.safepoint.bus.subscribe(cartTopic(command.note), (data, origin) => {
      if (origin === 'here') commits.set(JSON.parse(data).version, clock())
    })
    tell({ noted: true })
  } else if ('committed' in command) {
    tell({ committedAt: command.committed, at: commits.get(command.committed)! })
  } else if ('ping' in command) {
    const at = clock()
    void bare
      .query({ name: 'ping', text: 'select pg_notify($1::text, $2::text)', values: [channel, command.ping] })
      .then(() => tell({ pinging: command.ping, at }))
  } else if ('listen' in command) {
    void bare.query(`listen ${channel}`).then(() => tell({ listening: true }))
  } else {
    void (async () => {
      await app.close()
      await runtime.stop(1000)
      await bare.end()
      process.exit()
    })()
  }
})
process.once('disconnect', () => process.exit(1))
tell({ ready: await app.listen({ port: 0, host: '127.0.0.1' }) })
