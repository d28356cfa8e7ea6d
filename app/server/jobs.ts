import { PgBoss } from 'pg-boss'
import { isAway, type SqlTransaction } from 'safepoint'

/** Work in the background: at least once, so that `work` must be safe to repeat. */
export interface Job<Data extends object = any> {
  readonly name: string
  /** Five cron fields, UTC: also runs at these times, with `{}` as its data. */
  readonly cron?: string
  /** One run does the work of all jobs of this name that wait, so that they are taken together; its data are the first one's. */
  readonly together?: true
  readonly work: (data: Data, signal: AbortSignal) => Promise<void>
}

/** Enqueues in the caller's transaction: the job exists exactly if the write before it does. `after` is its earliest start. */
export type Enqueue = (
  tx: SqlTransaction,
  job: string,
  data: object,
  options?: { readonly after?: Date },
) => Promise<void>

export interface Jobs {
  readonly enqueue: Enqueue
  /** Makes the tables and queues, so that `enqueue` works. */
  start(): Promise<void>
  /** Begins to work on `jobs`. */
  work(jobs: readonly Job[]): Promise<void>
  /** Waits up to `grace` milliseconds for what runs here; the rest is taken over by another process. */
  stop(grace?: number): Promise<void>
}

export interface JobsOptions {
  readonly url: string
  /** Every name that is ever enqueued. */
  readonly names: readonly string[]
  readonly log: { warn(fields: object, message: string): void; error(fields: object, message: string): void }
  /** How often a waiting job is looked for, in seconds. Default 2. */
  readonly pollSeconds?: number
}

/** Each queue asks for itself: while the database is away, one line in so many milliseconds stands for all of them. */
const awayEvery = 10_000

/** What a job that keeps failing gets: eleven tries over about a day, then it stays `failed` for a human. */
const queueOptions = { retryLimit: 10, retryDelay: 30, retryBackoff: true, expireInSeconds: 300 }

/** pg-boss on the shop's own PostgreSQL. Durable operations are not its business: the engine claims those itself. */
export function createJobs(options: JobsOptions): Jobs {
  const boss = new PgBoss({
    connectionString: options.url,
    max: 3,
    application_name: 'pantry-jobs',
    useListenNotify: false,
  })
  let isStopped = false
  // Its connections say goodbye without waiting for it to be heard: what a database that stops meanwhile says to them is no problem.
  let toldAwayAt = -Infinity
  boss.on('error', (error) => {
    if (isStopped) return
    if (!isAway(error)) return options.log.error({ err: error }, 'the job queue has a problem')
    if (performance.now() - toldAwayAt < awayEvery) return
    toldAwayAt = performance.now()
    options.log.warn({ err: error }, 'the job queue cannot reach the database; it goes on when that is back')
  })
  const { pollSeconds = 2 } = options

  return {
    async enqueue(tx, job, data, { after } = {}) {
      await boss.send(job, data, { db: inTransaction(tx), ...(after && { startAfter: after }) })
    },
    async start() {
      await boss.start()
      for (const name of options.names) await boss.createQueue(name, queueOptions)
    },
    async work(jobs) {
      for (const job of jobs) {
        const size = { batchSize: job.together ? 100 : 1, burstWhenBatchFull: job.together === true }
        await boss.work(job.name, { pollingIntervalSeconds: pollSeconds, ...size }, async ([next]) => {
          if (next) await job.work((next.data ?? {}) as object, next.signal)
        })
        if (job.cron) await boss.schedule(job.name, job.cron)
      }
    },
    async stop(grace = 10_000) {
      await boss.stop({ graceful: grace > 0, timeout: grace })
      isStopped = true
    },
  }
}

/** The one method that pg-boss asks of a database. */
const inTransaction = (tx: SqlTransaction) => ({
  executeSql: (text: string, values: unknown[] = []) => tx.query(text, values),
})
