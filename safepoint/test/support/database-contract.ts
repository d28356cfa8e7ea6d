import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sqlState, type Database, type TransactionOptions } from '../../src/index.ts'
import { testDatabase } from './database.ts'
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts'
import { until } from './until.ts'

/** An adapter, as the contract needs it. */
export interface ContractSubject<Tx> {
  /** Opens it with so many connections for work, and with `connect` milliseconds to get one. */
  open(options: { url: string; max: number; connect: number }): Database<Tx>
  /** Sends one statement the way a handler would, and resolves with its rows. */
  send(tx: Tx, text: string, values?: readonly unknown[]): Promise<readonly any[]>
}

const connect = 400

/**
 * What the engine relies on, of any adapter: `docs/guides/bring-your-own-database.md` says it in words. Call it at the top
 * of a test file, once for each way the adapter can be set up; it uses a database of its own on a real server.
 */
export async function describeDatabaseContract<Tx>(name: string, subject: ContractSubject<Tx>): Promise<void> {
  const { url } = await testDatabase({ template: 'empty' })
  const outside = new pg.Pool({ connectionString: url, max: 3 })
  const wholeMs = 5000
  const opened: Database<Tx>[] = []
  const open = (more: { url?: string; max?: number } = {}) => {
    const database = subject.open({ url, max: 1, connect, ...more })
    opened.push(database)
    return database
  }
  const { send } = subject
  let n = 0
  const unique = () => `${name}-${++n}`
  const stored = async (id: string) => (await outside.query('select 1 from thing where id = $1', [id])).rowCount! > 0
  const put = (tx: Tx, id: string) => send(tx, 'insert into thing (id) values ($1::text)', [id])
  const pidOf = async (tx: Tx) => Number((await send(tx, 'select pg_backend_pid() as pid'))[0].pid)
  const running = (text: string) =>
    until(async () => {
      const found = await outside.query(`select pid from pg_stat_activity where state = 'active' and query = $1`, [
        text,
      ])
      return found.rows[0]?.pid as number | undefined
    })

  beforeAll(async () => {
    await outside.query(`
      create table thing (id text primary key);
      create table part (of_thing text references thing (id) deferrable initially deferred);
      create table slow_to_commit (seconds float8);
      create function sleep_at_commit() returns trigger language plpgsql as
        'begin perform pg_sleep(new.seconds); return null; end';
      create constraint trigger sleep_at_commit after insert on slow_to_commit deferrable initially deferred
        for each row execute function sleep_at_commit();`)
  })
  afterAll(async () => {
    await Promise.all(opened.map((database) => database.close?.()))
    await outside.end()
  })

  describe(`the contract of ${name}: how a transaction ends`, () => {
    const database = open()
    const run = <T>(work: (tx: Tx) => Promise<T>, options: TransactionOptions<T> = {}) =>
      database.transaction<T>(options, work)

    it('committed means the command tag COMMIT; what was sent last is part of it and its results are told', async () => {
      const [one, two] = [unique(), unique()]
      const end = await run(async (tx) => (await put(tx, one), 'made'), {
        last: (value) => [
          { text: 'insert into thing (id) values ($1::text)', values: [two] },
          { text: 'select $1::text as value', values: [value] },
        ],
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
        last: () => [{ text: 'insert into thing (id) values ($1::text)', values: [id] }],
      })
      expect(end).toMatchObject({ end: 'committed', results: [{ command: 'INSERT' }] })
      expect(await stored(id)).toBe(true)
    })

    it('what goes first has happened before the work sends its first statement', async () => {
      const id = unique()
      const end = await run(async (tx) => send(tx, 'select id from thing where id = $1::text', [id]), {
        first: [{ text: 'insert into thing (id) values ($1::text)', values: [id] }],
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
      const gate = { text: 'insert into thing (id) values ($1::text)', values: [taken] }
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

    it('rolled back when the work caught an error of the server and returned all the same', async () => {
      const id = unique()
      const end = await run(
        async (tx) => {
          await put(tx, id)
          await expect(send(tx, 'select 1/0')).rejects.toMatchObject({ code: '22012' })
          await expect(put(tx, unique())).rejects.toMatchObject({ code: '25P02' })
        },
        { last: () => [{ text: 'select 1' }] },
      )
      expect(end).toMatchObject({ end: 'rolled back', interrupted: false })
      expect(await stored(id)).toBe(false)
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
        ' /* c */ rollback',
        '-- c\nend',
        'abort',
        'begin',
        'start transaction',
        `prepare transaction 'x'`,
        'select 1; commit',
      ]
      for (const text of control) {
        const id = unique()
        const end = await run(async (tx) => {
          await put(tx, id)
          await expect(send(tx, text), text).rejects.toThrow()
          throw new Error('stop')
        })
        expect(end.end, text).toBe('rolled back')
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

  describe(`the contract of ${name}: interruption`, () => {
    const database = open()

    it('stops the running statement, rolls back, and the same connection goes on', async () => {
      const first = await database.transaction({}, pidOf)
      const [id, reason, text] = [unique(), new Error('enough'), `select pg_sleep(20), '${unique()}'`]
      const controller = new AbortController()
      const ending = database.transaction({ signal: controller.signal }, async (tx) => {
        await put(tx, id)
        await send(tx, text)
      })
      await running(text)
      const started = performance.now()
      controller.abort(reason)
      expect(await ending).toEqual({ end: 'rolled back', error: reason, interrupted: true })
      expect(performance.now() - started).toBeLessThan(2000)
      expect(await stored(id)).toBe(false)
      expect(await database.transaction({}, pidOf)).toMatchObject({ end: 'committed', value: (first as any).value })
    })

    it('never hits the next statement on that connection, wherever in a statement the interruption falls', async () => {
      for (let round = 0; round < 40; round++) {
        const controller = new AbortController()
        const end = await database.transaction({ signal: controller.signal }, async (tx) => {
          setTimeout(() => controller.abort(new Error('enough')), round / 10)
          await send(tx, 'select pg_sleep(0.002)')
          await send(tx, 'select pg_sleep(0.002)')
        })
        expect(end.end).toBe(end.end === 'committed' ? 'committed' : 'rolled back')
        const next = await database.transaction({}, async (tx) => send(tx, 'select pg_sleep(0.01)'))
        expect(next, `round ${round}`).toMatchObject({ end: 'committed' })
      }
    })

    it('does not wait for work that ignores it, and closes its transaction', async () => {
      const [id, controller] = [unique(), new AbortController()]
      let goOn = () => {}
      let after: Promise<unknown> | undefined
      const end = await database.transaction({ signal: controller.signal }, async (tx) => {
        await put(tx, id)
        controller.abort(new Error('enough'))
        await new Promise<void>((resolve) => (goOn = resolve))
        after = put(tx, `${id}-late`)
        after.catch(() => undefined)
      })
      expect(end).toMatchObject({ end: 'rolled back', interrupted: true })
      goOn()
      await until(() => after)
      await expect(after).rejects.toThrow()
      expect([await stored(id), await stored(`${id}-late`)]).toEqual([false, false])
    })

    it('before the first statement runs nothing', async () => {
      const id = unique()
      const end = await database.transaction({ signal: AbortSignal.abort(new Error('enough')) }, (tx) => put(tx, id))
      expect(end).toMatchObject({ end: 'rolled back', interrupted: true, error: { message: 'enough' } })
      expect(await stored(id)).toBe(false)
    })

    it('is without effect once the last statements were sent', async () => {
      const [id, controller] = [unique(), new AbortController()]
      const text = `select pg_sleep(0.1), '${id}'`
      const ending = database.transaction({ signal: controller.signal, last: () => [{ text }] }, (tx) => put(tx, id))
      await running(text)
      controller.abort(new Error('too late'))
      expect(await ending).toMatchObject({ end: 'committed' })
      expect(await stored(id)).toBe(true)
    })
  })

  describe(`the contract of ${name}: trouble`, () => {
    let proxy: TcpProxy
    /** What to do with the connection that carries the COMMIT for this id. */
    let plan: { id: string; verdict: 'lose the question' | 'lose the answer' } | undefined
    let losing: unknown
    beforeAll(async () => {
      proxy = await startTcpProxy(url, {
        intercept(from, bytes, link) {
          if (from === 'server') return link === losing ? 'cut' : 'forward'
          if (!plan || !bytes.includes(plan.id) || !/commit/i.test(bytes.toString('latin1'))) return 'forward'
          const { verdict } = plan
          plan = undefined
          if (verdict === 'lose the question') return 'cut'
          losing = link
          return 'forward'
        },
      })
    })
    afterAll(() => proxy.close())
    const gate = (id: string) => ({ text: 'insert into thing (id) values ($1::text)', values: [id] })

    it('unknown when the connection is lost with the COMMIT under way, whether or not it was committed', async () => {
      const database = open({ url: proxy.url })
      for (const [verdict, isStored] of [
        ['lose the question', false],
        ['lose the answer', true],
      ] as const) {
        const id = unique()
        plan = { id, verdict }
        const end = await database.transaction({ last: () => [gate(id)] }, async (tx) => send(tx, 'select 1'))
        expect(end.end, verdict).toBe('unknown')
        expect(sqlState((end as { error: unknown }).error), verdict).toBeUndefined()
        await until(async () => (await stored(id)) === isStored)
        expect(await database.transaction({}, pidOf), verdict).toMatchObject({ end: 'committed' })
      }
    })

    it('unknown when the backend is killed inside COMMIT', async () => {
      const database = open()
      const id = unique()
      const ending = database.transaction({ last: () => [gate(id)] }, async (tx) => {
        await send(tx, 'insert into slow_to_commit (seconds) values (20)')
        return pidOf(tx)
      })
      const found = await until(async () => {
        const { rows } = await outside.query(
          `select pid from pg_stat_activity where state = 'active' and wait_event = 'PgSleep' and datname = current_database()`,
        )
        return rows[0]?.pid as number | undefined
      })
      await outside.query('select pg_terminate_backend($1)', [found])
      expect(await ending).toMatchObject({ end: 'unknown' })
      expect(await stored(id)).toBe(false)
      expect(await database.transaction({}, pidOf)).toMatchObject({ end: 'committed' })
    })

    it('never committed when the connection was lost before the COMMIT was sent', async () => {
      const database = open()
      const id = unique()
      const idle = await database.transaction({}, async (tx) => {
        await put(tx, id)
        const pid = await pidOf(tx)
        await outside.query('select pg_terminate_backend($1)', [pid])
        await until(
          async () => (await outside.query('select 1 from pg_stat_activity where pid = $1', [pid])).rowCount === 0,
        )
      })
      expect(['rolled back', 'unknown']).toContain(idle.end)
      const text = `select pg_sleep(20), '${id}'`
      const ending = database.transaction({}, async (tx) => {
        await put(tx, id)
        await send(tx, text)
      })
      await outside.query('select pg_terminate_backend($1)', [await running(text)])
      expect(['rolled back', 'unknown']).toContain((await ending).end)
      expect(await stored(id)).toBe(false)
      expect(await database.transaction({}, pidOf)).toMatchObject({ end: 'committed' })
    })

    it('unavailable within the connect time-out when every connection is taken; what is urgent has its own', async () => {
      const database = open()
      let release = () => {}
      const holding = database.transaction({}, async (tx) => {
        await pidOf(tx)
        await new Promise<void>((resolve) => (release = resolve))
      })
      const started = performance.now()
      for (const refused of [database.transaction({}, pidOf), database.query({ text: 'select 1' })])
        await expect(refused).rejects.toMatchObject({ code: 'unavailable', retryable: true })
      expect(performance.now() - started).toBeLessThan(connect + 1000)
      expect(await database.query({ text: 'select 1 as one' }, { urgent: true })).toMatchObject({ rows: [{ one: 1 }] })
      release()
      expect(await holding).toMatchObject({ end: 'committed' })
      expect(await database.transaction({}, pidOf)).toMatchObject({ end: 'committed' })
    })

    it('unavailable within the connect time-out when the server refuses or is silent, and well again by itself', async () => {
      const way = await startTcpProxy(url)
      const database = open({ url: way.url })
      for (const trouble of [() => way.refuse(), () => (way.cut(), way.swallow())]) {
        await trouble()
        const started = performance.now()
        for (const ask of [() => database.transaction({}, pidOf), () => database.query({ text: 'select 1' })])
          await expect(until(ask, { timeoutMs: 0 })).rejects.toMatchObject({ cause: { code: 'unavailable' } })
        expect(performance.now() - started).toBeLessThan(2 * connect + 1000)
        await way.restore()
        expect(await database.transaction({}, pidOf)).toMatchObject({ end: 'committed' })
      }
      await database.close?.()
      await way.close()
    })

    it('what is urgent waits for a lock a short time only', async () => {
      const database = open()
      const id = unique()
      const [holder, text] = [await outside.connect(), 'insert into thing (id) values ($1::text)']
      await holder.query('begin')
      await holder.query(text, [id])
      const started = performance.now()
      await expect(database.query({ text, values: [id] }, { urgent: true })).rejects.toMatchObject({ code: '55P03' })
      expect(performance.now() - started).toBeLessThan(wholeMs)
      await holder.query('rollback')
      holder.release()
      expect(await database.query({ text, values: [id] }, { urgent: true })).toMatchObject({ rowCount: 1 })
    })

    it('an error of the server has its SQLSTATE and the constraint it broke; one of the connection has neither', async () => {
      const database = open()
      const id = unique()
      await database.query(gate(id))
      await expect(database.query(gate(id))).rejects.toMatchObject({ code: '23505', constraint: 'thing_pkey' })
      const text = `select pg_sleep(20), '${id}'`
      const asking = database.query({ text }).then(
        () => undefined,
        (error: unknown) => error,
      )
      await running(text)
      const cutting = await startTcpProxy(url)
      const through = open({ url: cutting.url })
      const lost = through.query({ text: `${text}, 2` }).then(
        () => undefined,
        (error: unknown) => error,
      )
      await running(`${text}, 2`)
      cutting.cut()
      expect(sqlState(await lost)).toBeUndefined()
      expect(await lost).toBeInstanceOf(Error)
      await outside.query(
        `select pg_cancel_backend(pid) from pg_stat_activity where state = 'active' and query like 'select pg_sleep(20)%'`,
      )
      expect(await asking).toMatchObject({ code: '57014' })
      await through.close?.()
      await cutting.close()
    })

    it('listens on a connection of its own, which comes back by itself and says that it was away', async () => {
      const database = open()
      if (!database.listen) return
      const [heard, states]: [string[], string[]] = [[], []]
      const channel = 'contract'
      const subscription = await database.listen(
        channel,
        (payload) => heard.push(payload),
        (state) => states.push(state),
      )
      const notify = (payload: string) => outside.query('select pg_notify($1, $2)', [channel, payload])
      await notify('one')
      await until(() => heard.includes('one'))
      await outside.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query ilike 'listen%'`,
      )
      await until(() => states.at(-1) === 'listening' && states.includes('lost'))
      await notify('two')
      await until(() => heard.includes('two'))
      expect(states).toEqual(['listening', 'lost', 'listening'])
      await subscription.close()
    })
  })
}
