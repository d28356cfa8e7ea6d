import { setTimeout as delay } from 'node:timers/promises'
import type { Client } from 'pg'
import { ConfigError, keepSecret, readConfig } from './config.ts'
import { createLog } from './log.ts'
import { findOwner } from './owner.ts'
import { whenReached } from './prepare-database.ts'
import { createRuntime } from './runtime.ts'
import { findSimulators } from './simulators.ts'

/** Milliseconds that operations under way get to finish. */
const grace = 10_000

/**
 * A second process for what runs in the background: it takes over operations and works on jobs, and serves no HTTP. With the
 * embedded database it attaches to the server that owns `DATA_DIR`, and ends with it.
 */
async function work(): Promise<void> {
  const config = readConfig(process.env)
  const log = createLog(config)
  const owner = config.databaseUrl === undefined ? findOwner(config.dataDir) : undefined
  const databaseUrl = config.databaseUrl ?? owner?.databaseUrl
  if (databaseUrl === undefined) {
    throw new ConfigError(`No Pantry runs on ${config.dataDir}. Start it first (npm start), or set DATABASE_URL.`)
  }
  const runtime = createRuntime({
    config,
    databaseUrl,
    jwtSecret: config.jwtSecret ?? keepSecret(config.dataDir),
    publicUrl: () => config.publicUrl ?? owner?.url ?? `http://${config.host}:${config.port}`,
    simulators: config.simulators ? findSimulators(config) : {},
    log,
  })
  const stopping = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (stopping.signal.aborted) process.exit(1)
      stopping.abort()
    })
  }
  await whenReached(databaseUrl, log, stopping.signal, requireTables).catch((error: unknown) => {
    if (!stopping.signal.aborted) throw error
  })
  if (stopping.signal.aborted) return
  await runtime.start()
  log.info({ pid: process.pid, attached: owner !== undefined }, 'worker started')
  console.log('Pantry worker started.')
  while (!stopping.signal.aborted) {
    await delay(1000, undefined, { signal: stopping.signal }).catch(() => {})
    if (owner && findOwner(config.dataDir)?.pid !== owner.pid) {
      log.warn('the server that owns the data folder has ended; so does this worker')
      break
    }
  }
  await runtime.stop(grace)
}

/** The server makes them. */
async function requireTables(client: Client): Promise<void> {
  const { rows } = await client.query<{ made: boolean }>(`select to_regclass('pantry.account') is not null as made`)
  if (!rows[0]!.made) throw new ConfigError('There is no Pantry in this database yet: start the server first.')
}

try {
  await work()
  process.exit(0)
} catch (error) {
  console.error(error instanceof ConfigError ? error.message : error)
  process.exit(1)
}
