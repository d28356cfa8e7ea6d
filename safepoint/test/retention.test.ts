import { afterEach, describe, expect, it } from 'vitest'
import { defineOperation, outsideStep, SafepointError, transactionStep } from '../src/index.ts'
import type { Engine } from '../src/engine.ts'
import { retentionSweep } from '../src/retention-sweep.ts'
import { anything, testEngine } from './support/engine.ts'
import { until } from './support/until.ts'

interface Given {
  readonly address: string
  readonly decline?: boolean
  readonly wait?: boolean
}
const day = 24 * 3600_000
/** Somebody's address: it is in whatever is asked and answered here. */
const secret = '12 Secret Street'
const given: Given = { address: secret }

let undoing: (done: any) => Promise<void> = async () => {}
let gate: Promise<unknown> = Promise.resolve()
afterEach(() => {
  undoing = async () => {}
  gate = Promise.resolve()
})
const ship = outsideStep<Given, { label: string }>({
  timeout: 500,
  tries: 1,
  call: async ({ address, decline }) => {
    if (decline) throw new SafepointError('no_such_place', `Nobody lives at ${address}.`, { effect: 'none' })
    return { label: `to ${address}` }
  },
  undo: (done) => undoing(done),
})
const steps = {
  note: transactionStep<Given, Given>({ run: async (_tx, request) => request, undo: async () => {} }),
  ship,
}
const shipping = defineOperation({
  name: 'parcel.ship',
  input: anything,
  steps,
  undo: { record: ({ result }) => result, run: async () => ({ back: true }) },
  async run(ctx, input: Given) {
    await ctx.steps.note(input)
    const { label } = await ctx.steps.ship(input)
    if (input.wait) await gate
    return { label }
  },
})
const upload = defineOperation({
  name: 'picture.upload',
  input: anything,
  keep: 'a test',
  steps: {
    part: outsideStep<Given, { part: string }>({
      timeout: 500,
      call: async ({ address }) => ({ part: `of ${address}` }),
      cleanup: (done) => undoing(done),
    }),
  },
  async run(ctx, input: Given) {
    await ctx.steps.part(input)
    await gate
    return {}
  },
})
const place = defineOperation({
  name: 'order.place',
  input: anything,
  undo: { record: ({ input }) => input, run: async () => ({}) },
  run: async (_ctx, input: Given) => input,
})
const event = defineOperation({
  name: 'webhook.receive',
  input: anything,
  inbox: true,
  keep: 'a test',
  run: async () => ({}),
})

const { safepoint, sql } = await testEngine([shipping, upload, place, event], { poll: 50, retention: 365 * day })
// The engine's own comes too late to be met.
const sweep = retentionSweep({ database: safepoint.database, retention: 30 * day } as Engine)
let n = 0
const unique = () => `k${++n}`

/** All of it has ended, or was sent, so many days earlier. */
async function age(key: string, days: number) {
  for (const [table, column] of Object.entries({ operation: 'ended_at', cancel_event: 'at', inbox_conflict: 'at' }))
    await sql(`update safepoint.${table} set ${column} = ${column} - $2 * interval '1 day' where key = $1`, [key, days])
}
/** What all tables say of a key, as text. */
async function saidOf(key: string): Promise<string> {
  const tables = ['operation', 'step', 'evidence', 'audit', 'cancel_event', 'inbox_conflict']
  const rows = tables.map((table) => `select to_jsonb(t) - 'body' as row from safepoint.${table} t where key = $1`)
  const bodies = `select to_jsonb(convert_from(body, 'utf8')) from safepoint.operation where key = $1 and body is not null`
  return JSON.stringify(await sql(`${rows.join(' union all ')} union all ${bodies}`, [key]))
}
/** Everything but what was asked and answered. */
async function truthOf(key: string) {
  const kept = {
    operation:
      'scope, id, name, fingerprint, state, actor, reason, undone_key, cancels, ended_at, epoch, begun, to_undo, target, cleanup, moves',
    step: 'position, name, call, leaves, state, epoch, attempts, undo_attempts, begun_at, attempted_at, settled_at',
    evidence: 'position, epoch, kind, at',
    audit: '*',
    cancel_event: 'id, operation_id, operation_name, request_key, actor, reason, outcome, state, noop, counts, at',
    inbox_conflict: 'fingerprint, at',
  }
  return Promise.all(
    Object.entries(kept).map(([table, columns]) =>
      sql(`select ${columns} from safepoint.${table} where key = $1 order by ${columns.replace('*', 'seq')}`, [key]),
    ),
  )
}
const stateOf = async (key: string) => (await sql('select * from safepoint.operation where key = $1', [key]))[0]!

/** Strips it, and only once it is past its retention; what tells the truth stays as it is. */
async function expectStripped(key: string) {
  await age(key, 29)
  await sweep()
  expect(await saidOf(key)).toContain(secret)
  await age(key, 2)
  const truth = await truthOf(key)
  await sweep()
  expect(await saidOf(key)).not.toContain(secret)
  expect(await truthOf(key)).toEqual(truth)
}

describe('past its retention', () => {
  it('I1, I3: nothing of what was asked and answered is left, also in its steps; how it ended is', async () => {
    const [atomic, durable] = [unique(), unique()]
    await safepoint.run(place, given, { scope: 'a', key: atomic, actor: 'u1' })
    await safepoint.run(shipping, given, { scope: 'a', key: durable, actor: 'u1' })
    for (const [key, operation] of [
      [atomic, place],
      [durable, shipping],
    ] as const) {
      await safepoint.cancel('a', key, { actor: 'u1', reason: 'too late', payload: given })
      await expectStripped(key)
      await expect(safepoint.run(operation, given, { scope: 'a', key })).rejects.toMatchObject({ code: 'key_expired' })
      await expect(safepoint.undo('a', key)).rejects.toMatchObject({ code: 'key_expired' })
      expect(await safepoint.cancel('a', key)).toMatchObject({ outcome: 'too_late', state: 'succeeded' })
      expect(await safepoint.find('a', key)).toMatchObject({ state: 'succeeded', stripped: true })
    }
    expect(await safepoint.find('a', durable)).toMatchObject({
      steps: [
        { step: 'note', state: 'done' },
        { step: 'ship', state: 'done' },
      ],
    })
  })

  it('a refusal goes too, with what the provider said', async () => {
    const key = unique()
    const answer = await safepoint.run(shipping, { ...given, decline: true }, { scope: 'a', key })
    expect(answer).toMatchObject({ outcome: 'failed', error: { code: 'no_such_place' } })
    await expectStripped(key)
    expect(await safepoint.find('a', key)).toMatchObject({
      state: 'failed',
      steps: [{ state: 'undone' }, { state: 'absent' }],
    })
  })

  it('I2, I9: what was cancelled stays so for ever, with who cancelled it, when and why', async () => {
    const [key, tombstone] = [unique(), unique()]
    gate = new Promise(() => {})
    const running = safepoint.run(shipping, { ...given, wait: true }, { scope: 'a', key })
    await until(async () => (await stateOf(key))?.begun === 2)
    const cancelled = { actor: 'u1', reason: 'changed my mind', requestKey: unique(), payload: given }
    expect(await safepoint.cancel('a', key, cancelled)).toMatchObject({ outcome: 'undoing' })
    expect(await running).toMatchObject({ outcome: 'cancelled' })
    await safepoint.cancel('a', tombstone, { payload: given })
    for (const each of [key, tombstone]) {
      await expectStripped(each)
      expect(await safepoint.run(shipping, { ...given, wait: true }, { scope: 'a', key: each })).toMatchObject({
        outcome: 'cancelled',
      })
    }
    // The same call, not another one.
    await safepoint.cancel('a', key, cancelled)
    expect(await sql('select actor, reason, payload from safepoint.cancel_event where key = $1', [key])).toEqual([
      { actor: 'u1', reason: 'changed my mind', payload: null },
    ])
  })

  it('the other payload of an event that came twice goes by its own age, also where no row was left of it', async () => {
    const [key, gone] = [unique(), unique()]
    await safepoint.run(event, { n: 1 }, { scope: 'a', key })
    await age(key, 40)
    await expect(safepoint.run(event, given, { scope: 'a', key })).rejects.toMatchObject({ code: 'key_reused' })
    await sql(`insert into safepoint.inbox_conflict (scope, key, fingerprint, payload) values ('a', $1, '\\x01', $2)`, [
      gone,
      JSON.stringify(given),
    ])
    await expectStripped(key)
    await expectStripped(gone)
    expect(await sql('select payload from safepoint.inbox_conflict where key in ($1, $2)', [key, gone])).toEqual([
      { payload: null },
      { payload: null },
    ])
  })

  it('more than a statement takes at once is taken in several, until nothing is left', async () => {
    const left = () =>
      sql(`select from safepoint.operation where scope = 'many' and (stripped_at is null or body is not null)`)
    await sql(`insert into safepoint.operation (scope, key, id, name, fingerprint, state, body, ended_at)
      select 'many', n::text, gen_random_uuid(), 'order.place', '\\x01', 'succeeded', '\\x7b7d', now() - interval '40 days'
      from generate_series(1, 2500) n`)
    const told: boolean[] = []
    for (const expected of [1500, 500, 0]) {
      told.push(await sweep())
      expect(await left()).toHaveLength(expected)
    }
    expect(told).toEqual([true, true, false])
  })
})

describe('however old it is, everything is kept of', () => {
  it('I6: what needs a human, so that it can still be undone with what was recorded', async () => {
    const key = unique()
    undoing = () => Promise.reject(new SafepointError('no', `Not from ${secret}.`, { effect: 'none' }))
    gate = new Promise(() => {})
    const running = safepoint.run(shipping, { ...given, wait: true }, { scope: 'a', key })
    const told = running.catch((error: unknown) => error)
    await until(async () => (await stateOf(key))?.begun === 2)
    await safepoint.cancel('a', key, { payload: given })
    expect(await told).toMatchObject({ code: 'in_progress' })
    expect(await safepoint.find('a', key)).toMatchObject({ state: 'needs_attention' })
    await sql(`update safepoint.operation set started_at = started_at - interval '40 days' where key = $1`, [key])
    await age(key, 40)
    const said = await saidOf(key)
    await sweep()
    expect(await saidOf(key)).toBe(said)
    const undone: unknown[] = []
    undoing = async (done) => void undone.push(done)
    await safepoint.resolve('a', key, 'retry', { actor: 'op', reason: `called ${secret}` })
    await until(async () => (await stateOf(key)).state === 'cancelled')
    expect(undone).toEqual([{ request: { ...given, wait: true }, response: { label: `to ${secret}` } }])
    // What a human decided, and why, is never stripped.
    await age(key, 40)
    await sweep()
    expect(await sql('select payload from safepoint.cancel_event where key = $1', [key])).toEqual([{ payload: null }])
    expect(await sql('select request, response, undo_error from safepoint.step where key = $1', [key])).toEqual([
      { request: null, response: null, undo_error: null },
      { request: null, response: null, undo_error: null },
    ])
    expect(await stateOf(key)).toMatchObject({ input: null, reason: `retry by op: called ${secret}` })
  })

  it('what has leftovers to be swept, until they are', async () => {
    const key = unique()
    const swept: unknown[] = []
    let tries = 0
    undoing = async () => {
      tries++
      throw new Error('try again')
    }
    gate = new Promise(() => {})
    const running = safepoint.run(upload, given, { scope: 'a', key })
    await until(
      async () => (await sql(`select from safepoint.step where key = $1 and state = 'done'`, [key])).length > 0,
    )
    expect(await safepoint.cancel('a', key)).toMatchObject({ outcome: 'cancelled', cleanup: 'pending' })
    await until(() => tries > 0)
    await age(key, 40)
    await sweep()
    expect((await stateOf(key)).stripped_at).toBeNull()
    undoing = async (done) => void swept.push(done)
    await until(async () => (await stateOf(key)).cleanup === 'done')
    expect(await running).toMatchObject({ outcome: 'cancelled' })
    expect(swept).toEqual([{ request: given, response: { part: `of ${secret}` } }])
    await sweep()
    expect(await saidOf(key)).not.toContain(secret)
  })
})
