import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { conflict, createSafepoint, defineOperation, outsideStep, type StandardSchema } from '../src/index.ts'
import { sqlState } from '../src/database.ts'
import { anything, testEngine } from './support/engine.ts'
import { until } from './support/until.ts'

type Run = (ctx: any, input: any) => any
let run: Run = async () => undefined
let returned: Run = async () => undefined
const atomic = defineOperation({
  name: 'thing.do',
  input: anything,
  keep: 'a test',
  async run(ctx, input: any) {
    await ctx.tx.query('insert into thing (id) values ($1::text)', [ctx.key])
    return run(ctx, input)
  },
})
const durable = defineOperation({
  name: 'thing.follow',
  input: anything,
  keep: 'a test',
  steps: { nothing: outsideStep<object, object>({ timeout: 500, call: async () => ({}), keep: 'a test' }) },
  run: async (ctx, input: any) => returned(ctx, input),
})
const fresh = defineOperation({
  name: 'session.open',
  input: anything,
  keep: 'a test',
  fresh: () => ({ token: crypto.randomUUID() }),
  run: (ctx, input: any) => run(ctx, input),
})
/** Of another realm, as a sandbox has one: not `instanceof` ours. */
const OtherPromise: PromiseConstructor = runInNewContext('Promise')
/** Answers later, by such a promise. */
const later: StandardSchema<any, any> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate(value: any) {
      const result = value.n > 0 ? { value: { n: value.n + 1 } } : { issues: [{ message: 'too small', path: ['n'] }] }
      return new OtherPromise((resolve) => setImmediate(resolve, result as never))
    },
  },
}
const checked = defineOperation({ ...atomic, name: 'thing.check', input: later })
const followed = defineOperation({ ...durable, name: 'thing.check-and-follow', input: later })
// What the types forbid, and JavaScript does not.
const plain = defineOperation({
  name: 'thing.plain',
  input: anything,
  keep: 'a test',
  run: (ctx, input) => run(ctx, input),
})
const { safepoint, sql } = await testEngine([atomic, durable, fresh, checked, followed, plain])

const unhandled: unknown[] = []
const note = (reason: unknown) => void unhandled.push(reason)
beforeAll(() => void process.on('unhandledRejection', note))
afterAll(() => void process.off('unhandledRejection', note))

let n = 0
const unique = () => `k${++n}`
/** Nothing is stored of it, and its key is free. */
async function expectNoTrace(key: string) {
  expect(await sql('select from thing where id = $1', [key])).toEqual([])
  expect(await safepoint.find('a', key)).toEqual({ state: 'none' })
}

describe('an input', () => {
  it.each([
    ['a number that is not finite', JSON.parse('{"n":1e999}')],
    ['a depth that no stack can hold', JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`)],
    ['a BigInt', { n: 1n }],
  ])('with %s is refused, and a handler that had begun with it does not end the process', async (_, input) => {
    for (const operation of [atomic, durable]) {
      const key = unique()
      run = async (ctx) => {
        await ctx.tx.query('select 1')
        await ctx.tx.query('select 2')
      }
      await expect(safepoint.run(operation, input, { scope: 'a', key })).rejects.toMatchObject({
        code: 'input_invalid',
      })
      await new Promise((resolve) => setImmediate(resolve))
      await expectNoTrace(key)
    }
  })

  it('I5: whose members are called __proto__, or hold half a surrogate pair, is told from another and changes nothing else', async () => {
    run = async () => ({})
    const spellings = ['{"__proto__":{"polluted":1}}', '{}', '{"a":"\\ud800"}', '{"a":"\\ufffd"}', '{"a":-1e21}']
    const key = unique()
    await safepoint.run(atomic, JSON.parse(spellings[0]!), { scope: 'a', key })
    for (const other of spellings.slice(1))
      await expect(safepoint.run(atomic, JSON.parse(other), { scope: 'a', key })).rejects.toMatchObject({
        code: 'key_reused',
      })
    expect(await safepoint.run(atomic, JSON.parse(spellings[0]!), { scope: 'a', key })).toMatchObject({
      replayed: true,
    })
    expect({}).not.toHaveProperty('polluted')
  })

  it('is what the schema says, also one that answers later by a promise of another realm', async () => {
    run = returned = async (_ctx, input) => input
    for (const operation of [checked, followed]) {
      expect(await safepoint.run(operation, { n: 1 }, { scope: 'a', key: unique() })).toMatchObject({
        result: { n: 2 },
      })
      const key = unique()
      await expect(safepoint.run(operation, { n: 0 }, { scope: 'a', key })).rejects.toMatchObject({
        code: 'input_invalid',
        details: { errors: [{ path: 'n', message: 'too small' }] },
      })
      await expectNoTrace(key)
    }
  })

  it('I5: composed and decomposed keys are two keys, as their bytes are', async () => {
    run = async (_ctx, input) => input
    const [composed, decomposed] = ['é'.normalize('NFC'), 'é'.normalize('NFD')]
    for (const key of [composed, decomposed])
      expect(await safepoint.run(atomic, { key }, { scope: 'a', key })).toMatchObject({
        replayed: false,
        result: { key },
      })
  })
})

describe('what a handler gives back', () => {
  const cycle: { self?: unknown } = {}
  cycle.self = cycle
  it.each<[string, Run]>([
    ['a BigInt', async () => ({ n: 1n })],
    ['a cycle', async () => cycle],
    ['a function', async () => () => 1],
    ['a header with a line end', async (ctx) => (ctx.respond({ headers: { Location: '/a\r\nSet-Cookie: b' } }), {})],
    ['a header beyond ISO 8859-1', async (ctx) => (ctx.respond({ headers: { Location: '/é€' } }), {})],
    ['a header that is no text', async (ctx) => (ctx.respond({ headers: { ETag: 5 } }), {})],
    ['a status that is none', async (ctx) => (ctx.respond({ status: 99 }), {})],
    ['the status of a failure', async (ctx) => (ctx.respond({ status: 500 }), {})],
  ])('is refused before anything is committed where it could never be sent: %s', async (_, work) => {
    run = returned = work
    for (const operation of [atomic, durable]) {
      const key = unique()
      await expect(safepoint.run(operation, {}, { scope: 'a', key })).rejects.toThrow(TypeError)
      await expectNoTrace(key)
    }
  })

  it.each([
    ['nothing', undefined, undefined, 204],
    ['null', null, null, 200],
    ['a Date', new Date(0), '1970-01-01T00:00:00.000Z', 200],
    ['a text', 'é\ud800', 'é\ud800', 200],
  ])('I4: %s is the same the first time and ever after', async (_, result, told, status) => {
    run = returned = async () => result
    for (const operation of [atomic, durable]) {
      const key = unique()
      const first = await safepoint.run(operation, {}, { scope: 'a', key })
      const again = await safepoint.run(operation, {}, { scope: 'a', key })
      for (const answer of [first, again]) expect(answer).toMatchObject({ outcome: 'succeeded', response: { status } })
      expect([(first as any).result, (again as any).result]).toEqual([told, told])
    }
  })

  it('is taken without a promise too; what it throws before there is one leaves no trace, and the key is free', async () => {
    for (const operation of [plain, durable]) {
      const key = unique()
      run = returned = () => {
        throw new Error('at once')
      }
      await expect(safepoint.run(operation, {}, { scope: 'a', key })).rejects.toThrow('at once')
      await expectNoTrace(key)
      run = returned = () => ({ plain: true })
      const answer = await safepoint.run(operation, {}, { scope: 'a', key })
      expect(answer).toMatchObject({ outcome: 'succeeded', replayed: false, result: { plain: true } })
    }
  })

  it('gets no fresh fields unless it is an object: refused before anything is committed', async () => {
    for (const result of ['text', [{}], undefined]) {
      const key = unique()
      run = async () => result
      await expect(safepoint.run(fresh, {}, { scope: 'a', key })).rejects.toThrow(TypeError)
      await expectNoTrace(key)
    }
  })

  it('is given fresh fields of its own in each answer, also to those who asked at the same time', async () => {
    const key = unique()
    let go = () => {}
    const gate = new Promise<void>((resolve) => (go = resolve))
    run = async () => (await gate, { user: 'u1' })
    const answers = [1, 2, 3].map(() => safepoint.run(fresh, {}, { scope: 'a', key }))
    go()
    const tokens = (await Promise.all(answers)).map((answer) => (answer as any).result.token)
    expect(new Set(tokens).size).toBe(3)
  })
})

describe('what a handler throws', () => {
  it.each([['a text'], [undefined], [null], [7]])(
    'may be anything, such as %s: it is rolled back and thrown on',
    async (thrown) => {
      run = returned = () => Promise.reject(thrown)
      for (const operation of [atomic, durable]) {
        const key = unique()
        const caught = await safepoint.run(operation, {}, { scope: 'a', key }).then(
          () => 'no',
          (error: unknown) => ({ error }),
        )
        expect(caught).toEqual({ error: thrown })
        await expectNoTrace(key)
      }
    },
  )

  it("does not pass for an error of PostgreSQL's because its code has five letters", () => {
    expect(sqlState({ code: '23505' })).toBe('23505')
    expect(sqlState(Object.assign(new Error('write EPIPE'), { code: 'EPIPE', errno: -32, syscall: 'write' }))).toBe(
      undefined,
    )
  })

  it('is thrown when its progress is no JSON, and the process goes on', async () => {
    returned = async (ctx) => ctx.progress({ done: 1n })
    await expect(safepoint.run(durable, {}, { scope: 'a', key: unique() })).rejects.toThrow(TypeError)
  })
})

describe('a signal', () => {
  it('I12: that anybody may send decides nothing and breaks nothing, whatever it says', async () => {
    const warned: unknown[] = []
    const warn = (warning: Error) => void warned.push(warning)
    process.on('warning', warn)
    const forged = ['garbage', 'null', '5', '[]', '[1,2]', '{"a":1}'].map((data) => ['sp:cancel', data])
    await sql(`select pg_notify('safepoint', $1)`, [JSON.stringify(['somebody', forged])])
    await sql(`select pg_notify('safepoint', 'garbage')`)
    const heard = new Promise((resolve) => safepoint.bus.subscribe('test:last', resolve))
    await sql(`select pg_notify('safepoint', $1)`, [JSON.stringify(['somebody', [['test:last', '']]])])
    await heard
    // Nor can it fill anybody's log.
    await new Promise((resolve) => setImmediate(resolve))
    process.off('warning', warn)
    expect(warned).toEqual([])
    run = async () => ({})
    expect(await safepoint.run(atomic, {}, { scope: 'a', key: unique() })).toMatchObject({ outcome: 'succeeded' })
  })

  it('I12: that nobody has cancelled for decides nothing while a transaction waits to be run again', async () => {
    const key = unique()
    run = async (ctx) => {
      if (ctx.attempt === 2) safepoint.bus.publish('sp:cancel', JSON.stringify(['a', key]))
      throw conflict('again')
    }
    await expect(safepoint.run(atomic, {}, { scope: 'a', key })).rejects.toMatchObject({ code: 'interrupted' })
    const waits = unique()
    run = async () => {
      setImmediate(() => safepoint.bus.publish('sp:cancel', JSON.stringify(['a', waits])))
      throw conflict('again')
    }
    await expect(safepoint.run(atomic, {}, { scope: 'a', key: waits })).rejects.toMatchObject({
      code: expect.stringMatching(/^(interrupted|conflict)$/),
    })
  })

  it('I9: whose listener throws does not keep a cancel from being told', async () => {
    const warned: unknown[] = []
    const printing = process.listeners('warning')
    process.removeAllListeners('warning').on('warning', (warning) => warned.push(warning.message))
    const forget = safepoint.bus.subscribe('sp:cancel', () => {
      throw new Error('a listener of the application')
    })
    expect(await safepoint.cancel('a', unique())).toMatchObject({ outcome: 'cancelled' })
    forget()
    await until(() => warned.includes('a listener of the application'))
    process.removeAllListeners('warning')
    for (const listener of printing) process.on('warning', listener)
  })
})

it('I9: a cancel does not fail for how it was explained', async () => {
  const key = unique()
  expect(
    await safepoint.cancel('a', key, { reason: 'no\0thing', actor: 'u\0', payload: { text: '\0\ud800' } }),
  ).toMatchObject({ outcome: 'cancelled', reason: 'no\ufffdthing' })
})

it('I1: a gate that was lost to a row which has gone since, as of an operation that was withdrawn, is tried again', async () => {
  const key = unique()
  await sql(
    `insert into safepoint.operation (scope, key, id, name, fingerprint, state, ended_at)
     values ('a', $1, gen_random_uuid(), 'thing.follow', '\\x01', 'cancelled', now())`,
    [key],
  )
  const { database } = safepoint
  const engine = createSafepoint({
    database: {
      ...database,
      async query(statement, options) {
        if (statement.name === 'sp_find_operation') await sql('delete from safepoint.operation where key = $1', [key])
        return database.query<any>(statement, options)
      },
    },
    operations: [atomic],
    bus: safepoint.bus,
  })
  run = async () => ({ done: true })
  expect(await engine.run(atomic, {}, { scope: 'a', key })).toMatchObject({ outcome: 'succeeded', replayed: false })
})

it('none of this has left a rejection that nobody handles, which would end the process', () => {
  expect(unhandled).toEqual([])
})
