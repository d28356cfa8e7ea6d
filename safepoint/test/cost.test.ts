import * as kysely from 'kysely'
import { Kysely } from 'kysely'
import pg from 'pg'
import { afterAll, describe, expect, it } from 'vitest'
import { createSafepoint, operationsOn, type Database } from '../src/index.ts'
import { kyselyDatabase } from '../src/databases/kysely.ts'
import { pgDatabase } from '../src/databases/pg.ts'
import { testDatabase } from './support/database.ts'
import { anything } from './support/engine.ts'
import { startWireCount } from './support/wire-count.ts'

const { url } = await testDatabase()
const wire = await startWireCount(url)
// One connection, so that the first run of each kind warms the one that is measured.
const bare = new pg.Client({ connectionString: wire.url, pipeline: true })
await bare.connect()
await bare.query('create table thing (id text primary key, amount integer not null default 0)')
await bare.query('create table line (thing_id text not null references thing (id))')
afterAll(async () => {
  await bare.end()
  await wire.close()
})
const insert = 'insert into thing (id) values ($1::text)'
const addLine = 'insert into line (thing_id) values ($1::text)'
let n = 0
const unique = () => `k${++n}`

/** What the last of three runs sent: the first ones connect and prepare. */
async function sentBy(work: () => Promise<unknown>) {
  for (let run = 0; run < 3; run++) {
    wire.take()
    await work()
  }
  return wire.take()
}

const bareCost = await sentBy(async () => {
  const id = unique()
  await Promise.all([bare.query('begin'), bare.query({ name: 'insert', text: insert, values: [id] })])
  await bare.query({ name: 'add_line', text: addLine, values: [id] })
  await bare.query('commit')
})

async function costOf<Tx>(database: Database<Tx>, twoStatements: (tx: Tx, id: string) => Promise<unknown>) {
  const operation = operationsOn<Tx>().defineOperation({
    name: 'thing.add',
    input: anything,
    keep: 'a test',
    run: async (ctx, input: { id: string }) => {
      await twoStatements(ctx.tx, input.id)
      return { id: input.id }
    },
  })
  // Not started: its polls and its LISTEN are not part of an operation.
  const safepoint = createSafepoint({ database, operations: [operation], poll: 60_000 })
  try {
    return await sentBy(async () => {
      const id = unique()
      const answer = await safepoint.run(operation, { id }, { scope: 'a', key: id })
      expect(answer).toMatchObject({ outcome: 'succeeded', replayed: false })
    })
  } finally {
    await safepoint.stop({ grace: 0 })
    await database.close!()
  }
}

describe('on the wire, a protected operation of two statements', () => {
  it('is measured against begin, two statements and commit in three flights', () => {
    expect(bareCost).toMatchObject({ statements: 4, flights: 3 })
  })

  it('costs one statement more and no flight more', async () => {
    const cost = await costOf(pgDatabase({ driver: pg, url: wire.url, max: 1 }), async (tx, id) => {
      await tx.query({ name: 'insert', text: insert, values: [id] })
      await tx.query({ name: 'add_line', text: addLine, values: [id] })
    })
    expect(cost).toMatchObject({ statements: bareCost.statements + 1, flights: bareCost.flights })
    // Warm, each flight asks for one answer.
    expect(cost.syncs).toBe(cost.flights)
  })

  it('costs the same through Kysely', async () => {
    const database = kyselyDatabase({
      database: pgDatabase({ driver: pg, url: wire.url, max: 1 }),
      kysely,
      create: (dialect) => new Kysely<{ thing: { id: string }; line: { thing_id: string } }>({ dialect }),
    })
    const cost = await costOf(database, async (tx, id) => {
      await tx.insertInto('thing').values({ id }).execute()
      await tx.insertInto('line').values({ thing_id: id }).execute()
    })
    expect(cost).toMatchObject({ statements: bareCost.statements + 1, flights: bareCost.flights })
  })

  it('costs two statements more and no flight more where the settings travel with it', async () => {
    const cost = await costOf(pgDatabase({ driver: pg, url: wire.url, max: 1, prepared: false }), async (tx, id) => {
      await tx.query(insert, [id])
      await tx.query(addLine, [id])
    })
    expect(cost).toMatchObject({ statements: bareCost.statements + 2, flights: bareCost.flights })
  })
})
