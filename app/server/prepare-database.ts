import { migrate } from 'safepoint'
import { isAway } from 'safepoint'
import { createDatabase } from 'safepoint/testkit'
import type { Client } from 'pg'
import type { Config } from './config.ts'
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

/**
 * Migrates, and fills what has to be there. While PostgreSQL is away it says so and tries again; `signal` ends that.
 * Answers the demo accounts, where there are any.
 */
export async function prepareDatabase(
  url: string,
  config: Config,
  log: Logger,
  signal: AbortSignal,
): Promise<readonly DemoAccount[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await withClient(url, async (client) => {
        const ran = [...(await migrate(client)), ...(await migrate(client, appMigrations))]
        if (ran.length > 0) log.info({ ran }, 'database migrated')
        return fill(client, config, log)
      })
    } catch (error) {
      if (!isAway(error) || signal.aborted) throw error
      const seconds = Math.min(10, attempt)
      const { host } = new URL(url)
      log.warn(
        { attempt, seconds, reason: (error as Error).message || (error as { code?: string }).code },
        `PostgreSQL at ${host} cannot be reached; trying again`,
      )
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, seconds * 1000)
        signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true })
      })
    }
  }
}

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
