import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { buildApp } from '../app.ts'
import { builtInLimits } from '../rate-limits.ts'
import { world } from '../test/world.ts'
import { clientEventTypes, readClientEvents } from './client-events.ts'

const shop = await world()
const send = async (events: unknown, as = shop.send) => as('POST', '/api/client-events', { events })
const gained = (before: ReturnType<typeof readClientEvents>) => {
  const now = readClientEvents()
  return Object.fromEntries(clientEventTypes.map((type) => [type, now[type] - before[type]]))
}
const none = Object.fromEntries(clientEventTypes.map((type) => [type, 0]))

test('what clients have counted is added up, and nothing else is kept of it', async () => {
  const shoppers = [await shop.newShopper(), await shop.newShopper()]
  const rows = 'select count(*)::int from safepoint.operation'
  const [before, operations] = [readClientEvents(), await shop.sql(rows)]
  for (const shopper of shoppers) {
    const reply = await send(
      [
        { type: 'cache_hit', count: 40 },
        { type: 'cart_recovered', count: 1 },
      ],
      shopper.send,
    )
    expect([reply.status, reply.text]).toEqual([204, ''])
  }
  expect((await send([], shoppers[0]!.send)).status).toBe(204)
  expect(gained(before)).toEqual({ ...none, cache_hit: 80, cart_recovered: 2 })
  expect(await shop.sql(rows)).toEqual(operations)
})

test('types are a closed set, counts have bounds, and who is nobody counts nothing', async () => {
  const { send: as } = await shop.newShopper()
  const before = readClientEvents()
  const good = { type: 'cache_miss', count: 1 }
  for (const events of [
    [{ type: 'constructor', count: 1 }],
    [{ ...good, count: 0 }],
    [{ ...good, count: -5 }],
    [{ ...good, count: 1.5 }],
    [{ ...good, count: 10_001 }],
    [{ ...good, user: 'me' }],
    [good, good],
    Array(6).fill(good),
    good,
    undefined,
  ]) {
    const { status, body } = await send(events, as)
    expect([events, status, body.code]).toEqual([events, 422, 'input_invalid'])
  }
  expect((await send([good])).status).toBe(401)
  expect(gained(before)).toEqual(none)
})

test('there is a limit to them, and it is not the one of writes', async () => {
  const one = { max: 1, seconds: 60 }
  const rateLimits = { ...builtInLimits, read: one, write: one }
  const app = await buildApp({ composed: shop.composed, log: pino({ level: 'silent' }), rateLimits })
  onTestFinished(() => app.close())
  const { accessToken } = await shop.newShopper()
  const as = shop.sendTo({ app, composed: shop.composed }, accessToken)
  const event = [{ type: 'cache_hit', count: 1 }]
  expect((await send(event, as)).status).toBe(204)
  const before = readClientEvents()
  expect([(await send(event, as)).status, gained(before)]).toEqual([429, none])
  expect((await as('DELETE', '/api/cart')).status).toBe(200)
})
