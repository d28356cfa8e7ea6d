import net from 'node:net'
import pg from 'pg'
import { afterAll, expect, it } from 'vitest'
import { pgDatabase } from '../src/databases/pg.ts'
import { testDatabase } from './support/database.ts'

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
      server.write(Buffer.from(data.toString('latin1').replace('\0begin\0', '\0begim\0'), 'latin1')),
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

it.for([true, false])(
  'I2: nothing that travels with a BEGIN takes effect when that BEGIN fails (prepared: %s)',
  async (prepared) => {
    const spoiled = await spoilBegin()
    const database = pgDatabase({ driver: pg, url: spoiled.url, max: 1, prepared })
    for (const id of [1, 2]) {
      const end = await database.transaction({}, (tx) =>
        tx.query({ name: 'put', text: 'insert into thing (id) values ($1::integer)', values: [id] }),
      )
      expect(end).toMatchObject({ end: 'rolled back', error: { code: '42601' } })
    }
    await database.close()
    await spoiled.close()
    expect((await outside.query('select id from thing')).rows).toEqual([])
  },
)
