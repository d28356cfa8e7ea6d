import { beforeAll, describe, expect, it } from 'vitest'
import { isAway, sqlState } from '../../src/database.ts'
import type { Database } from '../../src/index.ts'
import { commitLosses } from './commit-loss.ts'
import type { ContractBench } from './database-contract.ts'
import type { TcpProxy } from './tcp-proxy.ts'
import { until } from './until.ts'

/** Lost connections, silent servers, taken locks. */
export function describeTrouble<Tx>(name: string, bench: ContractBench<Tx>): void {
  const { connect, open, outside, pidOf, put, putLast, running, send, stored, unique } = bench
  const expectUnavailable = async (database: Database<Tx>) => {
    const started = performance.now()
    const refused = await Promise.allSettled([database.transaction({}, pidOf), database.query({ text: 'select 1' })])
    for (const one of refused)
      expect(one).toMatchObject({ status: 'rejected', reason: { code: 'unavailable', retryable: true } })
    expect(performance.now() - started).toBeLessThan(connect + 1000)
  }

  describe.concurrent(`the contract of ${name}: trouble`, () => {
    const losses = commitLosses()
    let proxy: TcpProxy
    beforeAll(async () => {
      proxy = await bench.proxy(losses)
    })

    it('unknown when the connection is lost with the COMMIT under way, whether or not it was committed', async () => {
      const database = open(proxy)
      for (const loss of ['before it arrives', 'as it arrives', 'before its answer'] as const) {
        const id = unique()
        void losses.plan(id, loss)
        const end = await database.transaction({ last: () => [putLast(id)] }, async (tx) => send(tx, 'select 1'))
        expect(end.end, loss).toBe('unknown')
        expect(sqlState((end as { error: unknown }).error), loss).toBeUndefined()
        expect(await database.transaction({}, pidOf), loss).toMatchObject({ end: 'committed' })
        if (loss === 'before it arrives') expect(await stored(id)).toBe(false)
        if (loss === 'before its answer') expect(await stored(id)).toBe(true)
      }
    })

    it('unknown when the backend is killed inside COMMIT', async () => {
      const database = open()
      const id = unique()
      let pid: number | undefined
      const ending = database.transaction({ last: () => [putLast(id)] }, async (tx) => {
        await send(tx, 'insert into slow_to_commit (seconds) values (20)')
        pid = await pidOf(tx)
      })
      const sleeping = `select 1 from pg_stat_activity where datname = current_database() and pid = $1 and state = 'active' and wait_event = 'PgSleep'`
      await until(async () => pid !== undefined && (await outside.query(sleeping, [pid])).rowCount)
      await outside.query('select pg_terminate_backend($1)', [pid])
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
          async () =>
            (
              await outside.query('select 1 from pg_stat_activity where datname = current_database() and pid = $1', [
                pid,
              ])
            ).rowCount === 0,
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
      await expectUnavailable(database)
      expect(await database.query({ text: 'select 1 as one' }, { urgent: true })).toMatchObject({ rows: [{ one: 1 }] })
      release()
      expect(await holding).toMatchObject({ end: 'committed' })
      expect(await database.transaction({}, pidOf)).toMatchObject({ end: 'committed' })
    })

    it('unavailable within the connect time-out when the server refuses or is silent, and well again by itself', async () => {
      const way = await bench.proxy()
      const database = open(way)
      for (const trouble of [() => way.refuse(), () => (way.cut(), way.swallow())]) {
        await trouble()
        // The first to ask may be given the connection that is just breaking: that is said, and the next one is told.
        const first = await database.transaction({}, pidOf).catch((error: unknown) => ({ end: 'refused', error }))
        expect(first.end).not.toBe('committed')
        expect('error' in first && (isAway(first.error) || (first.error as { code: string }).code)).toBeTruthy()
        await expectUnavailable(database)
        await way.restore()
        expect(await database.transaction({}, pidOf)).toMatchObject({ end: 'committed' })
      }
    })

    it('an interruption is answered though the server has gone silent in the middle of a statement', async () => {
      const way = await bench.proxy()
      const database = open(way)
      // The connections that would carry the request to stop stand already, and are silent too.
      await Promise.all([1, 2].map(() => database.query({ text: 'select pg_sleep(0.02)' }, { urgent: true })))
      const [id, text, controller] = [unique(), `select pg_sleep(20), '${unique()}'`, new AbortController()]
      const ending = database.transaction({ signal: controller.signal }, async (tx) => {
        await put(tx, id)
        await send(tx, text)
      })
      await running(text)
      way.swallow()
      const started = performance.now()
      controller.abort(new Error('enough'))
      expect(await ending).toMatchObject({ end: 'rolled back', interrupted: true })
      expect(performance.now() - started).toBeLessThan(10_000)
      await way.restore()
      expect(await database.transaction({}, pidOf)).toMatchObject({ end: 'committed' })
      // The server does not know yet that nobody waits for its answer.
      await outside.query('select pg_terminate_backend(pid) from pg_stat_activity where query = $1', [text])
      expect(await stored(id)).toBe(false)
    })

    it('what failed is told as rolled back though the server has gone silent by then', async () => {
      const way = await bench.proxy()
      const database = open(way)
      const id = unique()
      const end = await database.transaction({}, async (tx) => {
        await put(tx, id)
        way.swallow()
        throw new Error('thrown')
      })
      expect(end).toMatchObject({ end: 'rolled back', error: { message: 'thrown' }, interrupted: false })
      await way.restore()
      expect(await database.transaction({}, pidOf)).toMatchObject({ end: 'committed' })
      expect(await stored(id)).toBe(false)
    })

    it('what is urgent waits for a lock a short time only', async () => {
      const database = open()
      const id = unique()
      const [holder, text] = [await outside.connect(), 'insert into thing (id) values ($1::text)']
      await holder.query('begin')
      await holder.query(text, [id])
      const started = performance.now()
      await expect(database.query({ text, values: [id] }, { urgent: true })).rejects.toMatchObject({ code: '55P03' })
      expect(performance.now() - started).toBeLessThan(5000)
      await holder.query('rollback')
      holder.release()
      expect(await database.query({ text, values: [id] }, { urgent: true })).toMatchObject({ rowCount: 1 })
    })

    it('an error of the server has its SQLSTATE and the constraint it broke; one of the connection has neither', async () => {
      const database = open()
      const id = unique()
      await database.query(putLast(id))
      await expect(database.query(putLast(id))).rejects.toMatchObject({ code: '23505', constraint: 'thing_pkey' })
      const text = `select pg_sleep(20), '${id}'`
      const asking = database.query({ text }).then(
        () => undefined,
        (error: unknown) => error,
      )
      await running(text)
      const cutting = await bench.proxy()
      const through = open(cutting)
      const lost = through.query({ text: `${text}, 2` }).then(
        () => undefined,
        (error: unknown) => error,
      )
      await running(`${text}, 2`)
      cutting.cut()
      expect(sqlState(await lost)).toBeUndefined()
      expect(await lost).toBeInstanceOf(Error)
      await outside.query(
        `select pg_cancel_backend(pid) from pg_stat_activity where datname = current_database() and state = 'active' and starts_with(query, $1)`,
        [text],
      )
      expect(await asking).toMatchObject({ code: '57014' })
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
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'safepoint-listen'`,
      )
      await until(() => states.at(-1) === 'listening' && states.includes('lost'))
      await notify('two')
      await until(() => heard.includes('two'))
      expect(states).toEqual(['listening', 'lost', 'listening'])
      await subscription.close()
    })
  })
}
