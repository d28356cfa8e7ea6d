import type { Config } from './config.ts'
import { compose, jobNames, type Composed } from './compose.ts'
import { openDatabase } from './database.ts'
import { createJobs } from './jobs.ts'
import { areaLog, type Logger } from './log.ts'
import { breakGateways } from './payments/gateway-breaker.ts'
import { chooseRelay } from './mail/choose-relay.ts'
import { readOfferedGateways, type OfferedGateways } from './payments/offered-gateways.ts'
import type { SimulatorConfigs } from './simulators.ts'

export interface RuntimeOptions {
  readonly config: Config
  readonly databaseUrl: string
  readonly jwtSecret: string
  readonly publicUrl: () => string
  /** Those that run, where the configuration wants them. */
  readonly simulators: SimulatorConfigs
  /** Default: those that the configuration offers. */
  readonly gateways?: OfferedGateways
  readonly log: Logger
}

/** What a server and a worker have in common: the engine and the jobs on one database. */
export interface Runtime {
  readonly composed: Composed
  readonly gateways: OfferedGateways
  /** One line on where mails go, for start-up. */
  readonly mailNote: string
  start(): Promise<void>
  /** Claims nothing more, waits up to `grace` milliseconds for what runs here, and closes the connections. */
  stop(grace: number): Promise<void>
}

export function createRuntime(options: RuntimeOptions): Runtime {
  const { config, databaseUrl, jwtSecret, publicUrl, simulators, log } = options
  const { database, announcements } = openDatabase({ url: databaseUrl, directUrl: config.directDatabaseUrl, max: 20 })
  const jobs = createJobs({ url: databaseUrl, names: jobNames, log: areaLog(log, 'jobs', config.env) })
  const paymentsLog = areaLog(log, 'payments', config.env)
  const gateways =
    options.gateways ?? breakGateways(readOfferedGateways(config.env, simulators), config.gatewayBreaker, paymentsLog)
  const mail = chooseRelay(config, simulators.smtp)
  const composed = compose({
    database,
    announcements,
    currency: config.currency,
    jwtSecret,
    gateways,
    enqueue: jobs.enqueue,
    relay: mail.relay,
    publicUrl,
    log: areaLog(log, 'operations', config.env),
    webhookTries: config.webhookTries,
    webhookPayloadDays: config.webhookPayloadDays,
    refundAlarmDays: config.refundAlarmDays,
    adminEmail: config.admin?.email,
    engine: {
      ...(config.operationLease !== undefined && { lease: config.operationLease }),
      ...(config.conflictAttempts !== undefined && { attempts: config.conflictAttempts }),
    },
  })
  return {
    composed,
    gateways,
    mailNote: mail.note,
    async start() {
      await jobs.start()
      await composed.pantry.safepoint.start()
      await jobs.work(composed.jobs)
      // What an earlier process has left.
      void composed.mails.sweep()
    },
    async stop(grace) {
      const mails = composed.mails.stop()
      await jobs.stop(grace)
      await composed.pantry.safepoint.stop({ grace })
      await mails
      await database.close()
    },
  }
}
