import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import {
  createSafepoint,
  type AnyOperation,
  defineOperation,
  isSafepointError,
  operationStep,
  outsideStep,
  refuse,
  SafepointError,
  transactionStep,
  type Database,
} from '../src/index.ts'
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
/** Nobody can tell what became of it when its answer is lost. */
const blind = outsideStep<{ amount: number }, { chargeKey: string }>(paying)

let gate: Promise<unknown> = Promise.resolve()
let turns = 0
type Handler = (ctx: any, input: any) => Promise<any>
const define = (name: string, steps: Record<string, any>, run: Handler, more: object = {}) =>
  defineOperation({ name, input: anything, keep: 'a test', steps, run, ...more } as any) as AnyOperation

/** Tries another card where the first one is declined. */
const twoCards = define('pay.two-cards', { charge }, async (ctx) => {
  turns++
  const paid = await ctx.steps.charge({ amount: 5 }).catch((error: unknown) => {
    if (!isSafepointError(error) || error.code !== 'card_declined') throw error
    return ctx.steps.charge({ amount: 5 })
  })
  await gate
  return paid
})
const fickle = define('thing.fickle', { put }, async (ctx, { id }) => {
  turns++
  if (turns === 1) await ctx.steps.put({ id })
  await gate
  return { turns }
})
/** What each call was asked for. */
const asked: unknown[] = []
let answerFirst = () => {}
const repeating = outsideStep<{ turn: number }, { turn: number }>({
  timeout: 10_000,
  call: async (request) => {
    asked.push(request)
    if (asked.length === 1) await new Promise<void>((resolve) => (answerFirst = resolve))
    return request
  },
  settle: { repeat: { window: 60_000 } },
  undo: async () => {},
})
const drifting = define('thing.drifting', { repeating }, (ctx) => ctx.steps.repeating({ turn: ++turns }))
// Longer than a lease, so that its holder has not given it up when it is taken over.
const slow = { ...paying, timeout: 3000 }
const finding = define(
  'pay.finding',
  { charge: outsideStep<{ amount: number }, { chargeKey: string }>({ ...slow, settle: { find: provider.find } }) },
  (ctx) => ctx.steps.charge({ amount: 5 }),
)
const helplessly = define(
  'pay.helplessly',
  { charge: outsideStep<{ amount: number }, { chargeKey: string }>(slow) },
  (ctx) => ctx.steps.charge({ amount: 5 }),
)
/** Its answer is lost, and its effect comes later. */
const effects: string[] = []
const lateEffect = outsideStep<object, string>({
  timeout: 200,
  call: async (_request, { key }) => {
    setTimeout(() => effects.push(key), 80)
    throw new Error('the answer was lost')
  },
  settle: { find: async (_request, { key }) => effects.find((effect) => effect === key) },
  undo: async () => {},
})
const tardy = define('thing.tardy', { lateEffect }, (ctx) => ctx.steps.lateEffect({}))
/** Has its effect, loses its answer, and is too busy when it is asked again. */
const busyLater = outsideStep<object, string>({
  timeout: 200,
  tries: 2,
  call: async (_request, { key, attempt }) => {
    if (attempt > 1) throw new SafepointError('busy', 'Not now.', { effect: 'none', retryable: true })
    effects.push(key)
    throw new Error('the answer was lost')
  },
  settle: {
    repeat: { window: 60_000 },
    find: async (_request, { key }) => effects.find((effect) => effect === key),
  },
  undo: async () => {},
})
const busy = define('thing.busy', { busyLater }, (ctx) => ctx.steps.busyLater({}))
const closable = define(
  'pay.closable',
  {
    charge: outsideStep<object, object>({
      timeout: 200,
      call: () => Promise.reject(new Error('the answer was lost')),
      settle: { close: async (_request, { key }) => void effects.push(`closed ${key}`) },
      undo: async (_done, { key }) => void effects.push(`undone ${key}`),
    }),
  },
  (ctx) => ctx.steps.charge({}),
)
const hasty = define('pay.hasty', { charge }, async (ctx) => {
  void ctx.steps.charge({ amount: 5 })
  return { done: true }
})
const late = define('thing.late', { put }, async (ctx, { id }) => {
  turns++
  await ctx.steps.put({ id })
  if (turns === 1) {
    await gate
    throw refuse('too_slow', 'Something in the handler noticed how late it is.')
  }
  return { turns }
})
const guarded = define('pay.guarded', { blind }, (ctx) => ctx.steps.blind({ amount: 5 }))

const firm = define(
  'thing.firm',
  { put },
  async (ctx, { id, fail }) => {
    if (!fail) await ctx.steps.put({ id })
    await gate
    if (fail) throw refuse('no', 'No.')
    return { id }
  },
  { uncancellable: 'It is said.', onDisconnect: 'cancel' },
)
const received = define('thing.receive', { put }, (ctx, { id }) => ctx.steps.put({ id }), {
  inbox: true,
  onDisconnect: 'cancel',
})

const child = define(
  'child.slow',
  { charge },
  async (ctx, { id }) => {
    const paid = await ctx.steps.charge({ amount: 5 })
    if (id.startsWith('held')) await gate
    return paid
  },
  { wait: 20 },
)
const helpless = define('child.helpless', { blind }, (ctx) => ctx.steps.blind({ amount: 5 }), { wait: 20 })
const undoable = define('child.undoable', { charge }, (ctx) => ctx.steps.charge({ amount: 5 }), {
  keep: undefined,
  undo: {
    record: ({ result }: any) => result,
    run: async (_ctx: any, recorded: { chargeKey: string }) => {
      if (refusing) throw refuse('not_now', 'Not now.')
      await provider.refund({ response: recorded }, { key: 'undo' } as never)
    },
  },
})
let refusing = false
const parent = (name: string, of: any) =>
  define(`parent.${name}`, { put, child: operationStep(() => of) }, async (ctx, input: any) => {
    await ctx.steps.put({ id: input.id })
    const answer = await ctx.steps.child(input)
    if (input.fail) throw refuse('changed_mind', 'No.')
    return answer
  })
const [ofSlow, ofHelpless, ofUndoable] = [
  parent('of-slow', child),
  parent('of-helpless', helpless),
  parent('of-undoable', undoable),
]
const operations = [
  closable,
  drifting,
  finding,
  helplessly,
  tardy,
  busy,
  firm,
  received,
  twoCards,
  fickle,
  hasty,
  late,
  guarded,
  child,
  helpless,
  undoable,
  ofSlow,
  ofHelpless,
  ofUndoable,
]
const options = { lease: 400, poll: 50, stopWait: 2000 }
const logged: Array<Record<string, unknown>> = []
const log = { info: () => {}, warn: () => {}, error: (fields: object) => void logged.push({ ...fields }) }
/** Renews no lease and takes nothing over: what it has not ended by then is another's. */
const {
  safepoint: stale,
  sql,
  another,
} = await testEngine(operations, { ...options, recover: false, poll: 60_000, log })
const safepoint = await another({ ...options, lease: 10_000, recover: false })
const stateOf = async (key: string) =>
  (await sql('select state, epoch from safepoint.operation where key = $1', [key]))[0]
const thing = async (id: string) => (await sql('select from thing where id = $1', [id])).length > 0
let n = 0
const unique = () => `h${++n}`
beforeEach(() => {
  provider.faults.length = 0
  gate = Promise.resolve()
  turns = 0
  refusing = false
})

/** Runs it where no lease is renewed, then starts an engine that takes over what has run out. */
async function untilTakenOver(operation: AnyOperation, key: string, ready: () => unknown) {
  gate = new Promise(() => {})
  const lost = stale.run(operation, { id: key }, { scope: 'a', key, wait: 60_000 })
  lost.catch(() => undefined)
  await until(ready)
  await until(
    async () =>
      (await sql('select from safepoint.operation where key = $1 and lease_until < clock_timestamp()', [key])).length,
  )
  gate = Promise.resolve()
  const successor = await another({ ...options, recover: true })
  await until(async () => !['running', 'undoing'].includes((await stateOf(key))?.state), { timeoutMs: 10_000 })
  await successor.stop({ grace: 0 })
  return stateOf(key)
}

describe('after a take-over the handler', () => {
  it('I1: is told again that the first card was declined, so that there is one charge', async () => {
    const [key, before] = [unique(), provider.charged()]
    provider.faults.push('decline')
    const calls = () => provider.calls.filter(({ path, key: used }) => path === '/charge' && used.length > 0)
    const from = calls().length
    const end = await untilTakenOver(
      twoCards,
      key,
      async () => (await sql(`select from safepoint.step where key = $1 and state = 'done'`, [key])).length > 0,
    )
    expect(end).toEqual({ state: 'succeeded', epoch: 2 })
    expect(turns).toBe(2)
    expect(
      calls()
        .slice(from)
        .map(({ key: used }) => used.slice(-2)),
    ).toEqual(['-0', '-1'])
    expect(provider.charged() - before).toBe(1)
  })

  it('I1: repeats the recorded request of a call whose answer is not known, never one that it has computed anew', async () => {
    const key = unique()
    expect(await untilTakenOver(drifting, key, () => asked.length > 0)).toEqual({ state: 'succeeded', epoch: 2 })
    expect(turns).toBe(2)
    expect(asked).toEqual([{ turn: 1 }, { turn: 1 }])
    // Whoever was taken over may have had the answer that counts: it is kept, and somebody is told.
    answerFirst()
    const told = await until(() => logged.find((fields) => 'step' in fields && fields.key === key))
    expect(told).toMatchObject({ operation: 'thing.drifting', scope: 'a', step: 'repeating' })
    expect(
      await sql(`select epoch, payload from safepoint.evidence where key = $1 and kind = 'answer' order by epoch`, [
        key,
      ]),
    ).toEqual([1, 2].map((epoch) => ({ epoch, payload: '{"turn":1}' })))
  })

  it.each([
    ['finds the charge of a call whose answer is not known', finding, 'succeeded'],
    ['makes no second call where nobody can tell what became of the first', helplessly, 'needs_attention'],
  ])('I1: %s', async (_, operation, state) => {
    const key = unique()
    const charges = () => provider.calls.filter(({ path }) => path === '/charge').length
    const before = charges()
    const never = new Promise(() => {})
    provider.faults.push({ hold: never })
    expect(await untilTakenOver(operation, key, () => charges() > before)).toEqual({ state, epoch: 2 })
    expect(charges() - before).toBe(1)
  })

  it('I1: that goes another way does not succeed beside what it did before: that is undone', async () => {
    const key = unique()
    expect(await untilTakenOver(fickle, key, () => thing(key))).toEqual({ state: 'failed', epoch: 2 })
    expect(await thing(key)).toBe(false)
  })
})

it('I7: a handler whose lease is over decides nothing any more, also before anybody has taken over', async () => {
  const key = unique()
  let go = () => {}
  gate = new Promise<void>((resolve) => (go = resolve))
  const told = stale.run(late, { id: key }, { scope: 'a', key, wait: 2 * options.lease })
  await until(() => thing(key))
  await until(
    async () =>
      (await sql('select from safepoint.operation where key = $1 and lease_until < clock_timestamp()', [key])).length,
  )
  go()
  expect(await told).toMatchObject({ outcome: 'pending', state: 'running' })
  expect(await stateOf(key)).toEqual({ state: 'running', epoch: 1 })
  const successor = await another({ ...options, recover: true })
  await until(async () => (await stateOf(key))?.state === 'succeeded', { timeoutMs: 10_000 })
  expect(await stateOf(key)).toEqual({ state: 'succeeded', epoch: 2 })
  await successor.stop({ grace: 0 })
})

it.each([
  ['is absent when it is asked for before the quiet time is over', tardy],
  ['is "not executed, try again" by a later attempt', busy],
])('I1: the effect of a call whose answer was lost is not given up because it %s', async (_, operation) => {
  const key = unique()
  const before = effects.length
  expect(await safepoint.run(operation, { id: key }, { scope: 'a', key })).toMatchObject({ outcome: 'succeeded' })
  expect(effects).toHaveLength(before + 1)
})

it('I2, I8: a call that the provider has closed is undone, and an answer to it that comes later changes nothing', async () => {
  const key = unique()
  effects.length = 0
  expect(await safepoint.run(closable, {}, { scope: 'a', key })).toMatchObject({ outcome: 'failed' })
  expect(effects).toEqual([expect.stringMatching(/^closed .*-charge-0$/)])
  await sql(
    `insert into safepoint.evidence (scope, key, position, epoch, kind, payload) values ('a', $1, 1, 1, 'answer', '{}')`,
    [key],
  )
  expect(await safepoint.find('a', key)).toMatchObject({ steps: [{ step: 'charge', state: 'undone' }] })
})

it('I1: a step that nobody waited for keeps the operation from succeeding, and is not begun behind its back', async () => {
  const [key, before] = [unique(), provider.calls.length]
  const told = await safepoint.run(hasty, { id: key }, { scope: 'a', key }).catch((error: Error) => error)
  if (told instanceof Error) expect(told.message).toContain('await each of them')
  else expect(told).toMatchObject({ outcome: 'failed', error: { code: 'internal' } })
  expect(provider.calls.length).toBe(before)
})

it('I2: a call that is surely not made, because the cancel came between its fence and itself, asks no human', async () => {
  const key = unique()
  let fenced = () => {}
  const isFenced = new Promise<void>((resolve) => (fenced = resolve))
  let go = () => {}
  const gone = new Promise<void>((resolve) => (go = resolve))
  const { database } = safepoint
  const pausing: Database = {
    ...database,
    async query(statement, queryOptions) {
      const result = await database.query<any>(statement, queryOptions)
      if (statement.name === 'sp_begin_step') {
        fenced()
        await gone
      }
      return result
    },
  }
  const engine = createSafepoint({ database: pausing, operations, ...options, bus: safepoint.bus, recover: false })
  const running = engine.run(guarded, { id: key }, { scope: 'a', key })
  await isFenced
  const answer = await engine.cancel('a', key)
  expect(answer).toMatchObject({ outcome: 'undoing' })
  go()
  const told = await running
  expect(told).toMatchObject({ outcome: 'cancelled' })
  // By its keys: what other tests have left running may call too.
  expect(provider.calls.filter((call) => call.key.startsWith(told.operationId))).toEqual([])
})

describe('an operation that takes no cancel', () => {
  it('I9: says why, leaves one event a call, and goes on; whoever leaves does not stop it either', async () => {
    const [key, requestKey] = [unique(), unique()]
    let go = () => {}
    gate = new Promise<void>((resolve) => (go = resolve))
    const leaving = new AbortController()
    const running = safepoint.run(firm, { id: key }, { scope: 'a', key, disconnect: leaving.signal })
    await until(() => thing(key))
    for (let call = 0; call < 2; call++)
      await expect(safepoint.cancel('a', key, { requestKey })).rejects.toMatchObject({
        code: 'not_cancellable',
        message: 'It is said.',
      })
    leaving.abort()
    expect(await stateOf(key)).toMatchObject({ state: 'running' })
    go()
    expect(await running).toMatchObject({ outcome: 'succeeded' })
    expect(await sql('select outcome, noop from safepoint.cancel_event where key = $1', [key])).toEqual([
      { outcome: 'not_cancellable', noop: true },
    ])
  })

  it('I9: says so again under the same key when what it spoke of was withdrawn; a new cancel then takes the free key', async () => {
    const [key, requestKey] = [unique(), unique()]
    let go = () => {}
    gate = new Promise<void>((resolve) => (go = resolve))
    const running = safepoint.run(firm, { id: key, fail: true }, { scope: 'a', key })
    await until(() => stateOf(key))
    await expect(safepoint.cancel('a', key, { requestKey })).rejects.toMatchObject({ code: 'not_cancellable' })
    go()
    await expect(running).rejects.toMatchObject({ code: 'no' })
    await expect(safepoint.cancel('a', key, { requestKey })).rejects.toMatchObject({ code: 'not_cancellable' })
    expect(await safepoint.cancel('a', key)).toMatchObject({ outcome: 'cancelled' })
  })

  it('is any of the inbox when its sender leaves, whatever its policy says', async () => {
    const key = unique()
    const told = await safepoint.run(received, { id: key }, { scope: 'gateway', key, disconnect: AbortSignal.abort() })
    expect(told).toMatchObject({ outcome: 'succeeded' })
  })
})

describe('an operation that is a step of another', () => {
  it('may take longer than its own wait', async () => {
    const key = unique()
    let go = () => {}
    provider.faults.push({ hold: new Promise<void>((resolve) => (go = resolve)) })
    const running = safepoint.run(ofSlow, { id: key }, { scope: 'a', key })
    await until(
      async () => (await sql(`select from safepoint.operation where name = 'child.slow' and state = 'running'`)).length,
    )
    // Longer than three times the child's wait.
    const since = performance.now()
    await until(() => performance.now() - since > 150)
    go()
    expect(await running).toMatchObject({ outcome: 'succeeded', result: { chargeKey: expect.any(String) } })
    // One call that waited for its end, not one after the other.
    expect(await sql(`select attempts from safepoint.step where key = $1 and name = 'child'`, [key])).toEqual([
      { attempts: 1 },
    ])
  })

  it('I2: is cancelled with its parent at once, and nothing of either remains', async () => {
    const [key, before] = [`held-${unique()}`, provider.charged()]
    gate = new Promise(() => {})
    const running = safepoint.run(ofSlow, { id: key }, { scope: 'a', key })
    await until(() => provider.charged() > before)
    expect(await safepoint.cancel('a', key)).toMatchObject({ outcome: 'undoing', stopped: true })
    expect(await running).toMatchObject({ outcome: 'cancelled' })
    expect(provider.charged()).toBe(before)
    expect(await thing(key)).toBe(false)
  })

  it('I2: that needs a human keeps its parent from being told as undone', async () => {
    const key = unique()
    provider.faults.push('accept, then drop')
    await expect(safepoint.run(ofHelpless, { id: key }, { scope: 'a', key })).rejects.toMatchObject({
      code: 'in_progress',
      retryable: false,
    })
    expect(await stateOf(key)).toMatchObject({ state: 'needs_attention' })
  })

  it('I2: is undone when it had succeeded; an undo that is refused needs a human, who can have it tried again', async () => {
    const [done, refused, before] = [unique(), unique(), provider.charged()]
    expect(await safepoint.run(ofUndoable, { id: done, fail: true }, { scope: 'a', key: done })).toMatchObject({
      outcome: 'failed',
      error: { code: 'changed_mind' },
    })
    expect(provider.charged()).toBe(before)
    refusing = true
    await expect(
      safepoint
        .run(ofUndoable, { id: refused, fail: true }, { scope: 'a', key: refused, wait: 1500 })
        .then((answer) => {
          throw new Error(answer.outcome)
        }),
    ).rejects.toThrow()
    refusing = false
    const successor = await another({ ...options, recover: true })
    await until(async () => ['failed', 'needs_attention'].includes((await stateOf(refused))?.state), {
      timeoutMs: 10_000,
    })
    if ((await stateOf(refused))?.state === 'needs_attention')
      await successor.resolve('a', refused, 'retry', { actor: 'op', reason: 'now' })
    await until(async () => (await stateOf(refused))?.state === 'failed', { timeoutMs: 10_000 })
    expect(provider.charged()).toBe(before)
    await successor.stop({ grace: 0 })
  })
})
