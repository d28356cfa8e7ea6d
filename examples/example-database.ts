// A PostgreSQL for one example: DATABASE_URL's where it is set, else an embedded one in a temporary folder.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { migrate } from 'safepoint'
import { startPostgres } from 'safepoint/testkit'

export async function startExampleDatabase(tables: string): Promise<{ url: string; stop(): Promise<void> }> {
  const dataDir = await mkdtemp(join(tmpdir(), 'safepoint-example-'))
  const server = process.env.DATABASE_URL === undefined ? await startPostgres({ dataDir, fsync: false }) : undefined
  const url = process.env.DATABASE_URL ?? server!.url
  const client = new pg.Client(url)
  await client.connect()
  await migrate(client)
  await client.query(tables)
  await client.end()
  return {
    url,
    async stop() {
      await server?.stop()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}
