import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { createDatabase, startPostgres } from 'safepoint/testkit'
import { migrateAll } from '../../../safepoint/test/support/database-broker.ts'

/** A PostgreSQL of one's own, in a folder that is removed afterwards, with as many of the app's databases as are wanted. */
export async function startDatabases(options: { readonly count: number; readonly fsync: boolean }) {
  const dataDir = await mkdtemp(join(tmpdir(), 'pantry-checkout-'))
  const server = await startPostgres({ dataDir, fsync: options.fsync, settings: { max_connections: 300 } })
  const stop = async () => {
    await server.stop()
    await rm(dataDir, { recursive: true, force: true })
  }
  try {
    const template = await createDatabase(server.url, { name: 'template_app' })
    const client = new pg.Client(template)
    await client.connect()
    try {
      await migrateAll(client, 'app')
    } finally {
      await client.end()
    }
    const urls: string[] = []
    for (let n = 0; n < options.count; n++)
      urls.push(await createDatabase(server.url, { name: `shop_${n}`, template: 'template_app' }))
    return { urls, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
