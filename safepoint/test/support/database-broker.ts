import { existsSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import pg from 'pg'
import { engineMigrations, migrate } from '../../src/migrate.ts'
import { createDatabase, type RunningPostgres, startPostgres } from '../../src/testkit/index.ts'

export type Major = 15 | 18
/** `engine`: the engine's tables. `app`: those, pg-boss's and the app's. `empty`: nothing. */
export type Template = 'engine' | 'app' | 'empty'

export interface DatabaseBroker {
  url: string
  /** The lent databases that are still there. */
  listLeft: () => Promise<string[]>
  close: () => Promise<void>
}

/**
 * Lends databases to the test files, which run in processes of their own: `POST /<major>/<template>` answers
 * `{url, server}` of a fresh clone. A server and a template are made when the first test asks for them.
 */
export async function startDatabaseBroker(folder: string): Promise<DatabaseBroker> {
  const servers = new Map<Major, Promise<RunningPostgres>>()
  const templates = new Map<string, Promise<string>>()
  let last: Promise<unknown> = Promise.resolve()

  const server = (major: Major) =>
    remember(servers, major, () =>
      startPostgres({
        dataDir: path.join(folder, String(major)),
        major,
        fsync: false,
        settings: { max_connections: 300, max_prepared_transactions: 0, log_statement: 'none' },
      }),
    )

  const clone = async (major: Major, template: Template) => {
    const { url } = await server(major)
    const from =
      template === 'empty'
        ? undefined
        : await remember(templates, `${major}/${template}`, () => makeTemplate(url, template))
    return { url: await createDatabase(url, from === undefined ? {} : { template: from }), server: url }
  }

  const front = http.createServer((request, response) => {
    const [, major, template] = (request.url ?? '').split('/')
    // One at a time: PostgreSQL refuses a clone of a template that another session is just cloning.
    last = last
      .then(() => clone(Number(major) as Major, template as Template))
      .then(
        (lent) => response.end(JSON.stringify(lent)),
        (error: Error) => response.writeHead(500).end(error.stack),
      )
  })
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(front.address() as AddressInfo).port}`,
    listLeft: async () =>
      (await Promise.all([...servers.values()].map(async (started) => listDatabases((await started).url)))).flat(),
    close: async () => {
      front.closeAllConnections()
      await new Promise((resolve) => front.close(resolve))
      await Promise.all([...servers.values()].map(async (started) => (await started).stop()))
    },
  }
}

async function listDatabases(serverUrl: string): Promise<string[]> {
  const client = new pg.Client(serverUrl)
  await client.connect()
  try {
    const { rows } = await client.query(`select datname from pg_database where datname like 'test\\_%'`)
    return rows.map(({ datname }) => datname)
  } finally {
    await client.end()
  }
}

async function makeTemplate(serverUrl: string, template: 'engine' | 'app'): Promise<string> {
  const name = `template_${template}`
  const url = await createDatabase(serverUrl, { name })
  const client = new pg.Client(url)
  await client.connect()
  try {
    await migrateAll(client, template)
  } finally {
    await client.end()
  }
  return name
}

/** The engine's tables and, for `app`, pg-boss's and the app's on top. */
export async function migrateAll(client: pg.Client, template: 'engine' | 'app'): Promise<void> {
  await migrate(client, engineMigrations)
  if (template === 'engine') return
  const { getConstructionPlans } = await import('pg-boss')
  await client.query(getConstructionPlans('pgboss'))
  const directory = new URL('../../../app/server/migrations/', import.meta.url)
  if (existsSync(directory)) await migrate(client, { name: 'pantry', directory })
}

function remember<Key, Value>(made: Map<Key, Promise<Value>>, key: Key, make: () => Promise<Value>): Promise<Value> {
  const known = made.get(key)
  if (known !== undefined) return known
  const value = make()
  made.set(key, value)
  return value
}
