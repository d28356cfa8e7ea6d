import { isAway, migrate } from 'safepoint'
import { createDatabase } from 'safepoint/testkit'
import type { Client } from 'pg'
import { ConfigError, type Config } from './config.ts'
import { withClient, type Reader } from './database.ts'
import type { Logger } from './log.ts'
import type { DemoAccount } from './accounts/accounts.ts'
import { seedAccount } from './accounts/seed-account.ts'
import { seedCatalog } from './catalog/seed-catalog.ts'

const appMigrations = { name: 'pantry', directory: new URL('./migrations/', import.meta.url) }

/** Of the embedded database only, where nobody else's data can be. */
export const demoAccounts: readonly DemoAccount[] = [
  { role: 'admin', email: 'admin@pantry.example', password: 'admin-of-the-pantry' },
  { role: 'customer', email: 'demo@pantry.example', password: 'hungry-customer' },
]

/** Pantry's own database on the embedded server, made at its first start. */
export async function ensureDatabase(serverUrl: string): Promise<string> {
  const made = new URL(serverUrl)
  made.pathname = '/pantry'
  try {
    return await createDatabase(serverUrl, { name: 'pantry' })
  } catch (error) {
    if ((error as { code?: unknown }).code === '42P04') return made.href
    throw error
  }
}

/** Migrates, and fills what has to be there, once there is a PostgreSQL. Answers the demo accounts, where there are any. */
export function prepareDatabase(
  url: string,
  config: Config,
  log: Logger,
  signal: AbortSignal,
): Promise<readonly DemoAccount[]> {
  return whenReached(url, log, signal, async (client) => {
    const ran = [...(await migrate(client)), ...(await migrate(client, appMigrations))]
    if (ran.length > 0) log.info({ ran }, 'database migrated')
    return fill(client, config, log)
  })
}

/**
 * While PostgreSQL is away it says so and tries again; `signal` ends that. Throws ConfigError where the database is another
 * one than it is taken for.
 */
export async function whenReached<T>(
  url: string,
  log: Logger,
  signal: AbortSignal,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const { host } = new URL(url)
  for (let attempt = 1; ; attempt++) {
    try {
      return await withClient(url, work)
    } catch (error) {
      const { code, message } = error as { code?: string; message: string }
      if (code !== undefined && refusals.test(code)) throw new ConfigError(`PostgreSQL at ${host} refuses: ${message}.`)
      if (!isAway(error) || signal.aborted) throw error
      const seconds = Math.min(10, attempt)
      log.warn({ attempt, seconds, reason: message || code }, `PostgreSQL at ${host} cannot be reached; trying again`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, seconds * 1000)
        signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true })
      })
    }
  }
}

/** Of who we say we are, of a database that is not there, and of what that user may not do. */
const refusals = /^(28\w{3}|3D000|42501)$/

async function fill(client: Client, config: Config, log: Logger): Promise<readonly DemoAccount[]> {
  const tx = plainQueries(client)
  if (config.admin && !(await seedAccount(tx, { ...config.admin, role: 'admin', name: 'Administrator' }))) {
    log.warn('ADMIN_EMAIL belongs to an account that is no administrator; it was left as it is')
  }
  if (config.databaseUrl !== undefined) return []
  const products = await seedCatalog(tx, config.currency)
  if (products > 0) log.info({ products }, 'demo catalogue filled')
  // Everybody knows their passwords, so they are for this machine only.
  if (!loopback.has(config.host)) return []
  const wanted = demoAccounts.filter((account) => !(config.admin && account.role === 'admin'))
  for (const account of wanted)
    await seedAccount(tx, { ...account, name: account.role === 'admin' ? 'Demo administrator' : 'Demo customer' })
  return wanted
}

const loopback = new Set(['127.0.0.1', '::1', 'localhost'])

/** A bare connection in the shape that queries ask for. */
function plainQueries(client: Client): Reader {
  return {
    async query({ text, values = [] }) {
      const { rows, rowCount, command } = await client.query(text, [...values])
      return { rows, rowCount: rowCount ?? 0, command }
    },
  }
}
