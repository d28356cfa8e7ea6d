import type { Config } from './config.ts'
import { compose, jobNames, type Composed } from './compose.ts'
import { openDatabase } from './database.ts'
import { createJobs } from './jobs.ts'
import { areaLog, type Logger } from './log.ts'
import type { StripeConfig } from './payments/gateways/stripe/stripe-config.ts'
import { readOfferedGateways, type OfferedGateways } from './payments/offered-gateways.ts'

export interface RuntimeOptions {
  readonly config: Config
  readonly databaseUrl: string
  readonly jwtSecret: string
  readonly publicUrl: () => string
  /** Those that run, where the configuration wants them. */
  readonly simulators: { readonly stripe?: StripeConfig | undefined }
  /** Default: those that the configuration offers. */
  readonly gateways?: OfferedGateways
  readonly log: Logger
}

/** What a server and a worker have in common: the engine and the jobs on one database. */
export interface Runtime {
  readonly composed: Composed
  readonly gateways: OfferedGateways
  start(): Promise<void>
  /** Claims nothing more, waits up to `grace` milliseconds for what runs here, and closes the connections. */
  stop(grace: number): Promise<void>
}

export function createRuntime(options: RuntimeOptions): Runtime {
  const { config, databaseUrl, jwtSecret, publicUrl, simulators, log } = options
  const { database, announcements } = openDatabase({ url: databaseUrl, directUrl: config.directDatabaseUrl, max: 20 })
  const jobs = createJobs({ url: databaseUrl, names: jobNames, log: areaLog(log, 'jobs', config.env) })
  const gateways = options.gateways ?? readOfferedGateways(config.env, simulators)
  const composed = compose({
    database,
    announcements,
    currency: config.currency,
    jwtSecret,
    gateways,
    enqueue: jobs.enqueue,
    publicUrl,
    log: areaLog(log, 'operations', config.env),
    ...(config.operationLease !== undefined && { engine: { lease: config.operationLease } }),
  })
  return {
    composed,
    gateways,
    async start() {
      await jobs.start()
      await composed.pantry.safepoint.start()
      await jobs.work(composed.jobs)
    },
    async stop(grace) {
      await jobs.stop(grace)
      await composed.pantry.safepoint.stop({ grace })
      await database.close()
    },
  }
}
