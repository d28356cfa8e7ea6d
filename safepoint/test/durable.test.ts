import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { conflict, defineOperation, outsideStep, transactionStep } from '../src/index.ts'
import { moves } from '../src/states.ts'
import { anything, testEngine } from './support/engine.ts'
import { startProvider } from './support/provider.ts'
import { until } from './support/until.ts'

const provider = await startProvider()
afterAll(() => provider.close())

const put = transactionStep<{ id: string }, { id: string }>({
  run: async (tx, { id }) => {
    await tx.query('insert into thing (id) values ($1::text)', [id])
    return { id }
  },
  undo: async (tx, { response }) => void (await tx.query('delete from thing where id = $1::text', [response.id])),
})
const paying = { timeout: 500, call: provider.charge, undo: provider.refund }
const charge = outsideStep<{ amount: number }, { chargeKey: string }>({ ...paying, settle: { find: provider.find } })
const repeatable = outsideStep<{ amount: number }, { chargeKey: string }>({
  ...paying,
  settle: { repeat: { window: 60_000 } },
})
const stalling = outsideStep<{ amount: number }, { chargeKey: string }>({
  ...paying,
  timeout: 10_000,
  settle: { repeat: { window: 60_000 } },
})
const opaque = outsideStep<{ amount: number }, { chargeKey: string }>({
  timeout: 500,
  call: provider.charge,
  undo: provider.refund,
})

interface Checkout {
  id: string
  amount: number
  fail?: 'after charge' | 'throw' | 'finish'
}
const handler = async (ctx: any, input: Checkout) => {
  await ctx.steps.put({ id: `${input.id}-reserved` })
  const { chargeKey } = await ctx.steps.charge({ amount: input.amount })
  if (input.fail === 'after charge') return ctx.fail('sold_out', 'Nothing left.')
  if (input.fail === 'throw') throw new Error('a bug')
  return ctx.finish(async (tx: any) => {
    if (input.fail === 'finish') return ctx.fail('sold_out', 'Nothing left.')
    await tx.query('insert into thing (id, amount) values ($1::text, $2::integer)', [`${input.id}-order`, input.amount])
    return { order: `${input.id}-order`, chargeKey }
  })
}
const checkout = defineOperation({
  name: 'checkout.find',
  input: anything,
  keep: 'a test',
  steps: { put, charge },
  run: handler,
})
const repeating = defineOperation({
  name: 'checkout.repeat',
  input: anything,
  keep: 'a test',
  steps: { put, charge: repeatable },
  run: handler,
})
const stalled = defineOperation({
  name: 'checkout.stalled',
  input: anything,
  keep: 'a test',
  steps: { put, charge: stalling },
  run: handler,
})
const busy = defineOperation({
  name: 'checkout.busy',
  input: anything,
  keep: 'a test',
  steps: { put },
  run: async (): Promise<object> => {
    throw conflict('a payment is under way')
  },
})
const blind = defineOperation({
  name: 'checkout.blind',
  input: anything,
  keep: 'a test',
  steps: { put, charge: opaque },
  run: handler,
})
const leaver = defineOperation({
  name: 'checkout.leaver',
  input: anything,
  keep: 'a test',
  onDisconnect: 'cancel-until-first-step',
  steps: { put, charge },
  run: async (ctx, input: Checkout & { waitFor?: Promise<unknown> }) => {
    await gate
    return handler(ctx, input)
  },
})
let gate: Promise<void> = Promise.resolve()
const hurried = defineOperation({
  name: 'checkout.hurried',
  input: anything,
  keep: 'a test',
  deadline: 150,
  steps: { put, charge },
  run: handler,
})
const refundable = defineOperation({
  name: 'checkout.refundable',
  input: anything,
  undo: {
    record: ({ result }: { result: any }) => result,
    steps: {
      refund: outsideStep<{ chargeKey: string }, object>({
        timeout: 500,
        call: (request, context) => provider.refund({ response: request }, context).then(() => ({})),
        keep: 'money sent back stays',
      }),
    },
    run: async (ctx: any, recorded: any) => {
      await ctx.steps.refund({ chargeKey: recorded.chargeKey })
      return ctx.finish(async (tx: any) => {
        await tx.query('delete from thing where id = $1::text', [recorded.order])
        return { refunded: recorded.chargeKey }
      })
    },
  },
  steps: { put, charge },
  run: handler,
})
const sweepable = defineOperation({
  name: 'upload.parts',
  input: anything,
  keep: 'a test',
  steps: {
    part: outsideStep<{ amount: number }, { chargeKey: string }>({
      timeout: 500,
      call: provider.charge,
      cleanup: provider.refund,
    }),
  },
  run: async (ctx, input: Checkout) => {
    await ctx.steps.part({ amount: input.amount })
    await gate
    ctx.safepoint()
    return ctx.finish(async () => ({ done: true }))
  },
})

const { safepoint, sql, another } = await testEngine(
  [checkout, repeating, stalled, busy, blind, leaver, hurried, refundable, sweepable],
  {
    lease: 600,
    // As long as a busy machine needs: what is tested is that the acknowledgement comes.
    stopWait: 3000,
    poll: 100,
    ...(process.env.LOG && { log: { info: () => {}, warn: console.warn, error: console.error } }),
  },
)
const rowsOf = async (id: string) =>
  (await sql<{ id: string }>('select id from thing where id like $1 order by id', [`${id}-%`])).map((row) => row.id)
const stateOf = async (key: string) =>
  (await sql('select state from safepoint.operation where key = $1', [key]))[0]?.state
let n = 0
const unique = () => `d${++n}`

/** I9: one audit row for each state change, gap-free, along the declared moves (I10). */
async function expectAudit(key: string, path: string[]) {
  const rows = await sql('select seq, from_state, to_state from safepoint.audit where key = $1 order by seq', [key])
  expect(rows.map(({ seq }) => seq)).toEqual(rows.map((_, index) => index + 1))
  expect(rows.map(({ to_state }) => to_state)).toEqual(path)
  for (const { from_state, to_state } of rows)
    if (from_state) expect(moves[from_state as keyof typeof moves]).toContain(to_state)
}

beforeEach(() => {
  provider.faults.length = 0
  gate = Promise.resolve()
})

describe('a durable operation', () => {
  it('I1, I9: runs its steps once, ends with its last transaction, and is replayed', async () => {
    const key = unique()
    const before = provider.calls.length
    const first = await safepoint.run(checkout, { id: key, amount: 5 }, { scope: 'a', key })
    expect(first).toMatchObject({ outcome: 'succeeded', replayed: false, result: { order: `${key}-order` } })
    expect(await rowsOf(key)).toEqual([`${key}-order`, `${key}-reserved`])
    const again = await safepoint.run(checkout, { id: key, amount: 5 }, { scope: 'a', key })
    expect(again).toMatchObject({ outcome: 'succeeded', replayed: true, operationId: first.operationId })
    expect(provider.calls.length - before).toBe(1)
    await expect(safepoint.run(checkout, { id: key, amount: 6 }, { scope: 'a', key })).rejects.toMatchObject({
      code: 'key_reused',
    })
    await expectAudit(key, ['running', 'succeeded'])
  })

  it('I8: a refusal after two steps undoes both in reverse order and ends failed', async () => {
    for (const fail of ['after charge', 'finish'] as const) {
      const key = unique()
      const answer = await safepoint.run(checkout, { id: key, amount: 5, fail }, { scope: 'a', key })
      expect(answer).toMatchObject({ outcome: 'failed', error: { code: 'sold_out' } })
      expect(await rowsOf(key)).toEqual([])
      expect(provider.charged()).toBe([...provider.book.values()].filter(({ refunded }) => !refunded).length)
      const steps = await sql('select name, state, settled_at from safepoint.step where key = $1 order by settled_at', [
        key,
      ])
      expect(steps.map(({ name, state }) => `${name} ${state}`)).toEqual(['charge undone', 'put undone'])
      await expectAudit(key, ['running', 'undoing', 'failed'])
    }
    const key = unique()
    expect(await safepoint.run(checkout, { id: key, amount: 5, fail: 'throw' }, { scope: 'a', key })).toMatchObject({
      outcome: 'failed',
      error: { code: 'internal' },
    })
    expect(await rowsOf(key)).toEqual([])
  })

  it('a declined charge had no effect and is not undone', async () => {
    const key = unique()
    provider.faults.push('decline')
    const refunds = provider.calls.filter(({ path }) => path === '/refund').length
    expect(await safepoint.run(checkout, { id: key, amount: 5 }, { scope: 'a', key })).toMatchObject({
      outcome: 'failed',
      error: { code: 'card_declined' },
    })
    expect(provider.calls.filter(({ path }) => path === '/refund').length).toBe(refunds)
    expect(await rowsOf(key)).toEqual([])
  })

  it('I1: a charge whose answer was lost is found, repeated under its key, or undone, never charged twice', async () => {
    const before = provider.charged()
    const found = unique()
    provider.faults.push('accept, then drop')
    expect(await safepoint.run(checkout, { id: found, amount: 5 }, { scope: 'a', key: found })).toMatchObject({
      outcome: 'succeeded',
    })
    const absent = unique()
    provider.faults.push('drop before')
    expect(await safepoint.run(checkout, { id: absent, amount: 5 }, { scope: 'a', key: absent })).toMatchObject({
      outcome: 'succeeded',
    })
    const repeated = unique()
    provider.faults.push('accept, then drop', 'accept, then drop')
    expect(await safepoint.run(repeating, { id: repeated, amount: 5 }, { scope: 'a', key: repeated })).toMatchObject({
      outcome: 'succeeded',
    })
    expect(provider.charged() - before).toBe(3)
  })

  it("a charge nobody can tell about becomes a human's, and the human can end it", async () => {
    const key = unique()
    provider.faults.push('accept, then drop')
    await expect(safepoint.run(blind, { id: key, amount: 5 }, { scope: 'a', key })).rejects.toMatchObject({
      code: 'in_progress',
      retryable: false,
    })
    expect(await safepoint.find('a', key)).toMatchObject({ state: 'needs_attention' })
    expect(await safepoint.cancel('a', key)).toMatchObject({ outcome: 'needs_attention', step: 'charge' })
    expect(await rowsOf(key)).toEqual([])
    await safepoint.resolve('a', key, 'retry', { actor: 'op', reason: 'the provider is back' })
    await until(async () => (await stateOf(key)) === 'needs_attention')
    expect(await safepoint.resolve('a', key, 'failed', { actor: 'op', reason: 'refunded by hand' })).toMatchObject({
      state: 'failed',
    })
    await expect(safepoint.resolve('a', key, 'cancelled', { actor: 'op', reason: 'no' })).rejects.toMatchObject({
      code: 'conflict',
    })
  })

  it('I8: an undo that fails is tried again under the same key, past the point where it was lost', async () => {
    const key = unique()
    provider.failUndos(3)
    expect(
      await safepoint.run(checkout, { id: key, amount: 5, fail: 'after charge' }, { scope: 'a', key }),
    ).toMatchObject({ outcome: 'failed' })
    const undos = provider.calls.filter(({ path, key: used }) => path === '/refund' && used.endsWith('-charge-0-undo'))
    expect(new Set(undos.slice(-4).map(({ key: used }) => used)).size).toBe(1)
  })

  it('answers pending after its wait, and in_progress to whoever comes later, until it is terminal', async () => {
    const key = unique()
    let release = () => {}
    provider.faults.push({ hold: new Promise<void>((resolve) => (release = resolve)) })
    const answer = await safepoint.run(checkout, { id: key, amount: 5 }, { scope: 'a', key, wait: 50 })
    expect(answer).toMatchObject({ outcome: 'pending', state: 'running' })
    await expect(safepoint.run(checkout, { id: key, amount: 5 }, { scope: 'a', key, wait: 20 })).rejects.toMatchObject({
      code: 'in_progress',
      retryable: true,
    })
    const seen: string[] = []
    const watching = (async () => {
      for await (const view of safepoint.watch('a', key)) seen.push(view.state)
    })()
    await until(() => seen.includes('running'))
    release()
    await watching
    expect(seen.at(-1)).toBe('succeeded')
  })

  it('I6: past its deadline it is undone, for that reason', async () => {
    const key = unique()
    const held = new Promise<void>(() => {})
    provider.faults.push({ hold: held })
    const answer = await safepoint.run(hurried, { id: key, amount: 5 }, { scope: 'a', key })
    expect(answer).toMatchObject({ outcome: 'cancelled', reason: 'deadline' })
    expect(await rowsOf(key)).toEqual([])
    expect(await stateOf(key)).toBe('cancelled')
  })

  it('its undo is durable too, happens once, and marks what it undid', async () => {
    const key = unique()
    const before = provider.charged()
    await safepoint.run(refundable, { id: key, amount: 5 }, { scope: 'a', key })
    expect(provider.charged() - before).toBe(1)
    expect(await safepoint.undo('a', key)).toMatchObject({ outcome: 'succeeded' })
    expect(await safepoint.undo('a', key)).toMatchObject({ outcome: 'succeeded', replayed: true })
    expect(provider.charged() - before).toBe(0)
    expect(await safepoint.find('a', key)).toMatchObject({
      state: 'succeeded',
      undone: { key: expect.stringMatching(/^~undo:/) },
    })
  })
})

describe('a cancel of a durable operation', () => {
  it('I2, I11: during the charge is undoing, acknowledged, and then cancelled; no charge remains and none starts', async () => {
    const before = provider.charged()
    const other = await another()
    for (const canceller of [safepoint, other]) {
      const key = unique()
      let release = () => {}
      provider.faults.push({ hold: new Promise<void>((resolve) => (release = resolve)) })
      const running = safepoint.run(checkout, { id: key, amount: 5 }, { scope: 'a', key })
      await until(
        () =>
          provider.calls.some(({ path, key: used }) => path === '/charge' && provider.book.has(used)) &&
          provider.faults.length === 0,
      )
      await until(
        async () => (await sql(`select 1 from safepoint.step where key = $1 and name = 'charge'`, [key])).length > 0,
      )
      const answer = await canceller.cancel('a', key, { reason: 'changed my mind' })
      const toldAt = performance.now()
      expect(answer).toMatchObject({ outcome: 'undoing', target: 'cancelled', stopped: true, progress: { total: 2 } })
      release()
      expect(await running).toMatchObject({ outcome: 'cancelled', reason: 'changed my mind' })
      expect(provider.calls.filter(({ path, at }) => path === '/charge' && at > toldAt)).toEqual([])
      expect(await rowsOf(key)).toEqual([])
      expect(await canceller.cancel('a', key)).toMatchObject({ outcome: 'cancelled', repeat: true })
      await expectAudit(key, ['running', 'undoing', 'cancelled'])
    }
    expect(provider.charged()).toBe(before)
  })

  it('I2: before it arrives is a tombstone; after it ended is too late', async () => {
    const key = unique()
    const before = provider.calls.length
    await safepoint.cancel('a', key)
    expect(await safepoint.run(checkout, { id: key, amount: 5 }, { scope: 'a', key })).toMatchObject({
      outcome: 'cancelled',
    })
    expect(provider.calls.length).toBe(before)
    const done = unique()
    await safepoint.run(checkout, { id: done, amount: 5 }, { scope: 'a', key: done })
    expect(await safepoint.cancel('a', done)).toMatchObject({
      outcome: 'too_late',
      state: 'succeeded',
      result: { order: `${done}-order` },
    })
  })

  it('with only leftovers begun is cancelled at once, and the cleanup follows', async () => {
    const key = unique()
    gate = new Promise(() => {})
    const running = safepoint.run(sweepable, { id: key, amount: 5 }, { scope: 'a', key })
    await until(
      async () => (await sql(`select 1 from safepoint.step where key = $1 and state = 'done'`, [key])).length > 0,
    )
    expect(await safepoint.cancel('a', key)).toMatchObject({ outcome: 'cancelled', cleanup: 'pending', stopped: true })
    expect(await running).toMatchObject({ outcome: 'cancelled' })
    await until(async () => ((await safepoint.find('a', key)) as any).cleanup === 'done')
  })

  it('a disconnect under cancel-until-first-step ends what has begun nothing, and nothing else', async () => {
    const key = unique()
    let open = () => {}
    gate = new Promise((resolve) => (open = resolve))
    const leaving = new AbortController()
    const lost = safepoint.run(leaver, { id: key, amount: 5 }, { scope: 'a', key, disconnect: leaving.signal })
    await until(async () => (await stateOf(key)) === 'running')
    leaving.abort()
    expect(await lost).toMatchObject({ outcome: 'cancelled', reason: 'client_disconnect' })
    open()
    const late = unique()
    const held: { release?: () => void } = {}
    provider.faults.push({ hold: new Promise<void>((resolve) => (held.release = resolve)) })
    const begun = new AbortController()
    const finishing = safepoint.run(
      leaver,
      { id: late, amount: 5 },
      { scope: 'a', key: late, disconnect: begun.signal },
    )
    await until(
      async () => (await sql(`select 1 from safepoint.step where key = $1 and name = 'charge'`, [late])).length > 0,
    )
    begun.abort()
    held.release!()
    expect(await finishing).toMatchObject({ outcome: 'succeeded' })
  })
})

describe('a take-over', () => {
  it('I7: raises the epoch; what the old holder writes afterwards changes no state', async () => {
    const key = unique()
    const before = provider.charged()
    let release = () => {}
    provider.faults.push({ hold: new Promise<void>((resolve) => (release = resolve)) })
    const zombie = await another({ recover: false, poll: 60_000 })
    const lost = zombie.run(stalled, { id: key, amount: 5 }, { scope: 'a', key, wait: 30_000 })
    await until(
      async () => (await sql(`select 1 from safepoint.step where key = $1 and name = 'charge'`, [key])).length > 0,
    )
    await until(async () => (await stateOf(key)) === 'succeeded', { timeoutMs: 8000 })
    release()
    expect(await lost).toMatchObject({ outcome: 'succeeded' })
    const [row] = await sql('select epoch from safepoint.operation where key = $1', [key])
    expect(row?.epoch).toBe(2)
    expect(provider.charged() - before).toBe(1)
  })
})

describe('a handler that throws', () => {
  it('before its first step leaves nothing: the key is free', async () => {
    const key = unique()
    await expect(safepoint.run(busy, { id: key, amount: 5 }, { scope: 'a', key })).rejects.toMatchObject({
      code: 'conflict',
      retryable: true,
    })
    expect(await safepoint.find('a', key)).toEqual({ state: 'none' })
    await expect(safepoint.run(busy, { id: key, amount: 5 }, { scope: 'a', key })).rejects.toMatchObject({
      code: 'conflict',
    })
    expect(await safepoint.cancel('a', key)).toMatchObject({ outcome: 'cancelled' })
  })
})
