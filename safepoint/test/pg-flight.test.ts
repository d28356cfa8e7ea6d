import net from 'node:net'
import pg from 'pg'
import { afterAll, describe, expect, it } from 'vitest'
import type { SqlTransaction } from '../src/database.ts'
import { pgDatabase } from '../src/databases/pg.ts'
import { PgTransaction } from '../src/databases/pg-transaction.ts'
import { testDatabase } from './support/database.ts'
import { startTcpProxy } from './support/tcp-proxy.ts'
import { until } from './support/until.ts'

const { url } = await testDatabase()
const outside = new pg.Client(url)
await outside.connect()
await outside.query('create table thing (id integer primary key)')
afterAll(() => outside.end())

/** Stands before the server and spoils every BEGIN, as a query-cancel request that arrives during one does. */
async function spoilBegin(): Promise<{ url: string; close(): Promise<void> }> {
  const real = new URL(url)
  const sockets = new Set<net.Socket>()
  const proxy = net.createServer((client) => {
    const server = net.connect(Number(real.port), real.hostname)
    for (const socket of [client, server]) sockets.add(socket.on('error', () => {}))
    server.pipe(client)
    client.on('data', (data) =>
      server.write(Buffer.from(data.toString('latin1').replace('\0begin', '\0begim'), 'latin1')),
    )
    client.on('close', () => server.destroy())
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  const through = new URL(url)
  through.port = String((proxy.address() as net.AddressInfo).port)
  return {
    url: through.href,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => proxy.close(resolve))
    },
  }
}

/** A `pg` that does not tell the status of its transaction. */
class WithoutStatus extends pg.Client {
  constructor(config: pg.ClientConfig) {
    super(config)
    Object.assign(this, { getTransactionStatus: undefined })
  }
}
class PoolWithoutStatus extends pg.Pool {
  constructor(config: pg.PoolConfig) {
    super({ ...config, Client: WithoutStatus } as never)
  }
}

it.for([true, false])(
  'I2: nothing that travels with a BEGIN takes effect when that BEGIN fails (prepared: %s)',
  async (prepared) => {
    const spoiled = await spoilBegin()
    const database = pgDatabase({ driver: pg, url: spoiled.url, max: 1, prepared })
    for (const id of [1, 2]) {
      const put = (tx: SqlTransaction, add: number) =>
        tx.query({ name: 'put', text: 'insert into thing (id) values ($1::integer)', values: [id + add] })
      const end = await database.transaction({}, async (tx) => {
        // One in the same go, one while BEGIN is under way.
        const later = Promise.resolve()
          .then(() => new Promise(setImmediate))
          .then(() => put(tx, 20))
        return Promise.allSettled([put(tx, 0), put(tx, 10), later]).then((all) => {
          expect(all.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
          throw new Error('on')
        })
      })
      expect(end).toMatchObject({ end: 'rolled back', error: { code: '42601' } })
    }
    await database.close()
    await spoiled.close()
    expect((await outside.query('select id from thing')).rows).toEqual([])
  },
)

it.for([true, false])(
  'I2: where BEGIN failed nothing is sent any more, though the work catches that and asks on (prepared: %s)',
  async (prepared) => {
    const spoiled = await spoilBegin()
    for (const known of [true, false]) {
      const database = pgDatabase({
        driver: known ? pg : { ...pg, Client: WithoutStatus, Pool: PoolWithoutStatus },
        url: spoiled.url,
        max: 1,
        prepared,
      } as never)
      for (const id of [31, 32]) {
        const put = (add: number) => ({ text: 'insert into thing (id) values ($1::integer)', values: [id + add] })
        const end = await database.transaction({ last: () => [put(20)] }, async (tx) => {
          await expect(tx.query(put(0))).rejects.toMatchObject({ code: '42601' })
          await expect(tx.query(put(10))).rejects.toMatchObject({ code: '42601' })
          return 'caught'
        })
        expect(end).toMatchObject({ end: 'rolled back', error: { code: '42601' } })
      }
      await database.close()
    }
    await spoiled.close()
    expect((await outside.query('select id from thing')).rows).toEqual([])
  },
)

it('I3: a COMMIT that a silent server never answers is given up as of unknown end', async () => {
  const proxy = await startTcpProxy(url)
  const database = pgDatabase({ driver: pg, url: proxy.url, max: 1, timeouts: { statement: 200 } })
  const end = await database.transaction({ last: () => (proxy.swallow(), []) }, (tx) => tx.query('select 1'))
  expect(end).toMatchObject({ end: 'unknown' })
  await proxy.restore()
  expect(await database.transaction({}, (tx) => tx.query('select 1'))).toMatchObject({ end: 'committed' })
  await database.close()
  await proxy.close()
})

it('I2: what ends a transaction is refused here, before the server could do it', async () => {
  const database = pgDatabase({ driver: pg, url, max: 1 })
  const texts = [
    "prepare/**/transaction 'x'",
    "Prepare --\ntransaction 'x'",
    ' ;/* /* */ */--\rCOMMIT',
    'end',
    'rollback',
  ]
  const end = await database.transaction({}, async (tx) => {
    const all = await Promise.allSettled(texts.map((text) => tx.query(text)))
    return all.map((one) => (one.status === 'rejected' ? one.reason.message : 'sent'))
  })
  const refused = expect.stringContaining('cannot begin, commit or roll back')
  expect(end).toMatchObject({ end: 'committed', value: texts.map(() => refused) })
  await database.close()
})

it('a running statement is asked to stop until it does: a request may come between two of them', async () => {
  const client = new pg.Client({ connectionString: url, pipeline: true })
  await client.connect()
  const { rows } = await client.query('select pg_backend_pid() as pid')
  const stop = new AbortController()
  let asked = 0
  const stopRunning = async (pid: number) => {
    expect(pid).toBe(rows[0].pid)
    if (++asked < 2) throw new Error('lost on its way')
    if (asked > 2) await outside.query('select pg_cancel_backend($1)', [pid])
  }
  const opening = [{ text: 'begin', values: [], queryMode: 'extended' as const }]
  const sleep = 'select pg_sleep(20)'
  const running = new PgTransaction(client as never, {
    prepared: true,
    driver: pg as never,
    silence: undefined,
    opening,
    stopRunning,
  }).run({ signal: stop.signal }, (tx) => tx.query(sleep))
  await until(
    async () =>
      (await outside.query('select from pg_stat_activity where pid = $1 and query = $2', [rows[0].pid, sleep]))
        .rowCount,
  )
  stop.abort(new Error('enough'))
  // The connection can be used again, which is so only where the statement was answered in time.
  expect(await running).toMatchObject({ reusable: true, end: { end: 'rolled back', interrupted: true } })
  expect(asked).toBeGreaterThan(2)
  await client.end()
})

it('I2: nothing is committed where the connection says that its transaction is no longer open', async () => {
  class Ended extends pg.Client {
    override getTransactionStatus = () => 'I' as const
  }
  class Pool extends pg.Pool {
    constructor(config: pg.PoolConfig) {
      super({ ...config, Client: Ended } as never)
    }
  }
  const database = pgDatabase({ driver: { ...pg, Pool } as never, url, max: 1 })
  const put = (id: number) => ({ text: 'insert into thing (id) values ($1::integer)', values: [id] })
  const end = await database.transaction({ last: () => [put(42)] }, (tx) => tx.query(put(41)))
  expect(end).toMatchObject({ end: 'rolled back', interrupted: false })
  await database.close()
  expect((await outside.query('select id from thing')).rows).toEqual([])
})

it('I2: what is asked once the transaction is stopped is not sent, whether BEGIN has left by then or not', async () => {
  const database = pgDatabase({ driver: pg, url, max: 1 })
  const put = (tx: SqlTransaction, id: number) => tx.query('insert into thing (id) values ($1::integer)', [id])
  for (const turns of [0, 1, 2, 3]) {
    const stop = new AbortController()
    const told: unknown[] = []
    const end = await database.transaction({ signal: stop.signal }, async (tx) => {
      if (turns > 0) told.push(put(tx, 50))
      for (let turn = 0; turn < turns; turn++) await Promise.resolve()
      told.push(put(tx, 51))
      stop.abort(new Error('enough'))
      told.push(put(tx, 52))
    })
    expect(end).toMatchObject({ end: 'rolled back', interrupted: true })
    for (const one of (await Promise.allSettled(told)).slice(-2))
      expect(one).toMatchObject({ status: 'rejected', reason: { message: expect.stringContaining('is over') } })
    // A statement that had slipped through would be committed with the next one, on the same connection.
    expect(await database.transaction({}, (tx) => tx.query('select 1'))).toMatchObject({ end: 'committed' })
  }
  await database.close()
  expect((await outside.query('select id from thing')).rows).toEqual([])
})

it('a statement that nobody awaits fails with its transaction, not with the process', async () => {
  const unhandled: unknown[] = []
  const note = (error: unknown) => void unhandled.push(error)
  process.on('unhandledRejection', note)
  const database = pgDatabase({ driver: pg, url, max: 1 })
  const fails = (tx: SqlTransaction) => tx.query('select 1 / 0')
  const works: Array<(tx: SqlTransaction) => Promise<unknown>> = [
    // Both are asked in one go, and the first is enough to give up.
    (tx) => {
      const [one, two] = [fails(tx), fails(tx)]
      return one.then(() => two)
    },
    async (tx) => {
      await tx.query('select 1')
      const [one, two] = [fails(tx), fails(tx)]
      await one
      await two
    },
    async (tx) => void fails(tx),
  ]
  for (const work of works) expect(await database.transaction({}, work)).toMatchObject({ end: 'rolled back' })
  const stop = new AbortController()
  const end = await database.transaction({ signal: stop.signal }, async (tx) => {
    stop.abort(new Error('enough'))
    await new Promise(setImmediate)
    void tx.query('select 1')
  })
  expect(end).toMatchObject({ end: 'rolled back', interrupted: true })
  await new Promise(setImmediate)
  process.off('unhandledRejection', note)
  await database.close()
  expect(unhandled).toEqual([])
})

it.for([true, false])(
  'statements take effect in the order in which they were asked, also on a connection that knows none of them (prepared: %s)',
  async (prepared) => {
    const database = pgDatabase({ driver: pg, url, max: 1, prepared })
    for (const word of ['first', 'second']) {
      const end = await database.transaction({}, async (tx) => {
        const [, { rows }] = await Promise.all([
          tx.query({ name: 'say', text: "select set_config('test.word', $1::text, true)", values: [word] }),
          tx.query<{ word: string }>({ name: 'hear', text: "select current_setting('test.word', true) as word" }),
        ])
        return rows[0]!.word
      })
      expect(end).toMatchObject({ end: 'committed', value: word })
    }
    await database.close()
  },
)

it('a statement that fails takes those asked with it along, and what came before is answered', async () => {
  const database = pgDatabase({ driver: pg, url, max: 1 })
  for (let run = 0; run < 2; run++) {
    let told: unknown
    const end = await database.transaction({}, async (tx) => {
      const all = await Promise.allSettled([
        tx.query({ name: 'one', text: 'select 1 as n' }),
        tx.query({ name: 'none', text: 'select 1 / $1::integer as n', values: [0] }),
        tx.query({ name: 'two', text: 'select 2 as n' }),
      ])
      told = all.map((one) => (one.status === 'fulfilled' ? one.value.rows : one.reason.code))
    })
    expect(told).toEqual([[{ n: 1 }], '22012', '22012'])
    expect(end).toMatchObject({ end: 'rolled back' })
  }
  await database.close()
})

describe('what a statement answers', () => {
  const wide = {
    name: 'wide',
    text: `select $1::integer as n, $1::text as t, null::text as nothing, now() as at, '{"a":[1]}'::json as j, array[1,2] as list
      from generate_series(1, $2::integer)`,
  }

  it('is the same whether the connection asked what its rows look like or knew it', async () => {
    const database = pgDatabase({ driver: pg, url, max: 1 })
    const answers = []
    for (let run = 0; run < 4; run++) {
      const end = await database.transaction({}, async (tx) => {
        const rows = await tx.query({ ...wide, values: [7, 2] })
        const none = await tx.query({ name: 'none', text: 'delete from thing where id = $1::integer', values: [-1] })
        const unnamed = await tx.query('select 1 as one union all select 2', [])
        const put = await tx.query({
          name: 'put',
          text: 'insert into thing (id) values ($1::integer)',
          values: [100 + run],
        })
        return [rows, none, unnamed, put].map(({ rows, command, rowCount }) => ({ rows, command, rowCount }))
      })
      answers.push(end.end === 'committed' && end.value)
    }
    await database.close()
    const row = { n: 7, t: '7', nothing: null, at: expect.any(Date), j: { a: [1] }, list: [1, 2] }
    expect(answers).toEqual(
      Array(4).fill([
        { rows: [row, row], command: 'SELECT', rowCount: 2 },
        { rows: [], command: 'DELETE', rowCount: 0 },
        { rows: [{ one: 1 }, { one: 2 }], command: 'SELECT', rowCount: 2 },
        { rows: [], command: 'INSERT', rowCount: 1 },
      ]),
    )
  })

  it('is read by the type parsers that the user gave pg', async () => {
    const types = { getTypeParser: () => (text: string) => `<${text}>` }
    class Pool extends pg.Pool {
      constructor(config: pg.PoolConfig) {
        super({ ...config, types } as pg.PoolConfig)
      }
    }
    const database = pgDatabase({ driver: { ...pg, Pool } as never, url, max: 1 })
    for (let run = 0; run < 3; run++) {
      const { rows } = await database.query({ name: 'typed', text: 'select $1::integer as n', values: [run] })
      expect(rows).toEqual([{ n: `<${run}>` }])
    }
    await database.close()
  })

  it('that no value can be made of is an error of that statement, and the connection goes on', async () => {
    const types = {
      getTypeParser: () => () => {
        throw new Error('not a number of ours')
      },
    }
    class Pool extends pg.Pool {
      constructor(config: pg.PoolConfig) {
        super({ ...config, types } as pg.PoolConfig)
      }
    }
    const database = pgDatabase({ driver: { ...pg, Pool } as never, url, max: 1 })
    for (let run = 0; run < 3; run++) {
      await expect(database.query({ name: 'odd', text: 'select 1 as n', values: [] })).rejects.toThrow(
        'not a number of ours',
      )
      expect((await database.query({ name: 'none', text: 'select where false', values: [] })).rows).toEqual([])
    }
    await database.close()
  })

  it('a value that cannot be sent keeps the COMMIT behind it from being sent, and the statement can be sent again', async () => {
    const database = pgDatabase({ driver: pg, url, max: 1 })
    const put = (id: unknown) =>
      database.transaction(
        { last: () => [{ name: 'put', text: 'insert into thing (id) values ($1::integer)', values: [id] }] },
        (tx) => tx.query({ name: 'look', text: 'select 1', values: [] }),
      )
    await put(201)
    await put(202)
    const unsendable = {
      toPostgres: () => {
        throw new Error('has no text')
      },
    }
    // The connection is given up, which is all that the engine needs to know; it looks at the row.
    expect(await put(unsendable)).toMatchObject({ end: 'unknown', error: { message: 'has no text' } })
    expect(await put(203)).toMatchObject({ end: 'committed' })
    await database.close()
    expect((await outside.query('select id from thing where id between 201 and 209 order by id')).rows).toEqual([
      { id: 201 },
      { id: 202 },
      { id: 203 },
    ])
  })
})
