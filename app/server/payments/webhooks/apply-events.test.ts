import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { until } from '../../../../safepoint/test/support/until.ts'
import type { StripeEvent } from '../../../simulators/stripe/objects.ts'
import { buildApp } from '../../app.ts'
import { bookOf } from '../../test/order-world.ts'
import { applyWaitingEvents } from './apply-waiting-events.ts'
import { applyEventsJob } from './receive-event.ts'
import { findEvent, insertEvent, recordTry } from './webhook-events.queries.ts'
import { inboxWorld, payOnPage, placeOnPage } from './webhooks.test.setup.ts'

const world = await inboxWorld()
const { sql, deliver, stripe, eventsOf, stateOf, untilState } = world

const eventOf = (orderId: string, type: string): StripeEvent => {
  const found = eventsOf(orderId).find((event) => event.type === type)
  if (!found) throw new Error(`Stripe has told nothing of ${type}.`)
  return found
}

const paid = { status: 'completed', payments: ['captured'], mails: 1, charges: 1, net: 25_000 }

describe('an event of a payment', () => {
  it('delivered 50 times at once to two servers: 50 times 2xx, one row, one transition, one decrement, one receipt', async () => {
    const { orderId, page } = await placeOnPage(world)
    await payOnPage(page)
    const event = eventOf(orderId, 'checkout.session.completed')
    const other = await buildApp({ composed: await world.another(), log: pino({ level: 'silent' }) })
    const origins = [world.origin, await other.listen({ host: '127.0.0.1', port: 0 })]
    try {
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, i) => world.deliver(event, { to: origins[i % 2]! })),
      )
      expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 50 }, () => 200))
      await untilState(event.id, 'applied')
    } finally {
      await other.close()
    }
    expect(await sql('select state from pantry.webhook_event where event_id = $1', [event.id])).toHaveLength(1)
    const book = await bookOf(world, orderId)
    expect(book).toMatchObject({ ...paid, stock: [{ on_hand: 3, reserved: 0, moved: 3 }] })
    expect(book.history.filter((status) => status === 'completed')).toHaveLength(1)
    expect(
      await sql(
        `select count(*)::int as booked from pantry.stock_movement m join pantry.order_line l using (variant_id)
         where l.order_id = $1 and m.delta < 0`,
        [orderId],
      ),
    ).toEqual([{ booked: 1 }])
  })

  it('is applied at once, without waiting for the queue', async () => {
    const { orderId, page } = await placeOnPage(world)
    await payOnPage(page)
    const event = eventOf(orderId, 'payment_intent.succeeded')
    await deliver(event)
    const row = await untilState(event.id, 'applied')
    expect(row['tries']).toBe(0)
    expect(row['applied_at'].getTime() - row['received_at'].getTime()).toBeLessThan(1500)
    expect(await bookOf(world, orderId)).toMatchObject(paid)
  })

  it('is applied by the queue where the server that received it could not', async () => {
    const { orderId, page } = await placeOnPage(world)
    await payOnPage(page)
    const event = eventOf(orderId, 'payment_intent.succeeded')
    // As of a process that ended right after its commit.
    const end = await world.composed.pantry.database.transaction({}, async (tx) => {
      const names = { gatewayReference: null, pageId: null, orderId, disputeId: null }
      const payload = Buffer.from(JSON.stringify(event))
      const { id, type } = event
      const stored = { id: randomUUID(), gateway: 'stripe', eventId: id, type, payload, state: 'waiting' as const }
      await insertEvent(tx, { ...stored, ...names, occurredAt: new Date().toISOString() }, 0)
      await world.jobs.enqueue(tx, applyEventsJob, {})
    })
    expect(end.end).toBe('committed')
    await untilState(event.id, 'applied')
    expect(await bookOf(world, orderId)).toMatchObject(paid)
  })

  it('of a failed attempt, and then of a capture: the order is paid; the failure told late changes nothing', async () => {
    const { orderId, page } = await placeOnPage(world)
    await payOnPage(page, 'pm_card_chargeDeclined')
    const failure = eventOf(orderId, 'payment_intent.payment_failed')
    await deliver(failure)
    await untilState(failure.id, 'applied')
    expect((await bookOf(world, orderId)).status).not.toBe('completed')
    await payOnPage(page)
    const capture = eventOf(orderId, 'payment_intent.succeeded')
    await deliver(capture)
    await untilState(capture.id, 'applied')
    const late = { ...failure, id: `evt_${randomUUID()}` }
    await deliver(late)
    await untilState(late.id, 'applied')
    expect(await bookOf(world, orderId)).toMatchObject(paid)
  })

  it('is believed in nothing: signed, it says that an order is paid which is not', async () => {
    const { orderId, page } = await placeOnPage(world)
    await payOnPage(page, 'pm_card_chargeDeclined')
    const failure = eventOf(orderId, 'payment_intent.payment_failed')
    const lie = {
      ...failure,
      id: `evt_${randomUUID()}`,
      type: 'payment_intent.succeeded',
      data: { object: { ...(failure.data.object as object), status: 'succeeded', amount_received: 25_000 } },
    }
    await deliver(lie)
    await untilState(lie.id, 'applied')
    expect(await bookOf(world, orderId)).toMatchObject({ mails: 0, charges: 0, net: 0 })
    expect((await bookOf(world, orderId)).status).not.toBe('completed')
  })

  it('that comes before the answer of the charge it tells of waits for whoever is in charge: one charge, one receipt', async () => {
    const placed = await placeOnPage(world)
    // The page is given up for a saved card, whose webhook overtakes the answer.
    await deliveredByStripe(async () => {
      stripe.faults.add({
        match: { method: 'POST', path: '/v1/payment_intents' },
        faults: [
          { kind: 'webhook', copies: 5, early: true, freshIds: true },
          { kind: 'delay', ms: 300, at: 'executed' },
        ],
      })
      const answer = await world.safepoint.run(
        world.operations.confirmOrder,
        { id: placed.orderId, gateway: 'stripe', paymentMethod: 'pm_card_visa' },
        { scope: placed.customer.scope, key: randomUUID() },
      )
      expect(answer.outcome).toBe('succeeded')
    })
    const told = () =>
      sql(`select state from pantry.webhook_event where order_id = $1 and type = 'payment_intent.succeeded'`, [
        placed.orderId,
      ])
    await until(async () => (await told()).length === 5 && (await told()).every(({ state }) => state === 'applied'), {
      timeoutMs: 10_000,
    })
    expect(await bookOf(world, placed.orderId)).toMatchObject({
      status: 'completed',
      mails: 1,
      charges: 1,
      net: 25_000,
    })
  })
})

/** Lets the simulator deliver its events itself, as long as `work` takes. */
async function deliveredByStripe(work: () => Promise<void>): Promise<void> {
  const { endpoint } = stripe.webhooks
  const answer = await fetch(`${stripe.url}/_control/webhook`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ url: `${world.origin}/api/payments/stripe-webhook` }),
  })
  if (!answer.ok) throw new Error(`the simulator refused: ${await answer.text()}`)
  try {
    await work()
    await stripe.webhooks.idle()
  } finally {
    stripe.webhooks.endpoint = endpoint
  }
}

describe('five events of one payment', () => {
  it('end in one and the same state in all 120 orders', async () => {
    const orders = permutations([0, 1, 2, 3, 4])
    expect(orders).toHaveLength(120)
    const queue = orders.values()
    const ends = new Set<string>()
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        for (const order of queue) {
          const { orderId, page } = await placeOnPage(world)
          await payOnPage(page, 'pm_card_chargeDeclined')
          await payOnPage(page, 'pm_card_authenticationRequired')
          const five = [
            'payment_intent.created',
            'payment_intent.payment_failed',
            'payment_intent.requires_action',
            'payment_intent.succeeded',
            'checkout.session.completed',
          ].map((type) => eventOf(orderId, type))
          for (const index of order) {
            const event = five[index]!
            expect((await deliver(event)).status).toBe(200)
            // One after the other, or it would not be this order.
            await untilState(event.id, 'applied')
          }
          ends.add(JSON.stringify(await bookOf(world, orderId)))
        }
      }),
    )
    expect([...ends].map((end) => JSON.parse(end))).toEqual([
      expect.objectContaining({ ...paid, stock: [{ on_hand: 3, reserved: 0, moved: 3 }] }),
    ])
  }, 60_000)
})

describe('an event of a payment that is not recorded yet', () => {
  it('waits, and is applied as soon as the payment has its names', async () => {
    const { orderId, paymentId, page } = await placeOnPage(world)
    await payOnPage(page)
    const event = eventOf(orderId, 'checkout.session.completed')
    // As it is before the transaction that records a payment has committed.
    await sql(`create table public.kept as select * from pantry.payment where id = '${paymentId}'`)
    await sql(unchecked(`delete from pantry.payment where id = '${paymentId}'`))
    expect((await deliver(event)).status).toBe(200)
    const row = await until(async () => {
      const found = await stateOf(event.id)
      return found && found['tries'] > 0 && found
    })
    expect(row).toMatchObject({ state: 'waiting', last_error: expect.stringMatching(/no payment/) })
    await sql(`update pantry.webhook_event set due_at = now() + interval '1 hour' where event_id = $1`, [event.id])

    await sql(unchecked('insert into pantry.payment select * from public.kept'))
    const end = await world.composed.pantry.database.transaction({}, (tx) =>
      applyWaitingEvents(tx, world.jobs.enqueue, orderId),
    )
    expect(end.end).toBe('committed')
    await untilState(event.id, 'applied')
    expect(await bookOf(world, orderId)).toMatchObject(paid)
  })
})

describe('an event that comes while somebody is in charge', () => {
  const anHourLater = (eventId: string) =>
    sql(`update pantry.webhook_event set due_at = now() + interval '1 hour' where event_id = $1`, [eventId])
  /** It was tried, and would be again in an hour. */
  async function putOff(event: StripeEvent) {
    expect((await deliver(event)).status).toBe(200)
    await until(async () => ((await stateOf(event.id))?.['tries'] ?? 0) > 0)
    await anHourLater(event.id)
    expect(await stateOf(event.id)).toMatchObject({ state: 'waiting', last_error: expect.stringMatching(/^conflict/) })
  }

  it('of a payment is applied as soon as that lets go, and not after its back-off', async () => {
    const { orderId, customer } = await placeOnPage(world)
    const barrier = stripe.faults.add({
      match: { method: 'POST', path: '/v1/payment_intents' },
      faults: [{ kind: 'hang', at: 'executed' }],
    })
    const paying = world.safepoint.run(
      world.operations.confirmOrder,
      { id: orderId, gateway: 'stripe', paymentMethod: 'pm_card_visa' },
      { scope: customer.scope, key: 'card' },
    )
    await barrier.held()
    const event = eventOf(orderId, 'payment_intent.succeeded')
    await putOff(event)
    barrier.release()
    expect((await paying).outcome).toBe('succeeded')
    await untilState(event.id, 'applied')
    expect(await bookOf(world, orderId)).toMatchObject({ ...paid, payments: ['voided', 'captured'] })
  })

  it('of an order is applied as soon as that is open again, also where nothing came of closing it', async () => {
    for (const turnedDown of [false, true]) {
      const { orderId, page, paymentId, customer } = await placeOnPage(world)
      await payOnPage(page)
      const settled = eventOf(orderId, 'checkout.session.completed')
      await deliver(settled)
      await untilState(settled.id, 'applied')
      const match = { method: 'POST', path: '/v1/refunds' }
      const decline = { kind: 'decline' as const, code: 'balance_insufficient' }
      const barrier = stripe.faults.add({
        match,
        faults: [{ kind: 'hang', at: 'begun' }, ...(turnedDown ? [decline] : [])],
      })
      const cancelling = world.safepoint.run(
        world.operations.cancelOrder,
        { id: orderId },
        { scope: customer.scope, key: 'cancel' },
      )
      await barrier.held()
      const event = { ...eventOf(orderId, 'payment_intent.succeeded'), id: `evt_${randomUUID()}` }
      await putOff(event)
      barrier.release()
      expect((await cancelling).outcome).toBe(turnedDown ? 'failed' : 'succeeded')
      await untilState(event.id, 'applied')
      expect(await sql('select status from pantry.payment where id = $1', [paymentId])).toEqual([
        { status: turnedDown ? 'captured' : 'refunded' },
      ])
    }
  })

  it('that loses against one who has just let go is tried again at once; else after its back-off', async () => {
    const { orderId } = await placeOnPage(world)
    for (const woken of [true, false]) {
      const id = randomUUID()
      const end = await world.composed.pantry.database.transaction({}, async (tx) => {
        const names = { gatewayReference: null, pageId: null, orderId, disputeId: null, payload: Buffer.from('{}') }
        const event = { id, gateway: 'stripe', eventId: id, type: 'x', state: 'waiting' as const, ...names }
        await insertEvent(tx, { ...event, occurredAt: new Date().toISOString() }, 60_000)
        const tried = (await findEvent(tx, id))!
        if (woken) await applyWaitingEvents(tx, async () => {}, orderId)
        return recordTry(tx, tried, { error: 'conflict', delay: 3600_000 })
      })
      if (end.end !== 'committed' || !end.value) throw new Error('the try was not recorded')
      const wait = end.value.dueAt.getTime() - Date.now()
      if (woken) expect(wait).toBeLessThan(1000)
      else expect(wait).toBeGreaterThan(3500_000)
      await sql(`update pantry.webhook_event set state = 'dead' where id = $1`, [id])
    }
  })
})

/** Past the triggers, in one flight. */
const unchecked = (statement: string) => `begin; set local session_replication_role = replica; ${statement}; commit`

function permutations<T>(of: readonly T[]): T[][] {
  if (of.length < 2) return [[...of]]
  return of.flatMap((first, i) => permutations(of.toSpliced(i, 1)).map((rest) => [first, ...rest]))
}
