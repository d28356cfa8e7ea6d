import { expect, it } from 'vitest'
import { defineOperation, refuse, transactionStep } from '../src/index.ts'
import { anything, testEngine } from './support/engine.ts'
import { until } from './support/until.ts'

const put = transactionStep<{ id: string }, { id: string }>({
  run: async (tx, { id }) => {
    await tx.query('insert into thing (id) values ($1::text)', [id])
    return { id }
  },
  undo: async (tx, { response }) => void (await tx.query('delete from thing where id = $1::text', [response.id])),
})

const runs: Array<(refusal: Error | undefined) => void> = []
const checkout = defineOperation({
  name: 'checkout.withdrawn',
  input: anything,
  keep: 'a test',
  errors: { sold_out: 'Nothing left.' },
  steps: { put },
  async run(ctx, { id }: { id: string }) {
    const refusal = await new Promise<Error | undefined>((resolve) => runs.push(resolve))
    if (refusal) throw refusal
    return ctx.steps.put({ id })
  },
})

const { safepoint, sql, another } = await testEngine([checkout])
const other = await another()
const soldOut = () => refuse('sold_out', 'Nothing left.')

/** At one process a run is under way, and at another the same request waits for it. */
async function runAtBoth(id: string) {
  runs.length = 0
  const options = { scope: 'me', key: id }
  const first = safepoint.run(checkout, { id }, options)
  await until(() => runs.length === 1)
  // Asked once for a moment, so that it surely waits already.
  expect(await other.run(checkout, { id }, { ...options, wait: 200 })).toMatchObject({ outcome: 'pending' })
  const duplicate = other.run(checkout, { id }, options)
  // Whoever leaves first is not unhandled.
  first.catch(() => {})
  duplicate.catch(() => {})
  return { first, duplicate, options }
}

it('a duplicate in another process runs what left nothing, rather than wait for ever for a row that is gone', async () => {
  const { first, duplicate } = await runAtBoth('taken-up')
  runs[0]!(soldOut())
  await expect(first).rejects.toMatchObject({ code: 'sold_out' })
  await until(() => runs.length === 2, { message: 'the duplicate to run' })
  runs[1]!(undefined)
  expect(await duplicate).toMatchObject({ outcome: 'succeeded', result: { id: 'taken-up' } })
  expect(await sql(`select state from safepoint.operation where key = 'taken-up'`)).toEqual([{ state: 'succeeded' }])
})

it('a duplicate in another process is refused as the first was, and the key is free at both', async () => {
  const { first, duplicate, options } = await runAtBoth('refused')
  runs[0]!(soldOut())
  await until(() => runs.length === 2, { message: 'the duplicate to run' })
  runs[1]!(soldOut())
  for (const one of [first, duplicate]) await expect(one).rejects.toMatchObject({ code: 'sold_out' })
  expect(await sql(`select from safepoint.operation where key = 'refused'`)).toEqual([])
  const again = other.run(checkout, { id: 'refused' }, options)
  await until(() => runs.length === 3, { message: 'the key to be free' })
  runs[2]!(undefined)
  expect(await again).toMatchObject({ outcome: 'succeeded', replayed: false })
})
