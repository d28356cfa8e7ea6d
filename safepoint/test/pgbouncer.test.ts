import pg from 'pg'
import { afterAll, expect, test } from 'vitest'
import { testDatabase } from './support/database.ts'
import { startPgBouncer } from './support/pgbouncer.ts'

const database = await testDatabase()
const bouncer = await startPgBouncer(database.url, { poolSize: 1 })
afterAll(() => bouncer?.stop())

test.skipIf(bouncer === undefined)('the pooler is one in transaction mode: two clients share one backend', async () => {
  const clients = [new pg.Client(bouncer!.url), new pg.Client(bouncer!.url)]
  await Promise.all(clients.map((client) => client.connect()))
  const pids = await Promise.all(clients.map((client) => client.query('select pg_backend_pid() as pid')))
  expect(pids[0]!.rows).toEqual(pids[1]!.rows)
  await Promise.all(clients.map((client) => client.end()))
})
