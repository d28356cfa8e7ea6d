import { describe, expect, it } from 'vitest'
import { defineOperation, conflict, refuse } from '../src/index.ts'
import { anything, testEngine } from './support/engine.ts'
import { until } from './support/until.ts'

let runs = 0
const insert = defineOperation({
  name: 'thing.insert',
  input: anything,
  keep: 'a test',
  async run(ctx, input: { id: string; effect?: string }) {
    runs++
    await ctx.tx.query('insert into thing (id, scope) values ($1::text, $2::text)', [input.id, ctx.scope])
    if (input.effect === 'throw') throw new Error('thrown after the insert')
    if (input.effect === 'fail') return ctx.fail('card_declined', 'The card was declined.', { id: input.id })
    if (input.effect === 'refuse') throw refuse('cart_empty', 'Nothing in it.')
    ctx.respond({ status: 201, headers: { Location: `/things/${input.id}`, 'Set-Cookie': 'no' } })
    return { id: input.id, scope: ctx.scope }
  },
})
const slow = defineOperation({
  name: 'thing.slow',
  input: anything,
  keep: 'a test',
  deadline: 5000,
  async run(ctx, input: { id: string; seconds: number }) {
    await ctx.tx.query('insert into thing (id) values ($1::text)', [input.id])
    await ctx.tx.query('select pg_sleep($1::float8)', [input.seconds])
    return { id: input.id }
  },
})
const shortlived = defineOperation({ ...slow, name: 'thing.short-lived', deadline: 60 })
const impatient = defineOperation({ ...slow, name: 'thing.impatient', onDisconnect: 'cancel' })
const counter = defineOperation({
  name: 'thing.count',
  input: anything,
  keep: 'a test',
  // Taken apart on purpose: what a context offers does not need the context.
  async run({ tx, attempt, respond, safepoint: here }, input: { id: string; times: number }) {
    here()
    if (attempt <= input.times) throw conflict('somebody else was first', { currentVersion: 7 })
    await tx.query('insert into thing (id) values ($1::text)', [input.id])
    respond({ status: 200 })
    return { attempt }
  },
})
const undoable = defineOperation({
  name: 'thing.add',
  input: anything,
  undo: {
    record: ({ input }) => input,
    run: async (ctx, { id }: { id: string }) => {
      await ctx.tx.query('delete from thing where id = $1::text', [id])
      return { removed: id }
    },
  },
  async run(ctx, input: { id: string }) {
    await ctx.tx.query('insert into thing (id) values ($1::text)', [input.id])
    return { id: input.id }
  },
})
const fresh = defineOperation({
  name: 'session.open',
  input: anything,
  keep: 'a test',
  fresh: () => ({ token: crypto.randomUUID() }),
  run: async () => ({ user: 'u1' }),
})
const sorting = defineOperation({
  name: 'thing.sort',
  input: anything,
  keep: 'a test',
  async run(ctx, input: { id: string; tags: string[] }) {
    input.tags.sort()
    await ctx.tx.query('insert into thing (id) values ($1::text)', [input.id])
    return { id: input.id }
  },
})
const cheat = defineOperation({
  name: 'thing.cheat',
  input: anything,
  keep: 'a test',
  async run(ctx, input: { id: string; how: string }) {
    await ctx.tx.query('insert into thing (id) values ($1::text)', [input.id])
    if (input.how === 'not awaited') void ctx.tx.query('select pg_sleep(0.05)').catch(() => undefined)
    else if (input.how === 'caught') await ctx.tx.query('select 1/0').catch(() => undefined)
    else await ctx.tx.query(input.how)
    return { id: input.id }
  },
})

const event = defineOperation({
  name: 'webhook.receive',
  input: anything,
  keep: 'a test',
  inbox: true,
  async run(ctx, input: { id: string; amount: number }) {
    runs++
    await ctx.tx.query('insert into thing (id, amount) values ($1::text, $2::integer)', [input.id, input.amount])
    return { received: input.id }
  },
})

const { safepoint, sql, another } = await testEngine([
  event,
  insert,
  slow,
  shortlived,
  impatient,
  counter,
  undoable,
  fresh,
  sorting,
  cheat,
])
const count = async (id: string) => (await sql('select 1 from thing where id = $1', [id])).length
let n = 0
const unique = () => `k${++n}`

describe('an atomic operation', () => {
  it('I1, I4: is done once, and replayed byte for byte with status and safelisted headers', async () => {
    const key = unique()
    const first = await safepoint.run(insert, { id: key }, { scope: 'a', key })
    const before = runs
    const again = await safepoint.run(insert, { id: key }, { scope: 'a', key, retryAttempt: 1 })
    expect(runs).toBe(before)
    expect(first).toMatchObject({
      outcome: 'succeeded',
      replayed: false,
      response: { status: 201, headers: { location: `/things/${key}` } },
    })
    expect(again).toMatchObject({ outcome: 'succeeded', replayed: true })
    if (first.outcome !== 'succeeded' || again.outcome !== 'succeeded') throw new Error('unreachable')
    expect(again.response).toEqual(first.response)
    expect(first.response.headers).not.toHaveProperty('set-cookie')
    expect(await count(key)).toBe(1)
  })

  it("I1: without the retry header a second run loses at the gate and answers with the first one's bytes", async () => {
    const key = unique()
    const first = await safepoint.run(counter, { id: key, times: 0 }, { scope: 'a', key })
    const again = await safepoint.run(counter, { id: key, times: 0 }, { scope: 'a', key })
    expect(again).toMatchObject({ outcome: 'succeeded', replayed: true, operationId: first.operationId })
    expect(await count(key)).toBe(1)
  })

  it('I1: 50 identical requests on two engines have one effect and one answer', async () => {
    const key = unique()
    const other = await another()
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        (index % 2 ? other : safepoint).run(insert, { id: key }, { scope: 'a', key }),
      ),
    )
    expect(new Set(answers.map((answer) => answer.operationId)).size).toBe(1)
    expect(
      new Set(answers.map((answer) => answer.outcome === 'succeeded' && Buffer.from(answer.response.body).toString()))
        .size,
    ).toBe(1)
    expect(await count(key)).toBe(1)
  })

  it('I5: refuses the same key with another input, finished or in flight, and nothing takes effect', async () => {
    const key = unique()
    const flying = safepoint.run(slow, { id: key, seconds: 0.05 }, { scope: 'a', key })
    await expect(safepoint.run(slow, { id: `${key}x`, seconds: 0.05 }, { scope: 'a', key })).rejects.toMatchObject({
      code: 'key_reused',
    })
    await flying
    await expect(safepoint.run(slow, { id: `${key}x`, seconds: 0 }, { scope: 'a', key })).rejects.toMatchObject({
      code: 'key_reused',
    })
    await expect(safepoint.run(insert, { id: key, seconds: 0.05 } as never, { scope: 'a', key })).rejects.toMatchObject(
      { code: 'key_reused' },
    )
    expect(await count(`${key}x`)).toBe(0)
  })

  it('I5: the same key in another scope is independent', async () => {
    const key = unique()
    await safepoint.run(insert, { id: `${key}-a` }, { scope: 'a', key })
    const other = await safepoint.run(insert, { id: `${key}-b` }, { scope: 'b', key })
    expect(other).toMatchObject({ outcome: 'succeeded', replayed: false, result: { id: `${key}-b`, scope: 'b' } })
  })

  it('members in another order are the same request; a number and its text are not (RFC 8785)', async () => {
    const key = unique()
    await safepoint.run(insert, { id: key, effect: '' }, { scope: 'a', key })
    expect(await safepoint.run(insert, { effect: '', id: key }, { scope: 'a', key })).toMatchObject({ replayed: true })
    await expect(safepoint.run(insert, { id: key, effect: 5 } as never, { scope: 'a', key })).rejects.toMatchObject({
      code: 'key_reused',
    })
  })

  it('I5: a handler that changes its input does not change what was asked', async () => {
    const key = unique()
    const input = () => ({ id: key, tags: ['b', 'a'] })
    await safepoint.run(sorting, input(), { scope: 'a', key })
    for (const retryAttempt of [0, 1]) {
      expect(await safepoint.run(sorting, input(), { scope: 'a', key, retryAttempt })).toMatchObject({ replayed: true })
    }
  })

  it('a throw rolls back and frees the key', async () => {
    const key = unique()
    await expect(safepoint.run(insert, { id: key, effect: 'throw' }, { scope: 'a', key })).rejects.toThrow(
      'thrown after the insert',
    )
    await expect(safepoint.run(insert, { id: key, effect: 'refuse' }, { scope: 'a', key })).rejects.toMatchObject({
      code: 'cart_empty',
    })
    expect(await count(key)).toBe(0)
    expect(await safepoint.find('a', key)).toEqual({ state: 'none' })
    expect(await safepoint.run(insert, { id: key }, { scope: 'a', key })).toMatchObject({ outcome: 'succeeded' })
  })

  it('a returned refusal is rolled back, stored and replayed', async () => {
    const key = unique()
    const first = await safepoint.run(insert, { id: key, effect: 'fail' }, { scope: 'a', key })
    expect(first).toMatchObject({
      outcome: 'failed',
      replayed: false,
      error: { code: 'card_declined', details: { id: key } },
    })
    expect(await count(key)).toBe(0)
    const again = await safepoint.run(insert, { id: key, effect: 'fail' }, { scope: 'a', key })
    expect(again).toMatchObject({ outcome: 'failed', replayed: true, error: { code: 'card_declined' } })
    expect(await safepoint.cancel('a', key)).toMatchObject({ outcome: 'too_late', state: 'failed' })
  })

  it('runs the whole transaction again on a conflict, and says so when it gives up', async () => {
    const key = unique()
    expect(await safepoint.run(counter, { id: key, times: 2 }, { scope: 'a', key })).toMatchObject({
      result: { attempt: 3 },
    })
    const lost = unique()
    await expect(safepoint.run(counter, { id: lost, times: 9 }, { scope: 'a', key: lost })).rejects.toMatchObject({
      code: 'conflict',
      retryable: true,
      attempts: 3,
      currentVersion: 7,
    })
  })

  it('a deadline stops the statement, rolls back and leaves no row', async () => {
    const key = unique()
    const started = performance.now()
    await expect(safepoint.run(shortlived, { id: key, seconds: 20 }, { scope: 'a', key })).rejects.toMatchObject({
      code: 'timeout',
      retryable: true,
    })
    expect(performance.now() - started).toBeLessThan(5000)
    expect(await count(key)).toBe(0)
    expect(await safepoint.find('a', key)).toEqual({ state: 'none' })
    expect(await safepoint.run(shortlived, { id: key, seconds: 0 }, { scope: 'a', key: unique() })).toMatchObject({
      outcome: 'succeeded',
    })
  })

  it('a disconnect cancels only when the last attached caller has gone, and only under that policy', async () => {
    const key = unique()
    const [one, two] = [new AbortController(), new AbortController()]
    const first = safepoint.run(impatient, { id: key, seconds: 0.15 }, { scope: 'a', key, disconnect: one.signal })
    const second = safepoint.run(impatient, { id: key, seconds: 0.15 }, { scope: 'a', key, disconnect: two.signal })
    one.abort()
    expect(await second).toMatchObject({ outcome: 'succeeded' })
    await first
    const gone = unique()
    const alone = new AbortController()
    const lost = safepoint.run(
      impatient,
      { id: gone, seconds: 20 },
      { scope: 'a', key: gone, disconnect: alone.signal },
    )
    alone.abort()
    await expect(lost).rejects.toMatchObject({ code: 'interrupted', details: { reason: 'client_disconnect' } })
    expect(await count(gone)).toBe(0)
    expect(await safepoint.find('a', gone)).toEqual({ state: 'none' })
    const patient = unique()
    const leaving = new AbortController()
    const finished = safepoint.run(
      slow,
      { id: patient, seconds: 0.05 },
      { scope: 'a', key: patient, disconnect: leaving.signal },
    )
    leaving.abort()
    expect(await finished).toMatchObject({ outcome: 'succeeded' })
  })

  it('a handler cannot end its transaction, leave a statement unanswered, or pass the gate after a caught error', async () => {
    for (const how of [
      'commit',
      ' /* x */ ROLLBACK',
      '/* /* x */ */ commit',
      '; commit',
      '-- y\nend',
      '-- y\rend',
      'begin',
      'not awaited',
      'caught',
    ]) {
      const key = unique()
      await expect(safepoint.run(cheat, { id: key, how }, { scope: 'a', key })).rejects.toThrow()
      expect(await count(key), how).toBe(0)
      expect(await safepoint.find('a', key), how).toEqual({ state: 'none' })
    }
    // Past the refusal by its looks: the protocol tells that there is no transaction any more, and nothing is told as done.
    const gone = unique()
    let looks = 0
    const twoFaced = { how: { text: 'select 1', values: [] } }
    Object.defineProperty(twoFaced.how, 'text', { get: () => (looks++ === 0 ? 'select 1' : 'commit') })
    await expect(
      safepoint.run(cheat, { id: gone, ...twoFaced } as any, { scope: 'a', key: gone, fingerprintOf: 1 }),
    ).rejects.toThrow('ended its transaction by itself')
    expect(await safepoint.find('a', gone)).toEqual({ state: 'none' })
    const key = unique()
    expect(await safepoint.run(cheat, { id: key, how: 'savepoint s' }, { scope: 'a', key })).toMatchObject({
      outcome: 'succeeded',
    })
  })

  it('fresh fields are minted at each answer and never stored', async () => {
    const key = unique()
    const first = await safepoint.run(fresh, {}, { scope: 'a', key })
    const again = await safepoint.run(fresh, {}, { scope: 'a', key })
    if (first.outcome !== 'succeeded' || again.outcome !== 'succeeded') throw new Error('unreachable')
    expect(JSON.parse(Buffer.from(first.response.body).toString())).toEqual(first.result)
    expect((first.result as any).token).not.toBe((again.result as any).token)
    const [row] = await sql('select body from safepoint.operation where key = $1', [key])
    expect(row?.body.toString()).toBe('{"user":"u1"}')
  })
})

describe('an inbox operation', () => {
  it('I1: takes an event once, three times at once and later, and records another payload under its id as a conflict', async () => {
    const key = unique()
    const send = (amount: number) => safepoint.run(event, { id: key, amount }, { scope: 'stripe', key })
    const answers = await Promise.all([send(5), send(5), send(5)])
    expect(new Set(answers.map(({ operationId }) => operationId)).size).toBe(1)
    const before = runs
    expect(await send(5)).toMatchObject({ replayed: true })
    // Providers repeat without a word: it is looked up, and nothing is run to find out.
    expect(runs).toBe(before)
    await expect(send(6)).rejects.toMatchObject({ code: 'key_reused' })
    await expect(send(6)).rejects.toMatchObject({ code: 'key_reused' })
    expect(await sql('select amount from thing where id = $1', [key])).toEqual([{ amount: 5 }])
    expect(await sql('select payload from safepoint.inbox_conflict where key = $1', [key])).toEqual([
      { payload: JSON.stringify({ id: key, amount: 6 }) },
    ])
  })
})

describe('a cancel', () => {
  it('I2: before the operation arrives leaves a tombstone, and the operation is refused later', async () => {
    const key = unique()
    expect(await safepoint.cancel('a', key, { reason: 'changed my mind' })).toMatchObject({ outcome: 'cancelled' })
    expect(await safepoint.run(insert, { id: key }, { scope: 'a', key })).toMatchObject({ outcome: 'cancelled' })
    expect(await count(key)).toBe(0)
    expect(await safepoint.cancel('a', key)).toMatchObject({ outcome: 'cancelled', repeat: true })
  })

  it('I2: in mid-flight stops the running statement, from this process and from another', async () => {
    const other = await another()
    for (const canceller of [safepoint, other]) {
      const key = unique()
      const running = safepoint.run(slow, { id: key, seconds: 4 }, { scope: 'a', key })
      await until(
        async () =>
          (
            await sql(
              `select 1 from pg_stat_activity where datname = current_database() and state = 'active' and query like 'select pg_sleep%'`,
            )
          ).length > 0,
      )
      const started = performance.now()
      expect(await canceller.cancel('a', key)).toMatchObject({ outcome: 'cancelled' })
      expect(await running).toMatchObject({ outcome: 'cancelled' })
      expect(performance.now() - started).toBeLessThan(2000)
      expect(await count(key)).toBe(0)
    }
  })

  it('I3: afterwards is too late, carries the result and offers the undo, which happens once', async () => {
    const key = unique()
    await safepoint.run(undoable, { id: key }, { scope: 'a', key })
    const answer = await safepoint.cancel('a', key)
    expect(answer).toMatchObject({
      outcome: 'too_late',
      state: 'succeeded',
      result: { id: key },
      undo: { available: true },
    })
    const [one, two] = await Promise.all([safepoint.undo('a', key), safepoint.undo('a', key)])
    expect(one).toMatchObject({ outcome: 'succeeded', result: { removed: key } })
    expect(two.operationId).toBe(one.operationId)
    expect(await count(key)).toBe(0)
    expect(await safepoint.cancel('a', key)).toMatchObject({ outcome: 'too_late', undone: { key: one.key } })
    expect(await safepoint.undo('a', key)).toMatchObject({ replayed: true, operationId: one.operationId })
    await expect(safepoint.cancel('a', one.key)).rejects.toMatchObject({ code: 'not_cancellable' })
    const kept = unique()
    await safepoint.run(insert, { id: kept }, { scope: 'a', key: kept })
    expect(await safepoint.cancel('a', kept)).toMatchObject({
      outcome: 'too_late',
      undo: { available: false, keep: 'a test' },
    })
    await expect(safepoint.undo('a', kept)).rejects.toMatchObject({ code: 'not_undoable' })
  })

  it('I12: a signal that nobody has cancelled for decides nothing; the key can be tried again', async () => {
    const key = unique()
    const running = safepoint.run(slow, { id: key, seconds: 4 }, { scope: 'a', key })
    await until(
      async () =>
        (
          await sql(
            `select 1 from pg_stat_activity where datname = current_database() and state = 'active' and query like 'select pg_sleep%'`,
          )
        ).length > 0,
    )
    safepoint.bus.publish('sp:cancel', JSON.stringify(['a', key]))
    await expect(running).rejects.toMatchObject({ code: 'interrupted', retryable: true })
    expect(await safepoint.run(slow, { id: key, seconds: 0 }, { scope: 'a', key })).toMatchObject({
      outcome: 'succeeded',
    })
  })

  it('I9: leaves one event a call, and one under its own key however often it is sent', async () => {
    const key = unique()
    const calls = await Promise.all(
      [1, 2, 3, 4, 5].map(() =>
        safepoint.cancel('a', key, { requestKey: `${key}-cancel`, reason: 'r', payload: { a: 1 } }),
      ),
    )
    expect(new Set(calls.map(({ outcome }) => outcome))).toEqual(new Set(['cancelled']))
    expect(new Set(calls.map(({ eventId }) => eventId)).size).toBe(1)
    await safepoint.cancel('a', key)
    const events = await sql(
      'select outcome, reason, payload, noop from safepoint.cancel_event where key = $1 order by at',
      [key],
    )
    expect(events).toEqual([
      { outcome: 'cancelled', reason: 'r', payload: '{"a":1}', noop: false },
      { outcome: 'cancelled', reason: null, payload: null, noop: true },
    ])
  })
})

describe('keys', () => {
  it("have 1 to 255 bytes of UTF-8 and no control characters; derived ones are the server's", async () => {
    for (const key of ['', 'x'.repeat(256), 'é'.repeat(128), 'a\u0000b', 'a\nb', '~mine', '\ud800']) {
      await expect(
        safepoint.run(insert, { id: 'never' }, { scope: 'a', key }),
        JSON.stringify(key),
      ).rejects.toMatchObject({ code: 'key_invalid' })
    }
    expect(await safepoint.run(insert, { id: 'longest' }, { scope: 'a', key: 'é'.repeat(127) + 'x' })).toMatchObject({
      outcome: 'succeeded',
    })
  })

  it('a missing one is made and returned, and the operation can be found by it', async () => {
    const answer = await safepoint.run(insert, { id: unique() }, { scope: 'a' })
    expect(await safepoint.find('a', answer.key)).toMatchObject({
      state: 'succeeded',
      name: 'thing.insert',
      id: answer.operationId,
    })
  })

  it('after retention are expired, not forgotten: nothing runs, and a cancel is too late without the result', async () => {
    const key = unique()
    await safepoint.run(insert, { id: key }, { scope: 'a', key })
    await sql(`update safepoint.operation set ended_at = ended_at - interval '40 days' where key = $1`, [key])
    const { stripOperations } = await import('../src/sql/strip-operations.ts')
    await safepoint.database.query(stripOperations(30 * 24 * 3600_000, 0))
    await expect(safepoint.run(insert, { id: key }, { scope: 'a', key })).rejects.toMatchObject({
      code: 'key_expired',
      details: { state: 'succeeded' },
    })
    const answer = await safepoint.cancel('a', key)
    expect(answer).toMatchObject({ outcome: 'too_late', state: 'succeeded' })
    expect(answer).not.toHaveProperty('result')
  })

  it('are expired a stretch of the table at a time: what lies elsewhere waits for its turn', async () => {
    const key = unique()
    await safepoint.run(insert, { id: key }, { scope: 'a', key })
    await sql(`update safepoint.operation set ended_at = ended_at - interval '40 days' where key = $1`, [key])
    const { stripBlocks, stripOperations } = await import('../src/sql/strip-operations.ts')
    const strip = (fromBlock: number) =>
      safepoint.database.query<{ blocks: number }>(stripOperations(30 * 24 * 3600_000, fromBlock))
    const stripped = () => sql(`select from safepoint.operation where key = $1 and stripped_at is not null`, [key])
    const { rows } = await strip(stripBlocks)
    expect(rows[0]!.blocks).toBeGreaterThan(0)
    expect(await stripped()).toHaveLength(0)
    await strip(0)
    expect(await stripped()).toHaveLength(1)
  })
})
