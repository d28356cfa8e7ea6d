// The other process of cancel-signal.ts: work that waits to be stopped, and a bare LISTEN beside it.
import pg from 'pg'
import { createSafepoint, defineOperation, type SignalBus } from 'safepoint'
import { pgDatabase } from 'safepoint/pg'
import { anything } from './stand.ts'

/** What this process is asked over IPC. */
export type WorkerCommand = { readonly run: string } | { readonly cutListen: true }

/** What it tells: times are nanoseconds of the host's monotonic clock, in decimal. */
export type WorkerReport =
  | { readonly ready: true }
  /** The work under this key waits for its signal. */
  | { readonly working: string }
  | { readonly signalled: string; readonly at: string }
  | { readonly ended: string; readonly outcome: string }
  | { readonly pinged: string; readonly at: string }
  | { readonly listenCut: true }

const config = JSON.parse(process.argv[2]!) as { url: string; channel: string; busCut: boolean }
const tell = (report: WorkerReport) => process.send!(report)
const clock = () => String(process.hrtime.bigint())

/** Delivers nothing and hears nothing. */
const cutBus: SignalBus = {
  publish: () => {},
  subscribe: () => () => {},
  onGap: () => () => {},
  start: async () => {},
  close: async () => {},
}

const work = defineOperation({
  name: 'work.wait',
  input: anything,
  keep: 'a measurement',
  async run(ctx, { id }: { id: string }) {
    await ctx.tx.query('insert into stopped_work (id) values ($1::text)', [id])
    return new Promise((_, reject) => {
      ctx.signal.addEventListener('abort', () => {
        tell({ signalled: id, at: clock() })
        reject(ctx.signal.reason)
      })
      tell({ working: id })
    })
  },
})

const database = pgDatabase({ driver: pg as never, url: config.url, max: 100 })
const safepoint = createSafepoint({ database, operations: [work], ...(config.busCut && { bus: cutBus }) })
await safepoint.start()
const bare = new pg.Client(config.url)
await bare.connect()
bare.on('notification', ({ payload }) => tell({ pinged: payload!, at: clock() }))
await bare.query(`listen ${config.channel}`)

process.on('message', (command: WorkerCommand) => {
  if ('run' in command) {
    const key = command.run
    void safepoint.run(work, { id: key }, { scope: 'bench', key }).then(
      ({ outcome }) => tell({ ended: key, outcome }),
      (error: Error) => tell({ ended: key, outcome: error.message }),
    )
  } else {
    void bare
      .query(
        `select pg_terminate_backend(pid) from pg_stat_activity
          where application_name = 'safepoint-listen' and datname = current_database()`,
      )
      .then(() => tell({ listenCut: true }))
  }
})
process.on('disconnect', () => process.exit())
tell({ ready: true })
