import * as kysely from 'kysely'
import { Kysely, sql as raw, type Generated } from 'kysely'
import pg from 'pg'
import { afterAll, describe, expect, expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import { createSafepoint, operationsOn, type Answer } from '../src/index.ts'
import { kyselyDatabase } from '../src/databases/kysely.ts'
import { pgDatabase } from '../src/databases/pg.ts'
import { testDatabase } from './support/database.ts'
import { until } from './support/until.ts'

interface Tables {
  thing: { id: string; owner_name: Generated<string>; amount: Generated<number> }
}

const { url } = await testDatabase()
const outside = new pg.Pool({ connectionString: url, max: 2 })
await outside.query(
  `create table thing (id text primary key, owner_name text not null default '', amount integer not null default 0)`,
)
const database = kyselyDatabase({
  database: pgDatabase({ driver: pg, url, max: 4 }),
  kysely,
  create: (dialect) => new Kysely<Tables>({ dialect }),
})
const { defineOperation, transactionStep } = operationsOn<Kysely<Tables>>()

const add = defineOperation({
  name: 'thing.add',
  input: z.object({ id: z.string(), amount: z.number().int() }),
  undo: {
    record: ({ input }) => input.id,
    run: async (ctx, id: string) => {
      const { numDeletedRows } = await ctx.tx.deleteFrom('thing').where('id', '=', id).executeTakeFirst()
      return { removed: Number(numDeletedRows) }
    },
  },
  async run(ctx, input) {
    await ctx.tx.insertInto('thing').values(input).execute()
    return ctx.tx.selectFrom('thing').selectAll().where('id', '=', input.id).executeTakeFirstOrThrow()
  },
})
const move = defineOperation({
  name: 'thing.move',
  input: z.object({ id: z.string() }),
  keep: 'a test',
  steps: {
    put: transactionStep<{ id: string }, { id: string }>({
      run: (tx, { id }) => tx.insertInto('thing').values({ id }).returning('id').executeTakeFirstOrThrow(),
      undo: async (tx, { request }) => void (await tx.deleteFrom('thing').where('id', '=', request.id).execute()),
    }),
  },
  async run(ctx, input) {
    await ctx.steps.put(input)
    return ctx.finish(async (tx) => {
      const { numUpdatedRows } = await tx
        .updateTable('thing')
        .set({ amount: 5 })
        .where('id', '=', input.id)
        .executeTakeFirst()
      return { moved: Number(numUpdatedRows) }
    })
  },
})
let outlived: Kysely<Tables> | undefined
type How = (tx: Kysely<Tables>, id: string) => Promise<unknown>
const ways: Record<string, How> = {}
const act = defineOperation({
  name: 'thing.act',
  input: z.object({ id: z.string(), how: z.string() }),
  keep: 'a test',
  async run(ctx, { id, how }) {
    outlived = ctx.tx
    await ctx.tx.insertInto('thing').values({ id }).execute()
    await ways[how]!(ctx.tx, id)
    return { id }
  },
})

const safepoint = createSafepoint({ database, operations: [add, move, act], poll: 100 })
await safepoint.start()
afterAll(async () => {
  await safepoint.stop({ grace: 1000 })
  await database.close!()
  await outside.end()
})
const count = async (id: string) => (await outside.query('select 1 from thing where id = $1', [id])).rowCount
let n = 0
const unique = () => `k${++n}`

describe('a handler on Kysely', () => {
  it('I1: commits with the gate, once, and is typed from table to answer', async () => {
    const key = unique()
    const answer = await safepoint.run(add, { id: key, amount: 3 }, { scope: 'a', key })
    expectTypeOf(answer).toEqualTypeOf<Answer<{ id: string; owner_name: string; amount: number }>>()
    expect(answer).toMatchObject({
      outcome: 'succeeded',
      replayed: false,
      result: { id: key, owner_name: '', amount: 3 },
    })
    expect(await safepoint.run(add, { id: key, amount: 3 }, { scope: 'a', key })).toMatchObject({ replayed: true })
    expect(await count(key)).toBe(1)
    expect(await safepoint.undo('a', key)).toMatchObject({ result: { removed: 1 } })
    expect(await count(key)).toBe(0)
    // @ts-expect-error: the input is the schema's
    await expect(safepoint.run(add, { id: 5 }, { scope: 'a' })).rejects.toMatchObject({ code: 'input_invalid' })
  })

  it('I2: told cancelled, nothing is committed: the running statement is stopped and the gate is never sent', async () => {
    ways.sleep = async (tx) => void (await raw`select pg_sleep(10)`.execute(tx))
    const key = unique()
    const running = safepoint.run(act, { id: key, how: 'sleep' }, { scope: 'a', key })
    await until(
      async () =>
        (
          await outside.query(
            `select 1 from pg_stat_activity where datname = current_database() and state = 'active' and query = 'select pg_sleep(10)'`,
          )
        ).rowCount,
    )
    const started = performance.now()
    expect(await safepoint.cancel('a', key)).toMatchObject({ outcome: 'cancelled' })
    expect(await running).toMatchObject({ outcome: 'cancelled' })
    expect(performance.now() - started).toBeLessThan(2000)
    expect(await count(key)).toBe(0)
  })

  it('I2: loses at the gate to a tombstone', async () => {
    ways.cancelItself = async (_tx, id) => safepoint.cancel('a', id)
    const key = unique()
    expect(await safepoint.run(act, { id: key, how: 'cancelItself' }, { scope: 'a', key })).toMatchObject({
      outcome: 'cancelled',
    })
    expect(await count(key)).toBe(0)
  })

  it('runs steps and the last transaction of a durable operation', async () => {
    const key = unique()
    const answer = await safepoint.run(move, { id: key }, { scope: 'a', key })
    expect(answer).toMatchObject({ outcome: 'succeeded', result: { moved: 1 } })
    expect((await outside.query('select amount from thing where id = $1', [key])).rows).toEqual([{ amount: 5 }])
  })

  it('cannot have a transaction of its own, stream, or send two statements in one', async () => {
    const refused: Record<string, [How, RegExp]> = {
      transaction: [(tx) => tx.transaction().execute(async () => 0), /its transaction is the engine's/],
      startTransaction: [(tx) => tx.startTransaction().execute(), /its transaction is the engine's/],
      commit: [(tx) => raw`commit`.execute(tx), /its transaction is the engine's/],
      stream: [
        async (tx) => {
          for await (const row of tx.selectFrom('thing').selectAll().stream()) void row
        },
        /cannot stream/,
      ],
      several: [(tx) => raw`select 1; commit`.execute(tx), /multiple commands/],
    }
    for (const [how, [way, message]] of Object.entries(refused)) {
      ways[how] = way
      const key = unique()
      await expect(safepoint.run(act, { id: key, how }, { scope: 'a', key }), how).rejects.toThrow(message)
      expect(await count(key), how).toBe(0)
    }
  })

  it('cannot return before its statements are answered, as a first statement or a later one', async () => {
    ways.notAwaited = async (tx, id) =>
      void tx
        .insertInto('thing')
        .values({ id: `${id}-late` })
        .execute()
        .catch(() => undefined)
    const key = unique()
    await expect(safepoint.run(act, { id: key, how: 'notAwaited' }, { scope: 'a', key })).rejects.toThrow('await each')
    expect([await count(key), await count(`${key}-late`)]).toEqual([0, 0])
    const end = await database.transaction({}, (tx) => ways.notAwaited!(tx, key))
    expect(end).toMatchObject({ end: 'rolled back', error: { message: expect.stringContaining('await each') } })
    expect(await count(`${key}-late`)).toBe(0)
  })

  it('holds no transaction after it has returned', async () => {
    ways.nothing = async () => undefined
    const key = unique()
    await safepoint.run(act, { id: key, how: 'nothing' }, { scope: 'a', key })
    const late = outlived!
      .insertInto('thing')
      .values({ id: `${key}-late` })
      .execute()
    await expect(late).rejects.toThrow('The transaction is over')
    expect(await count(`${key}-late`)).toBe(0)
  })

  it('sees plain SQL of the same transaction through the adapter, and only of a transaction that is its own', async () => {
    const id = unique()
    ways.plain = async (tx) => {
      const { rows } = await database.sql(tx).query<{ id: string }>('select id from thing where id = $1::text', [id])
      if (rows[0]?.id !== id) throw new Error('the insert is not seen')
    }
    expect(await safepoint.run(act, { id, how: 'plain' }, { scope: 'a', key: id })).toMatchObject({
      outcome: 'succeeded',
    })
    ways.foreign = async (tx) => database.sql(tx.withSchema('elsewhere'))
    await expect(safepoint.run(act, { id: unique(), how: 'foreign' }, { scope: 'a' })).rejects.toThrow(TypeError)
  })

  it('takes plugins, and a reserved connection is the same transaction', async () => {
    const camel = kyselyDatabase({
      database: pgDatabase({ driver: pg, url, max: 1 }),
      kysely,
      create: (dialect) =>
        new Kysely<{ thing: { id: string; ownerName: string } }>({ dialect, plugins: [new kysely.CamelCasePlugin()] }),
    })
    const id = unique()
    const end = await camel.transaction({}, async (tx) => {
      await tx.insertInto('thing').values({ id, ownerName: 'Ada' }).execute()
      return tx
        .connection()
        .execute((one) => one.selectFrom('thing').select('ownerName').where('id', '=', id).execute())
    })
    await camel.close!()
    expect(end).toMatchObject({ end: 'committed', value: [{ ownerName: 'Ada' }] })
    expect((await outside.query('select owner_name from thing where id = $1', [id])).rows).toEqual([
      { owner_name: 'Ada' },
    ])
  })
})
