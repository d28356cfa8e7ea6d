import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { bookOf } from '../../test/order-world.ts'
import { inboxWorld, payOnPage, placeOnPage, replyOf, type Reply } from './webhooks.test.setup.ts'

const world = await inboxWorld({ tries: 2 })
const { sql, deliver, origin, post, untilState, lines } = world

async function signIn(role: 'admin' | 'customer') {
  const email = `${randomUUID()}@example.com`
  const password = 'correct horse battery'
  const json = { 'content-type': 'application/json' }
  const registered = await post('/api/auth/register', JSON.stringify({ email, password, name: 'Ada' }), json)
  if (registered.status !== 201) throw new Error(JSON.stringify(registered.body))
  await sql('update pantry.account set role = $2 where email = $1', [email, role])
  const { body } = await post('/api/auth/login', JSON.stringify({ email, password }), json)
  const headers = { authorization: `Bearer ${body.accessToken}` }
  return {
    get: async (path: string): Promise<Reply> => replyOf(await fetch(`${origin}${path}`, { headers })),
    replay: async (id: string, key?: string): Promise<Reply> =>
      replyOf(
        await fetch(`${origin}/api/admin/webhooks/${id}/replay`, {
          method: 'POST',
          headers: { ...headers, ...(key !== undefined && { 'idempotency-key': key }) },
        }),
      ),
  }
}

const admin = await signIn('admin')

/** Of a payment that this shop has never heard of. */
const strange = (order: string) => ({
  id: `evt_${randomUUID()}`,
  object: 'event',
  created: Math.floor(Date.now() / 1000),
  livemode: false,
  pending_webhooks: 1,
  type: 'charge.refunded',
  data: {
    object: { id: 'ch_1', object: 'charge', amount_refunded: 1, currency: 'inr', payment_intent: `pi_${order}` },
  },
})

describe('a dead letter', () => {
  it('is what an event becomes that was tried in vain; it is logged `error`, listed, and can be replayed', async () => {
    const { orderId, page } = await placeOnPage(world)
    await payOnPage(page)
    const event = [...world.stripe.book.events.values()].find(({ type, data: { object } }) => {
      return (
        type === 'checkout.session.completed' &&
        (object as { client_reference_id?: string }).client_reference_id === orderId
      )
    })!
    // The gateway is away for as long as the event is tried.
    const away = world.stripe.faults.add({ times: 10_000, faults: [{ kind: 'error', status: 503, stored: false }] })
    await deliver(event)
    const dead = await untilState(event.id, 'dead')
    expect(dead).toMatchObject({ tries: 2, last_error: expect.stringMatching(/gateway_unavailable|indeterminate/) })
    expect(lines.filter((line) => line.level === 50 && line['eventId'] === event.id)).toMatchObject([{ tries: 2 }])

    const listed = await admin.get('/api/admin/webhooks?state=dead&gateway=stripe')
    const [item] = listed.body.items.filter(({ eventId }: { eventId: string }) => eventId === event.id)
    expect(item).toMatchObject({ state: 'dead', tries: 2, orderId, nextTryAt: null, type: event.type })
    expect(JSON.parse(item.payload)).toEqual(JSON.parse(JSON.stringify(event)))

    world.stripe.faults.clear()
    void away
    const replayed = await admin.replay(item.id)
    expect([replayed.status, replayed.body.state]).toEqual([200, 'waiting'])
    await untilState(event.id, 'applied')
    expect(await bookOf(world, orderId)).toMatchObject({ status: 'completed', mails: 1, charges: 1 })
  })

  it('is also an event of a payment that never came', async () => {
    const event = strange('nobody')
    await deliver(event)
    expect(await untilState(event.id, 'dead')).toMatchObject({ last_error: expect.stringMatching(/no payment/) })
  })
})

describe('a replay', () => {
  it('of an applied event changes nothing: settling is safe to repeat', async () => {
    const { orderId, page } = await placeOnPage(world)
    await payOnPage(page)
    const event = [...world.stripe.book.events.values()].findLast(({ type }) => type === 'checkout.session.completed')!
    await deliver(event)
    const { id } = await untilState(event.id, 'applied')
    const book = await bookOf(world, orderId)
    expect(book.status).toBe('completed')
    expect((await admin.replay(id)).body.state).toBe('waiting')
    expect(await untilState(event.id, 'applied')).toMatchObject({ round: 2 })
    expect(await bookOf(world, orderId)).toEqual(book)
  })

  it('under one key is one replay', async () => {
    const event = strange('somebody')
    await deliver(event)
    const { id } = await untilState(event.id, 'waiting')
    const key = randomUUID()
    const [first, again] = [await admin.replay(id, key), await admin.replay(id, key)]
    expect(again.body).toEqual(first.body)
    expect(again.headers.get('idempotent-replayed')).toBe('true')
    expect((await untilState(event.id, 'dead'))['round']).toBe(2)
  })

  it('is refused for what is unknown, and for what is of no interest to a shop', async () => {
    const event = { ...strange('x'), type: 'customer.created', data: { object: { id: 'cus_1', object: 'customer' } } }
    await deliver(event)
    const { id } = await untilState(event.id, 'ignored')
    const answer = await admin.replay(id)
    expect([answer.status, answer.body.code]).toEqual([409, 'webhook_not_replayable'])
    for (const unknown of [randomUUID(), 'nonsense']) {
      const refused = await admin.replay(unknown)
      expect([refused.status, refused.body.code]).toEqual([404, 'webhook_not_found'])
    }
  })
})

describe('the administration’s list', () => {
  it('is for administrators', async () => {
    const customer = await signIn('customer')
    const refused = await customer.get('/api/admin/webhooks')
    expect([refused.status, refused.body.code]).toEqual([403, 'forbidden'])
    expect((await customer.replay(randomUUID())).status).toBe(403)
    const nobody = await replyOf(await fetch(`${origin}/api/admin/webhooks`))
    expect([nobody.status, nobody.body.code]).toEqual([401, 'unauthenticated'])
  })

  it('goes through everything page by page, the latest first, and refuses what it does not know', async () => {
    const all = (await admin.get('/api/admin/webhooks?limit=100')).body.items.map(({ id }: { id: string }) => id)
    expect(all.length).toBeGreaterThan(3)
    const seen: string[] = []
    for (let cursor: string | null = ''; cursor !== null;) {
      const page: Reply = await admin.get(`/api/admin/webhooks?limit=2${cursor && `&cursor=${cursor}`}`)
      seen.push(...page.body.items.map(({ id }: { id: string }) => id))
      cursor = page.body.nextCursor
    }
    expect(seen).toEqual(all)
    expect(all).toEqual(all.toSorted().toReversed())
    for (const query of ['state=lost', 'gateway=paypal', 'colour=red', 'cursor=xyz'])
      expect((await admin.get(`/api/admin/webhooks?${query}`)).body.code).toBe('input_invalid')
  })
})

it('a second delivery is logged `warn`', async () => {
  const event = strange('twice')
  await deliver(event)
  await deliver(event)
  await untilState(event.id, 'dead')
  expect(lines.filter((line) => line.level === 40 && line['eventId'] === event.id)).toMatchObject([
    { gateway: 'stripe', type: 'charge.refunded' },
  ])
})
