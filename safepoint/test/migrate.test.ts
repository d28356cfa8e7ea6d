import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import pg from 'pg'
import { afterAll, expect, test } from 'vitest'
import { listPendingMigrations, migrate } from '../src/migrate.ts'
import { testDatabase } from './support/database.ts'

const database = await testDatabase({ template: 'empty' })
const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'migrate-'))
const clients: pg.Client[] = []

afterAll(async () => {
  await Promise.all(clients.map((client) => client.end()))
  await fs.rm(folder, { recursive: true })
})

async function connect(): Promise<pg.Client> {
  const client = new pg.Client(database.url)
  clients.push(client)
  await client.connect()
  return client
}

/** A set of its own for each test: the ledger tells sets apart. */
async function makeSet(name: string, files: Record<string, string>) {
  const directory = path.join(folder, name)
  await fs.mkdir(directory, { recursive: true })
  for (const [file, text] of Object.entries(files)) await fs.writeFile(path.join(directory, file), text)
  return { name, directory }
}

test('eight runners at once run each file once, in order', async () => {
  const set = await makeSet('concurrent', {
    '0001_table.sql': 'create table concurrent (n integer); insert into concurrent values (1); select pg_sleep(0.05);',
    '0002_row.sql': 'insert into concurrent select max(n) + 1 from concurrent;',
  })
  const runners = await Promise.all(Array.from({ length: 8 }, connect))
  const ran = await Promise.all(runners.map((client) => migrate(client, set)))
  expect(ran.flat().sort()).toEqual(['0001_table.sql', '0002_row.sql'])
  const { rows } = await runners[0]!.query('select n from concurrent order by n')
  expect(rows).toEqual([{ n: 1 }, { n: 2 }])
  expect(await migrate(runners[0]!, set)).toEqual([])
})

test('a file that was edited after it ran is refused, whatever its line ends are not', async () => {
  const client = await connect()
  const set = await makeSet('edited', { '0001_a.sql': 'create table edited ();\n' })
  await migrate(client, set)
  await makeSet('edited', { '0001_a.sql': 'create table edited ();\r\n' })
  expect(await migrate(client, set)).toEqual([])
  await makeSet('edited', {
    '0001_a.sql': 'create table edited (n integer);\n',
    '0002_b.sql': 'create table never ();',
  })
  await expect(migrate(client, set)).rejects.toMatchObject({
    code: 'migration_changed',
    message: expect.stringContaining('0001_a.sql'),
  })
  expect((await client.query(`select to_regclass('never') as never`)).rows).toEqual([{ never: null }])
})

test('a database that is newer than the code is refused', async () => {
  const client = await connect()
  await migrate(client, await makeSet('newer', { '0001_a.sql': 'select 1;', '0002_b.sql': 'select 1;' }))
  await fs.rm(path.join(folder, 'newer', '0002_b.sql'))
  await expect(migrate(client, { name: 'newer', directory: path.join(folder, 'newer') })).rejects.toMatchObject({
    code: 'schema_newer',
  })
})

test('a file that fails takes effect not at all, and the connection stays usable', async () => {
  const client = await connect()
  const set = await makeSet('failing', { '0001_a.sql': 'create table half (); select 1 / 0;' })
  await expect(migrate(client, set)).rejects.toMatchObject({ code: 'migration_failed', cause: { code: '22012' } })
  expect((await client.query(`select to_regclass('half') as half`)).rows).toEqual([{ half: null }])
  expect(await listPendingMigrations(client, set)).toEqual(['0001_a.sql'])
})

test('a gap or a double in the numbers is refused before anything runs', async () => {
  const client = await connect()
  await expect(migrate(client, await makeSet('gap', { '0001_a.sql': '', '0003_c.sql': '' }))).rejects.toMatchObject({
    code: 'migration_invalid',
  })
  await expect(migrate(client, await makeSet('double', { '0001_a.sql': '', '0001_b.sql': '' }))).rejects.toMatchObject({
    code: 'migration_invalid',
  })
})

test('a role that may only read finds nothing to do where nothing is pending', async () => {
  const owner = await connect()
  const set = await makeSet('reader', { '0001_a.sql': 'select 1;' })
  await migrate(owner, set)
  await owner.query(
    'create role reader; grant usage on schema safepoint to reader; grant select on safepoint.migration to reader',
  )
  await owner.query('set role reader')
  expect(await migrate(owner, set)).toEqual([])
  await owner.query('reset role; drop owned by reader; drop role reader')
})

test(`the engine's own migrations apply`, async () => {
  const client = await connect()
  expect(await migrate(client)).toContain('0001_operation.sql')
  expect(await listPendingMigrations(client)).toEqual([])
})
