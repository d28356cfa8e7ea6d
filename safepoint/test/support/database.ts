import pg from 'pg'
import { afterAll, inject } from 'vitest'
import { dropDatabase } from '../../src/testkit/index.ts'
import type { Major, Template } from './database-broker.ts'
import type {} from './global-setup.ts'
import { until } from './until.ts'

export interface TestDatabase {
  url: string
  name: string
  major: Major
  /** The superuser's database on the same server: to look at this one from outside, or to kill its connections. */
  serverUrl: string
}

/** The PostgreSQL that tests run on unless they ask for another: 18, or the environment's `PG_MAJOR`. */
export const defaultMajor = Number(process.env.PG_MAJOR ?? 18) as Major

/**
 * A database of the test file's own, cloned from a migrated template; call it at the top of the file. It is dropped
 * after the file's last hook, and kept with its name printed if a test failed. A connection that the file left open
 * fails the file.
 */
export async function testDatabase(options: { major?: Major; template?: Template } = {}): Promise<TestDatabase> {
  const { major = defaultMajor, template = 'engine' } = options
  const answer = await fetch(`${inject('databaseBroker')}/${major}/${template}`, { method: 'POST' })
  if (!answer.ok) throw new Error(`No database for this test file: ${await answer.text()}`)
  const { url, server: serverUrl } = (await answer.json()) as { url: string; server: string }
  const name = new URL(url).pathname.slice(1)
  // Hooks run last-in first-out, so whatever the file itself closes is closed before this.
  afterAll(async ({}, suite) => {
    try {
      await checkConnectionsClosed(serverUrl, name)
    } finally {
      if (hasFailed(suite)) console.log(`The database ${name} (PostgreSQL ${major}) of ${suite.name} is kept.`)
      else await dropDatabase(url)
    }
  })
  return { url, name, major, serverUrl }
}

async function checkConnectionsClosed(serverUrl: string, name: string): Promise<void> {
  const client = new pg.Client(serverUrl)
  await client.connect()
  try {
    let open: string[] = []
    await until(
      async () => {
        const { rows } = await client.query(
          `select format('%s %s: %s', application_name, state, left(query, 200)) as line
             from pg_stat_activity where datname = $1 and backend_type = 'client backend'`,
          [name],
        )
        open = rows.map(({ line }) => line)
        return open.length === 0
      },
      { message: () => `connections left open by the test file:\n${open.join('\n')}`, timeoutMs: 3000, intervalMs: 20 },
    )
  } finally {
    await client.end()
  }
}

interface Task {
  result?: { state?: string } | undefined
  tasks?: Task[]
}

const hasFailed = (task: Task): boolean => task.result?.state === 'fail' || (task.tasks ?? []).some(hasFailed)
