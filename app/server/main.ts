import path from 'node:path'
import { isSafepointError } from 'safepoint'
import { startPostgres, type RunningPostgres } from 'safepoint/testkit'
import type { DemoAccount } from './accounts/accounts.ts'
import { buildApp } from './app.ts'
import { ConfigError, keepSecret, readConfig, type Config } from './config.ts'
import { originTest } from './cors.ts'
import { areaLog, createLog, type Logger } from './log.ts'
import { claimOwnership } from './owner.ts'
import { ensureDatabase, prepareDatabase } from './prepare-database.ts'
import { readRateLimits } from './rate-limits.ts'
import { createRuntime } from './runtime.ts'
import { startSimulators } from './simulators.ts'

/** Milliseconds that requests and operations under way get to finish. */
const grace = 10_000

const webRoot = path.join(import.meta.dirname, '..', 'web', 'dist')

/** What was opened, closed in reverse; the rest goes on when one of them fails. */
const opened: Array<{ readonly what: string; readonly close: () => unknown }> = []
const stopping = new AbortController()
let ending: Promise<void> | undefined

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  process.on(signal, () => {
    // Asked a second time: at once. The database recovers, and operations are taken over at the next start.
    if (ending) process.exit(1)
    end(0)
  })
}

try {
  await start(readConfig(process.env))
} catch (error) {
  if (!stopping.signal.aborted) {
    const told = error instanceof ConfigError || isSafepointError(error) || isStartError(error)
    console.error(told ? (error as Error).message : error)
    end(1)
  }
}

async function start(config: Config): Promise<void> {
  const log = createLog(config)
  const rateLimits = readRateLimits(config.rateLimits)
  // Origins that are refused are refused before anything has begun.
  originTest(config.corsOrigins, { allowSharedHosting: config.corsSharedHosting === 'allow' })
  const embedded = config.databaseUrl === undefined
  const owner = embedded ? claimOwnership(config.dataDir) : undefined
  if (owner) opened.push({ what: 'ownership', close: () => owner.release() })
  const databaseUrl = config.databaseUrl ?? (await startEmbedded(config, log))
  const demo = await prepareDatabase(databaseUrl, config, log, stopping.signal)
  stopping.signal.throwIfAborted()

  const simulators = await startSimulators(config)
  opened.push({ what: 'simulators', close: () => simulators.close() })
  const listening: { url?: string } = {}
  const runtime = createRuntime({
    config,
    databaseUrl,
    jwtSecret: config.jwtSecret ?? keepSecret(config.dataDir),
    publicUrl: () => config.publicUrl ?? listening.url ?? `http://${config.host}:${config.port}`,
    simulators,
    log,
  })
  opened.push({ what: 'operations', close: () => runtime.stop(grace) })
  const app = await buildApp({
    composed: runtime.composed,
    log: areaLog(log, 'http', config.env),
    corsOrigins: config.corsOrigins,
    corsSharedHosting: config.corsSharedHosting,
    demoAccounts: demo,
    rateLimits,
    metricsToken: config.metricsToken,
    refusing: () => (ending ? 'The server is shutting down.' : undefined),
    webRoot,
  })
  opened.push({ what: 'server', close: () => app.close() })
  await runtime.start()
  const { port, host } = config
  const address = await app.listen({ port, host }).catch((error: Error) => {
    throw new ConfigError(`Pantry cannot listen on ${host}:${port} (${error.message}). Set PORT, or HOST.`)
  })
  const url = address.replace('[::1]', 'localhost')
  listening.url = url
  await simulators.pointWebhooks(url)
  owner?.publish({ url, databaseUrl })
  greet({ url, demo, notes: [...runtime.gateways.notes, runtime.mailNote], embedded }, log)
}

async function startEmbedded(config: Config, log: Logger): Promise<string> {
  const server: RunningPostgres = await startPostgres({
    dataDir: path.join(config.dataDir, 'postgres'),
    settings: { max_connections: 200 },
    onRestart: (told) => log.error(told),
  })
  opened.push({ what: 'PostgreSQL', close: () => server.stop() })
  stopping.signal.throwIfAborted()
  return ensureDatabase(server.url)
}

interface Greeting {
  readonly url: string
  readonly demo: readonly DemoAccount[]
  readonly notes: readonly string[]
  readonly embedded: boolean
}

function greet({ url, demo, notes, embedded }: Greeting, log: Logger): void {
  log.info({ url, gateways: notes, embedded }, 'listening')
  const accounts = demo.map(({ role, email, password }) => `  ${role.padEnd(9)} ${email}  ${password}`)
  const lines = [`Pantry is at ${url}`, `  API       ${url}/docs`, ...accounts, ...notes.map((note) => `  ${note}`)]
  console.log(`\n${lines.join('\n')}\n`)
}

/** Drains: nothing new is taken, what runs finishes, then the connections and the database are closed. */
function end(code: number): void {
  stopping.abort(new Error('The server is shutting down.'))
  const late = setTimeout(() => process.exit(1), 2 * grace + 15_000)
  late.unref()
  ending ??= (async () => {
    for (const { what, close } of opened.reverse()) {
      try {
        await close()
      } catch (error) {
        console.error(`${what} did not close: ${(error as Error).message}`)
        code = 1
      }
    }
    process.exit(code)
  })()
}

/** Of startPostgres, and of files that are somebody else's: their messages are made for whoever typed the command. */
function isStartError(error: unknown): boolean {
  const { code } = error as { code?: unknown }
  return (
    typeof code === 'string' &&
    /^(unsupported_platform|no_binaries|port_in_use|data_dir_in_use|wrong_version|start_failed|EACCES)$/.test(code)
  )
}
