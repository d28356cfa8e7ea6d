import { describe, expect, it } from 'vitest'
import {
  conflict,
  createSafepoint,
  defineOperation,
  expectVersion,
  refuse,
  type AtomicContext,
  type SqlTransaction,
  type TransactionRetry,
} from '../src/index.ts'
import { backOff } from '../src/retry.ts'
import { anything, testEngine } from './support/engine.ts'

/** Each of `size` that comes waits for the others; later ones pass. */
function barrier(size: number) {
  let come = 0
  let open = () => {}
  const opened = new Promise<void>((resolve) => void (open = resolve))
  return async () => {
    if (++come >= size) open()
    await opened
  }
}

const met = { skew: barrier(2), deadlock: barrier(2) }
type Context = AtomicContext<SqlTransaction>

const skew = defineOperation({
  name: 'amount.double',
  input: anything,
  keep: 'A test.',
  isolation: 'serializable',
  async run({ tx, attempt }: Context, { id }: { id: string }) {
    const { rows } = await tx.query<{ sum: number }>(`select sum(amount)::int as sum from thing where scope = 'skew'`)
    if (attempt === 1) await met.skew()
    await tx.query(`insert into thing (id, scope, amount) values ($1::text, 'skew', $2::int)`, [id, rows[0]!.sum])
    return { attempt, sum: rows[0]!.sum }
  },
})
const crossing = defineOperation({
  name: 'things.lock',
  input: anything,
  keep: 'A test.',
  async run({ tx, attempt }: Context, { order }: { order: string[] }) {
    await tx.query(`set local deadlock_timeout = '20ms'`)
    for (const [n, id] of order.entries()) {
      await tx.query('update thing set amount = amount + 1 where id = $1::text', [id])
      if (n === 0 && attempt === 1) await met.deadlock()
    }
    return { attempt }
  },
})
const stale = defineOperation({
  name: 'thing.rename',
  input: anything,
  keep: 'A test.',
  async run({ tx, attempt }: Context, { id, before }: { id: string; before: (attempt: number) => Promise<void> }) {
    const read = await tx.query<{ version: number }>('select version from thing where id = $1::text', [id])
    await before(attempt)
    const { version } = read.rows[0]!
    const done = await tx.query(
      `update thing set version = version + 1 where id = $1::text and version = $2::int returning version`,
      [id, version],
    )
    if (done.rowCount === 0) {
      const now = await tx.query<{ version: number }>('select version from thing where id = $1::text', [id])
      expectVersion(now.rows[0]?.version, undefined)
    }
    return { attempt }
  },
})
const patient = defineOperation({ ...stale, name: 'thing.rename-patiently', tries: 4 })
const buying = defineOperation({
  name: 'thing.buy',
  input: anything,
  keep: 'A test.',
  errors: { out_of_stock: 'None left.' },
  run: async ({ attempt }: Context): Promise<void> => {
    if (attempt === 1) throw conflict('The row was taken.')
    throw refuse('out_of_stock', 'None left.', { details: { available: 0 } })
  },
})
const finishing = defineOperation({
  name: 'thing.finish',
  input: anything,
  keep: 'A test.',
  steps: {},
  async run(ctx, { times }: { times: number }) {
    let runs = 0
    return ctx.finish(async () => {
      if (++runs <= times) throw conflict('Somebody else was first.', { retryable: true })
      return { runs }
    })
  },
})

const retries: TransactionRetry[] = []
const logged: object[] = []
const log = {
  info: () => {},
  warn: (fields: object, message: string) => void (message === 'transaction is run again' && logged.push(fields)),
  error: () => {},
}
const operations = [skew, crossing, stale, patient, buying, finishing]
const { safepoint, sql, another } = await testEngine(operations, { log, onRetry: (retry) => void retries.push(retry) })
const key = () => crypto.randomUUID()
const of = (name: string) => retries.filter(({ operation }) => operation === name)

describe('a transaction that lost a race is run again, whole', () => {
  it('after a serialization failure (40001): both writers get in, one of them at its second run', async () => {
    await sql(`insert into thing (id, scope, amount) values ('skew', 'skew', 1)`)
    const answers = await Promise.all(
      ['a', 'b'].map((id) => safepoint.run(skew, { id: `skew-${id}` }, { scope: 'a', key: key() })),
    )
    const results = answers.map((answer) => (answer.outcome === 'succeeded' ? answer.result : undefined))
    expect(results.map((result) => result?.sum).sort()).toEqual([1, 2])
    expect(results.map((result) => result?.attempt).sort()).toEqual([1, 2])
    expect(of('amount.double')).toEqual([
      { operation: 'amount.double', key: expect.any(String), attempt: 1, delay: expect.any(Number), cause: '40001' },
    ])
  })

  it('after a deadlock (40P01), and logs it with operation, attempt, delay and cause', async () => {
    await sql(`insert into thing (id) values ('x'), ('y')`)
    const answers = await Promise.all(
      [
        ['x', 'y'],
        ['y', 'x'],
      ].map((order) => safepoint.run(crossing, { order }, { scope: 'a', key: key() })),
    )
    expect(answers.map((answer) => answer.outcome === 'succeeded' && answer.result.attempt).sort()).toEqual([1, 2])
    expect(await sql(`select id, amount from thing where id in ('x', 'y') order by id`)).toEqual([
      { id: 'x', amount: 2 },
      { id: 'y', amount: 2 },
    ])
    const [told] = of('things.lock')
    expect(told).toMatchObject({ attempt: 1, cause: '40P01' })
    expect(logged).toContainEqual({ ...told, cause: '40P01' })
  })

  it('up to three times: then 409 with the attempts, the version that is there, and when to come again', async () => {
    await sql(`insert into thing (id) values ('v')`)
    const overtake = async () => void (await sql(`update thing set version = version + 1 where id = 'v'`))
    const once = await safepoint.run(
      stale,
      { id: 'v', before: (attempt: number) => (attempt === 1 ? overtake() : Promise.resolve()) },
      { scope: 'a', key: key(), fingerprintOf: 1 },
    )
    expect(once).toMatchObject({ outcome: 'succeeded', result: { attempt: 2 } })
    retries.length = 0
    const lost = await safepoint
      .run(stale, { id: 'v', before: overtake }, { scope: 'a', key: key(), fingerprintOf: 2 })
      .catch((error: unknown) => error)
    const [{ version }] = (await sql<{ version: number }>(`select version from thing where id = 'v'`)) as [any]
    expect(lost).toMatchObject({ code: 'conflict', retryable: true, attempts: 3, currentVersion: version })
    expect((lost as { retryAfterMs: number }).retryAfterMs).toBeGreaterThan(0)
    expect(of('thing.rename').map(({ attempt, cause }) => [attempt, cause])).toEqual([
      [1, 'conflict'],
      [2, 'conflict'],
    ])
  })

  it("as often as the engine's options say, and an operation's own number outranks them", async () => {
    const persistent = await another({ attempts: 5 })
    const overtake = async () => void (await sql(`update thing set version = version + 1 where id = 'v'`))
    for (const [operation, attempts] of [
      [stale, 5],
      [patient, 4],
    ] as const) {
      await expect(
        persistent.run(operation, { id: 'v', before: overtake }, { scope: 'a', key: key(), fingerprintOf: attempts }),
      ).rejects.toMatchObject({ code: 'conflict', attempts })
    }
    for (const attempts of [0, 11, 2.5])
      expect(() => createSafepoint({ database: safepoint.database, operations: [], attempts })).toThrow(TypeError)
  })

  it('until it meets a refusal, which says how often it was tried and is not retryable', async () => {
    await expect(safepoint.run(buying, {}, { scope: 'a', key: key() })).rejects.toMatchObject({
      code: 'out_of_stock',
      retryable: false,
      attempts: 2,
      details: { available: 0 },
    })
  })

  it("five times where it is a durable operation's last one, because to give up there undoes what was done outside", async () => {
    expect(await safepoint.run(finishing, { times: 4 }, { scope: 'a', key: key() })).toMatchObject({
      outcome: 'succeeded',
      result: { runs: 5 },
    })
    expect(of('thing.finish').map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4])
    await expect(safepoint.run(finishing, { times: 5 }, { scope: 'a', key: key() })).rejects.toMatchObject({
      code: 'conflict',
      retryable: true,
      attempts: 5,
    })
  })
})

it('waits with full jitter between runs, never longer than 3 s', () => {
  for (const [attempt, most] of [
    [1, 40],
    [3, 160],
    [30, 3000],
  ] as const) {
    const delays = Array.from({ length: 500 }, () => backOff(attempt))
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...delays)).toBeLessThanOrEqual(most)
    // Spread over the whole range, not bunched at its end: all at once would meet again.
    expect(delays.filter((delay) => delay < most / 2).length).toBeGreaterThan(150)
  }
})
