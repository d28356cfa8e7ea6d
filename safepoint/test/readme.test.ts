import fs from 'node:fs'
import pg from 'pg'
import { afterAll, expect, it } from 'vitest'
// The example of README.md, as it stands there but for where things are imported from, and for the URL.
// begin
import { z } from 'zod'
import { createSafepoint, defineOperation, migrate } from '../src/index.ts'
import { pgDatabase } from '../src/databases/pg.ts'

const reserve = defineOperation({
  name: 'seat.reserve',
  input: z.strictObject({ seat: z.string() }),
  async run(ctx, { seat }) {
    await ctx.tx.query('insert into reservation (seat, guest) values ($1::text, $2::text)', [seat, ctx.actor])
    return { seat }
  },
  undo: {
    record: ({ result }) => result,
    run: (ctx, { seat }) => ctx.tx.query('delete from reservation where seat = $1::text', [seat]),
  },
})
// end
import { testDatabase } from './support/database.ts'

const { url } = await testDatabase()
const DATABASE_URL = url
const client = new pg.Client(DATABASE_URL)
await client.connect()
await client.query('create table reservation (seat text primary key, guest text)')
// begin
await migrate(client)
// end
await client.end()
// begin

const database = pgDatabase({ driver: pg, url: DATABASE_URL })
const safepoint = createSafepoint({ database, operations: [reserve] })
await safepoint.start()

const guest = { scope: 'guest:7', actor: 'Ann' }
await safepoint.run(reserve, { seat: '12A' }, { ...guest, key: 'k1' }) // done, once, however often it is sent
// end
const answers = [
  await safepoint.cancel('guest:7', 'k1'),
  await safepoint.undo('guest:7', 'k1'),
  await safepoint.cancel('guest:7', 'k2'),
  await safepoint.run(reserve, { seat: '12B' }, { ...guest, key: 'k2' }),
]
afterAll(async () => {
  await safepoint.stop()
  await database.close()
})

const readme = fs.readFileSync(new URL('../README.md', import.meta.url), 'utf8')

it('the example of the README is code that is compiled and run', () => {
  const source = fs.readFileSync(import.meta.filename, 'utf8')
  const squeezed = (text: string) => text.replace(/\s+/g, ' ').trim()
  const parts = [...source.matchAll(/\/\/ begin\n([^]*?)\/\/ end\n/g)].map(([, text]) => squeezed(text!))
  expect(parts).toHaveLength(3)
  for (const part of parts) {
    const shown = part.replaceAll('../src/index.ts', 'safepoint').replaceAll('../src/databases/pg.ts', 'safepoint/pg')
    expect(squeezed(readme)).toContain(shown)
  }
})

it('what the README says that its example answers is what it answers', async () => {
  expect(answers.map(({ outcome }) => outcome)).toEqual(['too_late', 'succeeded', 'cancelled', 'cancelled'])
  expect((await database.query({ text: 'select from reservation', values: [] })).rows).toEqual([])
})

it('the README tells of every entry of the package, and has no link that leads nowhere outside the repository', () => {
  const manifest = JSON.parse(fs.readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  for (const entry of Object.keys(manifest.exports)) {
    if (entry !== './package.json') expect(readme).toContain(`\`safepoint${entry.slice(1)}\``)
  }
  for (const [, target] of readme.matchAll(/\]\(([^)]+)\)/g)) expect(target).toMatch(/^https:\/\//)
})
