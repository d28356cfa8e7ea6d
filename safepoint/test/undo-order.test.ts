import { afterAll, beforeEach, expect, it } from 'vitest'
import { createSafepoint, defineOperation, outsideStep, transactionStep } from '../src/index.ts'
import { anything, testEngine } from './support/engine.ts'
import { startProvider } from './support/provider.ts'

const provider = await startProvider()
afterAll(() => provider.close())
beforeEach(() => void (provider.faults.length = 0))

const close = transactionStep<{ id: string }, null>({
  run: async (tx, { id }) => {
    await tx.query('insert into thing (id) values ($1::text)', [`${id}-closed`])
    return null
  },
  undo: async (tx, { request }) =>
    void (await tx.query('delete from thing where id = $1::text', [`${request.id}-closed`])),
})
/** Nobody can tell what became of it when its answer is lost. */
const giveBack = outsideStep<{ amount: number }, { chargeKey: string }>({
  timeout: 500,
  call: provider.charge,
  undo: provider.refund,
})

const sale = (undoOrder?: 'reverse' | 'ordered') =>
  defineOperation({
    name: `sale.${undoOrder ?? 'unsaid'}`,
    input: anything,
    undo: {
      record: ({ result }: { result: { id: string } }) => result,
      steps: { close, giveBack },
      ...(undoOrder && { undoOrder }),
      run: async (ctx: any, recorded: { id: string }) => {
        await ctx.steps.close({ id: recorded.id })
        await ctx.steps.giveBack({ amount: 5 })
        return { undone: recorded.id }
      },
    },
    run: async (_ctx, { id }: { id: string }) => ({ id }),
  })
const [unsaid, reverse, ordered] = [sale(), sale('reverse'), sale('ordered')]
const { safepoint, sql } = await testEngine([unsaid, reverse, ordered], { lease: 600, poll: 100 })

it.each([
  ['ordered', ordered, ['-closed']],
  ['reverse', reverse, []],
  ['unsaid, which is reverse', unsaid, []],
] as const)(
  'an undo whose order is %s, stuck at its second step, leaves of its first what its order says',
  async (name, operation, left) => {
    const answer = await safepoint.run(operation, { id: name }, { scope: 'a', key: name })
    if (answer.outcome !== 'succeeded') throw new Error(answer.outcome)
    provider.faults.push('accept, then drop')
    const before = provider.calls.length
    await expect(safepoint.undo('a', name)).rejects.toMatchObject({ code: 'in_progress', retryable: false })
    const undoKey = `~undo:${answer.operationId}`
    expect(await safepoint.find('a', undoKey)).toMatchObject({ state: 'needs_attention' })
    expect(await sql('select id from thing where id like $1', [`${name}-%`])).toEqual(
      left.map((end) => ({ id: `${name}${end}` })),
    )
    // A second undo is the first one, and makes no call.
    await expect(safepoint.undo('a', name)).rejects.toMatchObject({ code: 'in_progress' })
    expect(provider.calls.slice(before).map(({ path }) => path)).toEqual(['/charge'])
    expect(await safepoint.find('a', name)).toMatchObject({ state: 'succeeded' })
  },
)

it('I8: an ordered undo that stopped at a step nobody could undo stops there again after a crash, before the steps that came first', async () => {
  const { database } = safepoint
  let dying = true
  const engine = createSafepoint({
    database: {
      ...database,
      async query(statement, options) {
        // It dies between two statements: the step waits for a human, the operation does not yet.
        if (statement.name === 'sp_ask_human' && dying) {
          dying = false
          throw new Error('Connection terminated unexpectedly')
        }
        return database.query<any>(statement, options)
      },
    },
    operations: [unsaid, reverse, ordered],
    bus: safepoint.bus,
    poll: 50,
    recover: false,
  })
  await engine.run(ordered, { id: 'crashed' }, { scope: 'a', key: 'crashed' })
  provider.faults.push('accept, then drop')
  await expect(engine.undo('a', 'crashed')).rejects.toMatchObject({ code: 'in_progress', retryable: false })
  expect(dying).toBe(false)
  expect(await sql(`select id from thing where id like 'crashed-%'`)).toEqual([{ id: 'crashed-closed' }])
})
