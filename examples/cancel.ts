// A cancel before, during and after an operation, and what it is told each time.
import pg from 'pg'
import { createSafepoint, defineOperation } from 'safepoint'
import { pgDatabase } from 'safepoint/pg'
import { z } from 'zod'
import { startExampleDatabase } from './example-database.ts'

const { url, stop } = await startExampleDatabase('create table reservation (seat text primary key, guest text)')

const reserve = defineOperation({
  name: 'seat.reserve',
  input: z.strictObject({ seat: z.string(), slowly: z.boolean().optional() }),
  undo: {
    record: ({ input }) => input,
    run: (ctx, { seat }: { seat: string }) => ctx.tx.query('delete from reservation where seat = $1::text', [seat]),
  },
  async run(ctx, { seat, slowly }) {
    await ctx.tx.query('insert into reservation (seat, guest) values ($1::text, $2::text)', [seat, ctx.actor])
    if (slowly) await ctx.tx.query('select pg_sleep(5)')
    return { seat }
  },
})

const database = pgDatabase({ driver: pg, url })
const safepoint = createSafepoint({ database, operations: [reserve] })
await safepoint.start()
const guest = { scope: 'guest:7', actor: 'guest:7' }

await safepoint.run(reserve, { seat: '12A' }, { ...guest, key: 'done' })
console.log('after:  ', await safepoint.cancel(guest.scope, 'done'))

const running = safepoint.run(reserve, { seat: '12B', slowly: true }, { ...guest, key: 'running' })
await new Promise((resolve) => setTimeout(resolve, 100))
console.log('during: ', await safepoint.cancel(guest.scope, 'running', { reason: 'changed my mind' }))
console.log('        ', (await running).outcome)

console.log('before: ', await safepoint.cancel(guest.scope, 'never arrived'))
console.log('        ', (await safepoint.run(reserve, { seat: '12C' }, { ...guest, key: 'never arrived' })).outcome)

console.log('undo:   ', (await safepoint.undo(guest.scope, 'done')).outcome)
const { rows } = await database.query({ text: 'select seat from reservation' })
if (rows.length > 0) throw new Error(`Reservations were left: ${JSON.stringify(rows)}`)

await safepoint.stop()
await database.close()
await stop()
