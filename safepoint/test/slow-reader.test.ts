import net from 'node:net'
import Fastify from 'fastify'
import { expect, it } from 'vitest'
import { eventStream } from '../src/fastify/index.ts'
import { until } from './support/until.ts'

it('an event stream pulls no more from its source than its reader takes, and lets go of both when the reader leaves', async () => {
  const app = Fastify()
  let pulled = 0
  let ended = false
  async function* endless() {
    try {
      for (; pulled < 20_000; pulled++) {
        // A turn of the event loop for each, as of events that come from elsewhere.
        await new Promise(setImmediate)
        yield { data: 'x'.repeat(16_384) }
      }
    } finally {
      ended = true
    }
  }
  app.get('/events', (_request, reply) => eventStream(reply, endless))
  await app.listen({ port: 0, host: '127.0.0.1' })
  const reader = net.connect((app.server.address() as net.AddressInfo).port, '127.0.0.1')
  reader.pause()
  reader.write('GET /events HTTP/1.1\r\nHost: a\r\n\r\n')
  await until(() => pulled > 0)
  // Until nothing has been pulled for as many turns as would do for a lot.
  await until(async () => {
    const before = pulled
    for (let turn = 0; turn < 200; turn++) await new Promise(setImmediate)
    return pulled === before
  })
  // What the sockets of both sides hold: a few megabytes, of more than 300.
  expect(pulled).toBeLessThan(2_000)
  reader.destroy()
  await until(() => ended, { message: 'the source to be returned from' })
  await app.close()
})
