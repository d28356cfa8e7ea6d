import { describe, expect, it } from 'vitest'
import type { TransactionOptions } from '../../src/index.ts'
import type { ContractBench } from './database-contract.ts'

/** The three ends of a transaction, and that it is told which. */
export function describeEnds<Tx>(name: string, bench: ContractBench<Tx>): void {
  const { open, outside, put, putLast, send, stored, unique } = bench
  describe(`the contract of ${name}: how a transaction ends`, () => {
    const database = open()
    const run = <T>(work: (tx: Tx) => Promise<T>, options: TransactionOptions<T> = {}) =>
      database.transaction<T>(options, work)

    it('committed means the command tag COMMIT; what was sent last is part of it and its results are told', async () => {
      const [one, two] = [unique(), unique()]
      const end = await run(async (tx) => (await put(tx, one), 'made'), {
        last: (value) => [putLast(two), { text: 'select $1::text as value', values: [value] }],
      })
      expect(end).toMatchObject({ end: 'committed', value: 'made' })
      if (end.end !== 'committed') throw new Error('unreachable')
      expect(end.results.map(({ command, rowCount }) => [command, rowCount])).toEqual([
        ['INSERT', 1],
        ['SELECT', 1],
      ])
      expect(end.results[1]!.rows).toEqual([{ value: 'made' }])
      expect([await stored(one), await stored(two)]).toEqual([true, true])
    })

    it('commits work that sent nothing, together with what is sent last', async () => {
      const id = unique()
      const end = await run(async () => undefined, {
        last: () => [putLast(id)],
      })
      expect(end).toMatchObject({ end: 'committed', results: [{ command: 'INSERT' }] })
      expect(await stored(id)).toBe(true)
    })

    it('begins as it was told though the work sends nothing: what is sent last is not committed by itself', async () => {
      const id = unique()
      const end = await open().transaction({ readOnly: true, last: () => [putLast(id)] }, async () => undefined)
      expect(end).toMatchObject({ end: 'rolled back', error: { code: '25006' } })
      expect(await stored(id)).toBe(false)
    })

    it('what goes first has happened before the work sends its first statement', async () => {
      const id = unique()
      const end = await run(async (tx) => send(tx, 'select id from thing where id = $1::text', [id]), {
        first: [putLast(id)],
      })
      expect(end).toMatchObject({ end: 'committed', value: [{ id }] })
    })

    it('rolled back, with the error, when the work throws', async () => {
      const [id, error] = [unique(), new Error('thrown')]
      const end = await run(async (tx) => {
        await put(tx, id)
        throw error
      })
      expect(end).toEqual({ end: 'rolled back', error, interrupted: false })
      expect(await stored(id)).toBe(false)
    })

    it('rolled back, with the error, when the work throws before it has given a promise; and what it gives need not be one', async () => {
      const error = new Error('thrown at once')
      const thrown = await run(() => {
        throw error
      })
      expect(thrown).toEqual({ end: 'rolled back', error, interrupted: false })
      const id = unique()
      const plain = await run((() => 'plain') as never, { last: () => [putLast(id)] })
      expect(plain).toMatchObject({ end: 'committed', value: 'plain' })
      expect(await stored(id)).toBe(true)
    })

    it('rolled back when `last` says so, or throws', async () => {
      const id = unique()
      const refused = await run((tx) => put(tx, id), { last: () => 'rollback' })
      expect(refused).toMatchObject({ end: 'rolled back', interrupted: false })
      const thrown = await run((tx) => put(tx, id), {
        last: () => {
          throw new Error('in last')
        },
      })
      expect(thrown).toMatchObject({ end: 'rolled back', error: { message: 'in last' } })
      expect(await stored(id)).toBe(false)
    })

    it('rolled back, with the SQLSTATE, when a statement sent with the COMMIT fails: the COMMIT behind it does not', async () => {
      const [id, taken] = [unique(), unique()]
      await outside.query('insert into thing (id) values ($1)', [taken])
      const gate = putLast(taken)
      const one = await run((tx) => put(tx, id), { last: () => [gate] })
      expect(one).toMatchObject({ end: 'rolled back', error: { code: '23505', constraint: 'thing_pkey' } })
      const behind = await run((tx) => put(tx, id), { last: () => [gate, { text: 'select 1' }] })
      expect(behind).toMatchObject({ end: 'rolled back', error: { code: '23505' } })
      expect(await stored(id)).toBe(false)
    })

    it('rolled back when COMMIT itself is refused, by a deferred constraint', async () => {
      const id = unique()
      const end = await run(async (tx) => {
        await put(tx, id)
        await send(tx, `insert into part (of_thing) values ('nothing')`)
      })
      expect(end).toMatchObject({ end: 'rolled back', error: { code: '23503' }, interrupted: false })
      expect(await stored(id)).toBe(false)
    })

    it('rolled back when the work caught an error of the server and returned all the same, also where COMMIT is answered without one', async () => {
      for (const options of [{ last: () => [{ text: 'select 1' }] }, {}]) {
        const id = unique()
        const end = await run(async (tx) => {
          await put(tx, id)
          await expect(send(tx, 'select 1/0')).rejects.toMatchObject({ code: '22012' })
          await expect(put(tx, unique())).rejects.toMatchObject({ code: '25P02' })
        }, options)
        expect(end).toMatchObject({ end: 'rolled back', interrupted: false })
        expect(await stored(id)).toBe(false)
      }
    })

    it('committed when the work went back to a savepoint behind the error', async () => {
      const id = unique()
      const end = await run(async (tx) => {
        await put(tx, id)
        await send(tx, 'savepoint s')
        await send(tx, 'select 1/0').catch(() => undefined)
        await send(tx, 'rollback to savepoint s')
      })
      expect(end).toMatchObject({ end: 'committed' })
      expect(await stored(id)).toBe(true)
    })

    it('rolled back when the work returns while a statement of its own is unanswered', async () => {
      const id = unique()
      for (const before of [true, false]) {
        const end = await run(async (tx) => {
          if (before) await put(tx, id)
          void put(tx, `${id}-late`).catch(() => undefined)
        })
        expect(end, `${before}`).toMatchObject({ end: 'rolled back', interrupted: false })
      }
      expect([await stored(id), await stored(`${id}-late`)]).toEqual([false, false])
    })

    it('the work cannot end, or begin, a transaction; what it sends with that in one text is refused as well', async () => {
      const control = [
        'commit',
        'COMMIT AND CHAIN',
        '; commit',
        '/* /* nested */ */ commit',
        '-- ends with a return\rcommit',
        ' /* c */ rollback',
        '-- c\nend',
        'abort',
        'begin',
        'start transaction',
        `prepare transaction 'x'`,
        `prepare/* between */transaction 'x'`,
        `prepare --\n transaction 'x'`,
        'start/**/transaction',
        'rollback/* to */',
        '\f\v\n;;commit',
        'select 1; commit',
      ]
      for (const text of control) {
        const id = unique()
        const end = await run(async (tx) => {
          await put(tx, id)
          await expect(send(tx, text), text).rejects.toThrow()
          throw new Error('stop')
        })
        // By this error: an assertion that failed inside would have rolled back as well.
        expect(end, text).toMatchObject({ end: 'rolled back', error: { message: 'stop' } })
        expect(await stored(id), text).toBe(false)
      }
    })

    it('its transaction is over for the work once it has returned', async () => {
      let kept: Tx | undefined
      const id = unique()
      expect(await run(async (tx) => void (kept = tx))).toMatchObject({ end: 'committed' })
      await expect(put(kept!, id)).rejects.toThrow()
      await expect((async () => database.sql(kept!).query('select 1'))()).rejects.toThrow()
      expect(await run(async (tx) => put(tx, unique()))).toMatchObject({ end: 'committed' })
      expect(await stored(id)).toBe(false)
    })

    it('has the isolation and the access mode that were asked for, and read committed without', async () => {
      const read = async (tx: Tx) => [
        (await send(tx, 'show transaction_isolation'))[0].transaction_isolation,
        (await send(tx, 'show transaction_read_only'))[0].transaction_read_only,
      ]
      expect(await run(read)).toMatchObject({ value: ['read committed', 'off'] })
      expect(await run(read, { isolation: 'serializable' })).toMatchObject({ value: ['serializable', 'off'] })
      expect(await run(read, { isolation: 'repeatable read', readOnly: true })).toMatchObject({
        value: ['repeatable read', 'on'],
      })
    })

    it('commits are durable, and a dead host cannot hold its locks for ever', async () => {
      const end = await run(async (tx) => {
        const names = ['synchronous_commit', 'statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout']
        const values: string[] = []
        for (const setting of names)
          values.push((await send(tx, 'select current_setting($1::text) as value', [setting]))[0].value)
        return values
      })
      if (end.end !== 'committed') throw new Error(`it was ${end.end}`)
      expect(end.value[0]).toBe('on')
      expect(end.value.slice(1)).not.toContain('0')
    })

    it('takes and gives values as the engine writes and reads them', async () => {
      const bytes = new Uint8Array([0, 255, 39, 92])
      const { rows } = await database.query<any>({
        text: `select $1::text as nothing, $2::bytea as bytes, $3::text[] as texts, $4::integer[] as numbers, $5::boolean as yes,
          $6::float8 + 0.5 as float, $7::uuid as id, clock_timestamp() as at, null::integer as none, 'a"b\\c'::text as text`,
        values: [undefined, bytes, ['a', 'b"{},', ''], [1, 2], true, 1, '00000000-0000-0000-0000-000000000001'],
      })
      expect(rows[0]).toMatchObject({
        nothing: null,
        texts: ['a', 'b"{},', ''],
        numbers: [1, 2],
        yes: true,
        float: 1.5,
        id: '00000000-0000-0000-0000-000000000001',
        none: null,
        text: 'a"b\\c',
      })
      expect(Buffer.compare(rows[0].bytes, bytes)).toBe(0)
      expect(rows[0].at).toBeInstanceOf(Date)
    })

    it('plain SQL of the same transaction goes through `sql(tx)`', async () => {
      const id = unique()
      const end = await run(async (tx) => {
        const { rowCount, command } = await database.sql(tx).query('insert into thing (id) values ($1::text)', [id])
        expect([rowCount, command]).toEqual([1, 'INSERT'])
        const named = { name: 'find_thing', text: 'select id from thing where id = $1::text', values: [id] }
        expect((await database.sql(tx).query(named)).rows).toEqual([{ id }])
        throw new Error('stop')
      })
      expect(end).toMatchObject({ end: 'rolled back', error: { message: 'stop' } })
      expect(await stored(id)).toBe(false)
    })
  })
}
