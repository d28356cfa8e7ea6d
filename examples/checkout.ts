// A charge as a step: cancelled while the provider is at work, it is refunded before "cancelled" is told.
import pg from 'pg'
import { createSafepoint, defineOperation, outsideStep, transactionStep } from 'safepoint'
import { pgDatabase } from 'safepoint/pg'
import { z } from 'zod'
import { startExampleDatabase } from './example-database.ts'

const { url, stop } = await startExampleDatabase(`
  create table stock (id text primary key, available integer not null check (available >= 0));
  insert into stock values ('last one', 1);
  create table sale (id text primary key, charge text not null)`)

/** What a provider with idempotency keys keeps: a charge a key. Over HTTP in earnest; here its book is enough. */
const book = new Map<string, { amount: number; refunded: boolean }>()
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

const reserve = transactionStep<{ item: string }, { item: string }>({
  run: async (tx, { item }) => {
    await tx.query('update stock set available = available - 1 where id = $1::text', [item])
    return { item }
  },
  undo: async (tx, { response }) =>
    void (await tx.query('update stock set available = available + 1 where id = $1::text', [response.item])),
})
const charge = outsideStep<{ amount: number }, { charge: string }>({
  timeout: 5000,
  call: async ({ amount }, { key }) => {
    if (!book.has(key)) book.set(key, { amount, refunded: false })
    await pause(200)
    return { charge: key }
  },
  settle: { find: async (_request, { key }) => (book.has(key) ? { charge: key } : undefined) },
  undo: async ({ response }) => void (book.get(response.charge)!.refunded = true),
})

const buy = defineOperation({
  name: 'item.buy',
  input: z.strictObject({ item: z.string(), amount: z.int() }),
  keep: 'goods are returned in person',
  steps: { reserve, charge },
  async run(ctx, { item, amount }) {
    await ctx.steps.reserve({ item })
    const paid = await ctx.steps.charge({ amount })
    return ctx.finish(async (tx) => {
      await tx.query('insert into sale (id, charge) values ($1::text, $2::text)', [ctx.operationId, paid.charge])
      return { item, charge: paid.charge }
    })
  },
})

const database = pgDatabase({ driver: pg, url })
const safepoint = createSafepoint({ database, operations: [buy] })
await safepoint.start()

const buying = safepoint.run(buy, { item: 'last one', amount: 500 }, { scope: 'buyer:1', key: 'k1' })
while (book.size === 0) await pause(5)
console.log('cancel: ', await safepoint.cancel('buyer:1', 'k1', { reason: 'changed my mind' }))
console.log('buying: ', (await buying).outcome)
console.log('book:   ', [...book.values()])

const second = await safepoint.run(buy, { item: 'last one', amount: 500 }, { scope: 'buyer:2', key: 'k2' })
console.log('second: ', second.outcome, '- the last one was put back')

const standing = [...book.values()].filter(({ refunded }) => !refunded).length
if (standing !== 1 || second.outcome !== 'succeeded') throw new Error('The example told an untruth.')
await safepoint.stop()
await database.close()
await stop()
