import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { afterAll, describe, expect, it } from 'vitest'
import type { Statement } from '../src/index.ts'
import type { State } from '../src/protocol.ts'
import { attemptStep, beginStep } from '../src/sql/begin-step.ts'
import { cancelOperation } from '../src/sql/cancel-operation.ts'
import {
  acknowledgeStop,
  askHuman,
  cancelUnbegun,
  finishCleanup,
  finishUndo,
  refuseOperation,
  succeedOperation,
  withdrawOperation,
} from '../src/sql/end-operation.ts'
import { releaseLease, renewLeases } from '../src/sql/lease.ts'
import { findSteps } from '../src/sql/find-steps.ts'
import { failUndo, recordAnswer, recordUndone } from '../src/sql/record-answer.ts'
import { firstStates, isTerminal, moves } from '../src/states.ts'
import { testDatabase } from './support/database.ts'
import { until } from './support/until.ts'

const { url } = await testDatabase()
const client = new pg.Client(url)
await client.connect()
const [another, watcher] = [new pg.Client(url), new pg.Client(url)]
await Promise.all([another.connect(), watcher.connect()])
afterAll(() => Promise.all([client.end(), another.end(), watcher.end()]))
const sql = async (text: string, values: unknown[] = []) => (await client.query(text, values)).rows
const send = async ({ text, values }: Statement) => (await client.query(text, values as unknown[])).rows

const states = Object.keys(moves) as State[]
const pairs = states.flatMap((from) => states.map((to) => [from, to] as const))
const scope = 's'

/** A row as it stands in this state; a durable one at its second epoch, with one step begun. */
async function rowIn(state: State, { durable = true } = {}): Promise<string> {
  const key = randomUUID()
  await sql(
    `insert into safepoint.operation (scope, key, id, name, fingerprint, state, ended_at, target)
     values ($1, $2, gen_random_uuid(), 'a.b', '\\x01', $3::safepoint.state,
       case when $4 then clock_timestamp() end, case when $3 in ('undoing', 'needs_attention') then 'cancelled'::safepoint.undo_target end)`,
    [scope, key, state, isTerminal(state)],
  )
  if (!durable) return key
  await sql('alter table safepoint.operation disable trigger operation_move')
  await sql(
    `update safepoint.operation set epoch = 2, holder = 'h', moves = 1, begun = 1, to_undo = 1, to_sweep = 0, undo_for = 60000,
       started_at = clock_timestamp(), lease_until = clock_timestamp() + interval '1 minute' where key = $1`,
    [key],
  )
  await sql('alter table safepoint.operation enable trigger operation_move')
  await sql(
    `insert into safepoint.step (scope, key, position, name, call, leaves, state, epoch) values ($1, $2, 1, 'charge', 0, 'undo', 'begun', 2)`,
    [scope, key],
  )
  return key
}

const moveTo = (key: string, to: State) =>
  sql(
    `update safepoint.operation set state = $2::safepoint.state, target = coalesce(target, 'cancelled'),
       ended_at = case when $3 then coalesce(ended_at, clock_timestamp()) end where key = $1`,
    [key, to, isTerminal(to)],
  )
const read = async (key: string) => (await sql('select * from safepoint.operation where key = $1', [key]))[0]
const audit = (key: string) =>
  sql('select seq, from_state, to_state, epoch, holder from safepoint.audit where key = $1 order by seq', [key])
const refused = { code: 'SP002' }

describe('the moves of an operation, in code and in the database', () => {
  it('I10: speak of the same states', async () => {
    const [{ labels }] = await sql(`select enum_range(null::safepoint.state)::text[] as labels`)
    expect(new Set(labels)).toEqual(new Set(states))
    expect(firstStates.every((state) => states.includes(state))).toBe(true)
    expect(states.filter(isTerminal)).toEqual(['succeeded', 'failed', 'cancelled'])
  })

  it('I10, I9: exactly the declared ones pass, each with one audit row', async () => {
    const passed: Array<readonly [State, State]> = []
    for (const [from, to] of pairs) {
      if (from === to) continue
      const key = await rowIn(from)
      const outcome = await moveTo(key, to).then(
        () => 'moved',
        (error: { code: string }) => error.code,
      )
      expect(['moved', refused.code], `${from} to ${to}`).toContain(outcome)
      const isMoved = outcome === 'moved'
      if (isMoved) passed.push([from, to])
      expect((await read(key)).state, `${from} to ${to}`).toBe(isMoved ? to : from)
      expect(await audit(key)).toEqual(
        isMoved ? [{ seq: 2, from_state: from, to_state: to, epoch: 2, holder: 'h' }] : [],
      )
    }
    expect(passed).toEqual(
      states.flatMap((from) => states.filter((to) => moves[from].includes(to)).map((to) => [from, to])),
    )
  })

  it('I10: an atomic row has ended and never moves, and its outcome is its audit', async () => {
    for (const from of states.filter(isTerminal)) {
      for (const to of states.filter((state) => state !== from)) {
        const key = await rowIn(from, { durable: false })
        await expect(moveTo(key, to), `${from} to ${to}`).rejects.toMatchObject(refused)
        expect((await read(key)).state).toBe(from)
        expect(await audit(key)).toEqual([])
      }
    }
  })

  it('I9: staying in a state is no change of it', async () => {
    for (const state of states) {
      const key = await rowIn(state)
      await moveTo(key, state)
      expect(await audit(key), state).toEqual([])
    }
  })

  it('I10: a row cannot look like another state than its own', async () => {
    const broken: Array<[State, string]> = [
      ['running', 'ended_at = now()'],
      ['undoing', 'ended_at = now()'],
      ['undoing', 'target = null'],
      ['succeeded', 'ended_at = null'],
      ['cancelled', 'ended_at = null'],
      ['running', 'epoch = null'],
      ['running', `state = 'succeeded'`],
      ['undoing', `state = 'cancelled'`],
    ]
    for (const [state, change] of broken) {
      const key = await rowIn(state)
      const before = await read(key)
      await expect(sql(`update safepoint.operation set ${change} where key = $1`, [key]), change).rejects.toMatchObject(
        refused,
      )
      expect(await read(key)).toEqual(before)
    }
  })

  it('I1, I5: a row keeps its scope, key, id and fingerprint', async () => {
    const changes = [
      `scope = 'other'`,
      `key = key || 'x'`,
      'id = gen_random_uuid()',
      `fingerprint = '\\x02'`,
      'fingerprint = null',
    ]
    for (const state of states) {
      for (const change of changes) {
        const key = await rowIn(state)
        const before = await read(key)
        const update = sql(`update safepoint.operation set ${change} where key = $1`, [key])
        await expect(update, `${state}: ${change}`).rejects.toMatchObject(refused)
        expect(await read(key)).toEqual(before)
      }
    }
  })
})

it('I1: no index of the engine depends on a collation of the operating system', async () => {
  expect(
    await sql(`select i.indexrelid::regclass::text as index, c.collname as collation
      from pg_index i join pg_class r on r.oid = i.indrelid
      cross join lateral unnest(i.indcollation::oid[]) as used (oid) join pg_collation c on c.oid = used.oid
      where r.relnamespace = 'safepoint'::regnamespace and c.collname <> 'C' and r.relname <> 'migration'`),
  ).toEqual([])
})

describe('an old epoch', () => {
  it('I7: cannot be written back, from any state', async () => {
    for (const state of states) {
      const key = await rowIn(state)
      await expect(sql('update safepoint.operation set epoch = 1 where key = $1', [key]), state).rejects.toMatchObject(
        refused,
      )
      await sql('update safepoint.operation set epoch = 3 where key = $1', [key])
      expect((await read(key)).epoch).toBe(3)
    }
  })

  /** Every statement by which a holder writes, made for this epoch, and the state in which it has an effect. */
  const writes: Record<
    string,
    {
      state: State
      /** What is sent behind it, a COMMIT or a call, must not happen when it loses: it is an error. */
      raises?: true
      write: (key: string, epoch: number) => Statement
    }
  > = {
    'begins a step': {
      state: 'running',
      raises: true,
      write: (key, epoch) =>
        beginStep({ scope, key, epoch, name: 'ship', call: 0, leaves: 'undo', timeout: 10, request: '{}' }),
    },
    'tries a step again': {
      state: 'running',
      raises: true,
      write: (key, epoch) => attemptStep(scope, key, epoch, 1, 'running', 10),
    },
    'tries an undo': {
      state: 'undoing',
      raises: true,
      write: (key, epoch) => attemptStep(scope, key, epoch, 1, 'undoing', 10),
    },
    succeeds: {
      state: 'running',
      raises: true,
      write: (key, epoch) =>
        succeedOperation({ scope, key, epoch }, { head: undefined, body: Buffer.from('{}'), undoInput: undefined }),
    },
    refuses: {
      state: 'running',
      raises: true,
      write: (key, epoch) => refuseOperation({ scope, key, epoch }, Buffer.from('{}'), 'r'),
    },
    'ends an undo': { state: 'undoing', raises: true, write: (key, epoch) => finishUndo({ scope, key, epoch }) },
    'asks a human': {
      state: 'undoing',
      raises: true,
      write: (key, epoch) => askHuman({ scope, key, epoch }, 'charge'),
    },
    'acknowledges a stop': { state: 'undoing', write: (key, epoch) => acknowledgeStop({ scope, key, epoch }) },
    'records an undo': { state: 'undoing', raises: true, write: (key, epoch) => recordUndone(scope, key, 1, epoch) },
    'gives an undo up': { state: 'undoing', write: (key, epoch) => failUndo(scope, key, 1, epoch, 'no') },
    'gives its lease back': { state: 'running', write: (key, epoch) => releaseLease(scope, key, epoch) },
    'renews its lease': { state: 'running', write: (key, epoch) => renewLeases([{ scope, key, epoch }], 90_000) },
    'records an answer': {
      state: 'running',
      write: (key, epoch) => recordAnswer(scope, key, 1, epoch, { kind: 'answer', payload: '{"at":"once"}' }),
    },
  }
  const everything = async (key: string) => [
    await read(key),
    await sql('select * from safepoint.step where key = $1 order by position', [key]),
    await audit(key),
  ]

  /** `SP001` where it lost loudly. */
  const outcomeOf = (statement: Statement) =>
    send(statement).then(
      () => 'answered',
      (error: { code: string }) => error.code,
    )

  for (const [what, { state, raises, write }] of Object.entries(writes)) {
    it(`I7: changes nothing when it ${what}; the current one does`, async () => {
      const key = await rowIn(state)
      const before = await everything(key)
      expect(await outcomeOf(write(key, 1))).toBe(raises ? 'SP001' : 'answered')
      expect(await everything(key)).toEqual(before)
      await send(write(key, 2))
      expect(await everything(key)).not.toEqual(before)
    })
  }

  it('I10, I11: whoever holds the epoch begins, ends and undoes nothing of an operation that is in another state', async () => {
    for (const [what, { state, raises, write }] of Object.entries(writes)) {
      if (!raises) continue
      for (const other of states.filter((one) => one !== state)) {
        const key = await rowIn(other)
        const before = await everything(key)
        expect(await outcomeOf(write(key, 2)), `${what}: ${other}`).toBe('SP001')
        expect(await everything(key), `${what}: ${other}`).toEqual(before)
      }
    }
  })

  it('I8: a transaction undo that has been recorded is an error the second time, so that its statements are rolled back', async () => {
    const key = await rowIn('undoing')
    expect(await outcomeOf(recordUndone(scope, key, 1, 2))).toBe('answered')
    const before = await everything(key)
    expect(await outcomeOf(recordUndone(scope, key, 1, 2))).toBe('SP001')
    expect(await everything(key)).toEqual(before)
  })

  it('I2, I7: withdraws nothing that has begun, that is decided, or that is not its own', async () => {
    const beginning = async (state: State, begun: number) => {
      const key = await rowIn(state)
      await sql('update safepoint.operation set begun = $2 where key = $1', [key, begun])
      return key
    }
    const ways: Record<string, (key: string, epoch: number) => Statement> = {
      withdraw: (key, epoch) => withdrawOperation({ scope, key, epoch }),
      'client gone': (key) => cancelUnbegun(scope, key, 'client_disconnect'),
    }
    for (const [what, write] of Object.entries(ways)) {
      for (const state of states) {
        const key = await beginning(state, state === 'running' ? 1 : 0)
        expect(await send(write(key, 2)), `${what}: ${state}`).toEqual([])
        expect(await read(key), `${what}: ${state}`).toMatchObject({ state })
      }
      const key = await beginning('running', 0)
      if (what === 'withdraw') expect(await send(write(key, 1))).toEqual([])
      expect(await read(key)).toMatchObject({ state: 'running' })
      expect(await send(write(key, 2)), what).toHaveLength(1)
    }
  })

  it('I7: changes nothing when it ends a cleanup; the current one does', async () => {
    const key = await rowIn('cancelled')
    await sql(`update safepoint.operation set cleanup = 'pending' where key = $1`, [key])
    await send(finishCleanup({ scope, key, epoch: 1 }, 'done'))
    expect((await read(key)).cleanup).toBe('pending')
    await send(finishCleanup({ scope, key, epoch: 2 }, 'done'))
    expect((await read(key)).cleanup).toBe('done')
  })

  it('I7: leaves what a provider answered as evidence, and no trace in the step', async () => {
    const key = await rowIn('running')
    await send(recordAnswer(scope, key, 1, 1, { kind: 'answer', payload: '{"late":true}' }))
    expect(await sql('select epoch, kind, payload from safepoint.evidence where key = $1', [key])).toEqual([
      { epoch: 1, kind: 'answer', payload: '{"late":true}' },
    ])
    expect(await sql('select state, response from safepoint.step where key = $1', [key])).toEqual([
      { state: 'begun', response: null },
    ])
  })

  it('I7: changes nothing when it was sent before a take-over and meets the row behind it', async () => {
    const [key, rival] = [await rowIn('undoing'), new pg.Client(url)]
    await rival.connect()
    await rival.query('begin')
    await rival.query('update safepoint.operation set epoch = 3 where key = $1', [key])
    const { text, values } = attemptStep(scope, key, 3, 1, 'undoing', 10)
    await rival.query(text, values as unknown[])
    const late = [
      send(recordAnswer(scope, key, 1, 2, { kind: 'absent', payload: undefined })),
      // On a connection of its own, or it would wait for the first.
      another.query(failUndo(scope, key, 1, 2, 'no') as pg.QueryConfig),
    ]
    await until(
      async () =>
        (
          await watcher.query(
            `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
          )
        ).rowCount === 2,
    )
    await rival.query('commit')
    await Promise.all(late)
    await rival.end()
    expect((await send(findSteps(scope, key)))[0]).toMatchObject({ state: 'begun', epoch: 3 })
  })

  it('I2, I7: what a provider answered under an old epoch outweighs an "absent" that was concluded from silence', async () => {
    const stepOf = async (key: string) => (await send(findSteps(scope, key)))[0]
    const record = (key: string, epoch: number, kind: 'answer' | 'absent' | 'refused', payload: string | undefined) =>
      send(recordAnswer(scope, key, 1, epoch, { kind, payload }))
    const key = await rowIn('undoing')
    await record(key, 2, 'absent', undefined)
    expect(await stepOf(key)).toMatchObject({ state: 'absent', response: null, refusal: null })
    await record(key, 1, 'answer', '{"late":true}')
    expect(await stepOf(key)).toMatchObject({ state: 'done', response: '{"late":true}' })
    const refused = await rowIn('running')
    await record(refused, 2, 'refused', '{"code":"declined"}')
    expect(await stepOf(refused)).toMatchObject({ state: 'absent', response: null, refusal: '{"code":"declined"}' })
  })

  it('I8: a cancel leaves the epoch to its holder, from every state', async () => {
    for (const state of states) {
      const key = await rowIn(state)
      const [answer] = await send(
        cancelOperation({
          scope,
          key,
          id: randomUUID(),
          eventId: randomUUID(),
          actor: undefined,
          reason: undefined,
          requestKey: undefined,
          payload: undefined,
        }),
      )
      expect(answer, state).toMatchObject({ epoch: 2, state: state === 'running' ? 'undoing' : state })
    }
  })
})
