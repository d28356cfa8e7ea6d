import { randomUUID } from 'node:crypto'
import { expect, it } from 'vitest'
import { ConfigError, readConfig } from '../../config.ts'
import { stripWebhooks } from './strip-webhooks.ts'
import { stripPayloads } from './webhook-events.queries.ts'
import { inboxWorld, payOnPage, placeOnPage } from './webhooks.test.setup.ts'

const world = await inboxWorld()
const { sql } = world
const database = world.composed.pantry.database

/** Events of each kind, `days` after they ended. */
async function events(days: number) {
  const id = randomUUID()
  await sql(
    `insert into pantry.webhook_event (id, gateway, event_id, type, payload, state, occurred_at, received_at, applied_at, due_at)
    select gen_random_uuid(), 'stripe', state || $1, 'payment_intent.succeeded', '{"card":"4242"}', state, now(),
      now() - make_interval(days => $2), case when state = 'applied' then now() - make_interval(days => $2) end, 'infinity'
    from unnest(array['applied', 'ignored', 'waiting', 'dead']) state`,
    [id, days],
  )
  return async () =>
    (
      await sql<{ state: string }>(
        `select state from pantry.webhook_event where event_id like '%' || $1 and payload is not null order by state`,
        [id],
      )
    ).map(({ state }) => state)
}
const sweep = (days?: number, signal = new AbortController().signal) =>
  stripWebhooks({ database, days, log: world.log }).work({}, signal)
const replay = (id: string, key: string) =>
  world.composed.pantry.safepoint.run(world.composed.operations.webhooks.replayWebhook, { id }, { scope: 'staff', key })

it('what was applied, or is of no interest, loses its payload after 30 days; what waits or was given up keeps it', async () => {
  const [old, young] = [await events(31), await events(29)]
  await sweep()
  expect(await old()).toEqual(['dead', 'waiting'])
  expect(await young()).toEqual(['applied', 'dead', 'ignored', 'waiting'])
  await sweep(28)
  expect(await young()).toEqual(['dead', 'waiting'])
})

it('one that was given up keeps it until it was replayed and applied, and for as long again', async () => {
  const { orderId, page } = await placeOnPage(world)
  await payOnPage(page)
  const event = world.eventsOf(orderId).find(({ type }) => type === 'payment_intent.succeeded')!
  await world.deliver(event)
  await world.untilState(event.id, 'applied')
  await sql(
    `update pantry.webhook_event set state = 'dead', applied_at = null, received_at = now() - interval '1 year' where event_id = $1`,
    [event.id],
  )
  const payloadOf = async () => (await world.stateOf(event.id))!['payload'] as Buffer | null
  await sweep()
  expect((await payloadOf())?.toString()).toBe(JSON.stringify(event))
  const { id } = (await world.stateOf(event.id))!
  await replay(id, 'first')
  await world.untilState(event.id, 'applied')
  await sweep()
  expect(await payloadOf()).not.toBeNull()
  await sql(`update pantry.webhook_event set applied_at = now() - interval '31 days' where event_id = $1`, [event.id])
  await sweep()
  expect(await payloadOf()).toBeNull()
  // What it named stays, and is all that another replay takes.
  expect(await world.stateOf(event.id)).toMatchObject({ order_id: orderId, state: 'applied' })
  await replay(id, 'second')
  await world.untilState(event.id, 'applied')
})

it('goes in bounded batches, the oldest first, past rows that somebody holds', async () => {
  const [older, old] = [await events(60), await events(50)]
  const end = await database.transaction({}, async (tx) => {
    await tx.query({
      text: `select from pantry.webhook_event where state = 'ignored' and received_at < now() - interval '55 days' for update`,
      values: [],
    })
    return stripPayloads(database, { keptFor: 30 * 24 * 3600_000, limit: 2 })
  })
  expect(end).toMatchObject({ end: 'committed', value: 2 })
  expect([await older(), await old()].map((kept) => kept.length)).toEqual([3, 3])
  expect(await older()).toContain('ignored')
  const stopped = AbortSignal.abort()
  await sweep(undefined, stopped)
  expect((await older()).length).toBe(3)
  await sweep()
  expect([await older(), await old()]).toEqual([
    ['dead', 'waiting'],
    ['dead', 'waiting'],
  ])
})

it('how long is a setting', () => {
  expect(readConfig({}).webhookPayloadDays).toBe(30)
  expect(readConfig({ WEBHOOK_PAYLOAD_DAYS: '7' }).webhookPayloadDays).toBe(7)
  expect(() => readConfig({ WEBHOOK_PAYLOAD_DAYS: '0' })).toThrow(ConfigError)
})
