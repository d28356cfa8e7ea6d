import { describe, expect, it } from 'vitest'
import {
  call,
  failure,
  gateway,
  net,
  queue,
  request,
  stripe,
  total,
  useStripeGateway,
  type FaultInput,
} from './stripe.test.setup.ts'

useStripeGateway()

describe('settling a charge whose answer was lost', () => {
  const lose = async (key: string, ...faults: FaultInput[]) => {
    queue(...faults)
    const recorded = request()
    await failure(gateway.charge(recorded, call(key, { timeoutMs: 500 })))
    return recorded
  }

  it('repeat: gets the answer that was lost, and charges no second time', async () => {
    const recorded = await lose('k1', { kind: 'drop', at: 'executed' })
    expect(await gateway.charge(recorded, call('k1'))).toMatchObject({ status: 'captured' })
    expect(stripe.book.net('operation')['k1']).toMatchObject({ charges: 1, net: 4200 })
  })

  it('find: by the key in the metadata, however many payments came after, and while search lags', async () => {
    const recorded = await lose('k1', { kind: 'drop', at: 'executed' })
    for (let i = 0; i < 120; i += 1) await gateway.charge(request(), call(`other-${i}`))
    expect(await gateway.findCharge(recorded, call('k1'))).toMatchObject({
      status: 'captured',
      payment: { operation: 'k1' },
    })
    expect(await gateway.findCharge(recorded, call('k2'))).toBeUndefined()
  })

  it('find: also a decline', async () => {
    queue({ kind: 'decline' }, { kind: 'drop', at: 'executed' })
    const recorded = request()
    await failure(gateway.charge(recorded, call('k1')))
    expect(await gateway.findCharge(recorded, call('k1'))).toMatchObject({
      status: 'declined',
      code: 'generic_decline',
    })
  })

  it('close: gives back what was taken', async () => {
    const recorded = await lose('k1', { kind: 'drop', at: 'executed' })
    expect(net('k1')).toBe(4200)
    expect(await gateway.closeCharge(recorded, call('k1'))).toMatchObject({
      status: 'refunded',
      payment: { captured: 4200, refunded: 4200 },
    })
    expect(stripe.book.net('operation')['k1']).toMatchObject({ charges: 1, refunds: 1, net: 0 })
  })

  it('close: a charge that never arrived is refused when it arrives late, and nothing is ever taken', async () => {
    const recorded = request()
    const slow = stripe.faults.add({ match: { key: 'k1' }, faults: [{ kind: 'hang', at: 'arrived' }] })
    const late = gateway.charge(recorded, call('k1'))
    await slow.held()
    expect(await gateway.closeCharge(recorded, call('k1'))).toEqual({ status: 'nothing_taken' })
    slow.release()
    expect(await failure(late)).toMatchObject({ kind: 'refused', code: 'idempotency_error' })
    expect(stripe.book.charges.size).toBe(0)
    expect([...stripe.book.intents.values()].map((intent) => intent.status)).toEqual(['canceled'])
  })

  it('close: a charge that is being executed is unknown until it has ended, then given back', async () => {
    const recorded = request()
    const slow = queue({ kind: 'hang', at: 'begun' })
    const late = gateway.charge(recorded, call('k1'))
    await slow.held()
    expect(await failure(gateway.closeCharge(recorded, call('k1')))).toMatchObject({
      kind: 'unknown',
      code: 'idempotency_key_in_use',
      retryable: true,
    })
    slow.release()
    expect(await late).toMatchObject({ status: 'captured' })
    expect(await gateway.closeCharge(recorded, call('k1'))).toMatchObject({ status: 'refunded' })
    expect(net('k1')).toBe(0)
  })

  it('close: may be repeated, whatever of its own answers is lost', async () => {
    const recorded = await lose('k1', { kind: 'drop', at: 'executed' })
    stripe.faults.add({ match: { path: '/v1/refunds', method: 'POST' }, faults: [{ kind: 'drop', at: 'executed' }] })
    expect(await failure(gateway.closeCharge(recorded, call('k1')))).toMatchObject({ kind: 'unknown' })
    const first = await gateway.closeCharge(recorded, call('k1'))
    expect(first).toMatchObject({ status: 'refunded' })
    expect(await gateway.closeCharge(recorded, call('k1'))).toEqual(first)
    expect(stripe.book.net('operation')['k1']).toMatchObject({ charges: 1, refunds: 1, net: 0 })

    const never = request()
    stripe.faults.add({ match: { path: '/v1/payment_intents/*/cancel' }, faults: [{ kind: 'drop', at: 'executed' }] })
    expect(await failure(gateway.closeCharge(never, call('k2')))).toMatchObject({ kind: 'unknown' })
    expect(await gateway.closeCharge(never, call('k2'))).toEqual({ status: 'nothing_taken' })
    expect(await failure(gateway.charge(never, call('k2')))).toMatchObject({ code: 'idempotency_error' })
  })

  it.each([
    ['done', 'refunded'],
    ['none', 'nothing_taken'],
  ] as const)('close: a stored 500, effect %s, ends in %s', async (effect, status) => {
    const recorded = await lose('k1', { kind: 'error', stored: true, effect })
    expect(await gateway.closeCharge(recorded, call('k1'))).toMatchObject({ status })
    expect(net('k1')).toBe(0)
    expect(await failure(gateway.charge(recorded, call('k1')))).toMatchObject({ status: 500 })
    expect(net('k1')).toBe(0)
  })

  it.each(['pm_card_chargeDeclined', 'pm_card_authenticationRequired'])(
    'close: %s took nothing and never will',
    async (paymentMethod) => {
      queue({ kind: 'drop', at: 'executed' })
      const recorded = request({ paymentMethod })
      await failure(gateway.charge(recorded, call('k1')))
      expect(await gateway.closeCharge(recorded, call('k1'))).toMatchObject({
        status: 'voided',
        payment: { status: 'cancelled' },
      })
      expect(total()).toBe(0)
    },
  )

  it('close: where the key is too old to be kept for sure, the list of payments is asked', async () => {
    const old = request({ requestedAt: new Date(Date.now() - 30 * 60 * 60 * 1000).toISOString() })
    expect(await gateway.closeCharge(old, call('k1'))).toEqual({ status: 'nothing_taken' })
    expect(stripe.book.intents.size).toBe(0)
    await gateway.charge(old, call('k2'))
    expect(await gateway.closeCharge(old, call('k2'))).toMatchObject({ status: 'refunded' })
    expect(net('k2')).toBe(0)
  })

  it('close: is refused in words when there is no room for the keys that follow from the key', async () => {
    const recorded = request()
    await gateway.charge(recorded, call('k'.repeat(255)))
    expect(await failure(gateway.closeCharge(recorded, call('k'.repeat(255))))).toMatchObject({ code: 'key_too_long' })
  })
})

describe('undo', () => {
  const charged = async (key = 'k1') => {
    const result = await gateway.charge(request(), call(key))
    if (result.status !== 'captured') throw new Error(result.status)
    return result.payment.id
  }

  it('of a captured payment gives all of it back, once', async () => {
    const paymentId = await charged()
    const first = await gateway.reverse({ paymentId, order: 'o1' }, call('u1'))
    expect(first).toMatchObject({ status: 'refunded', payment: { captured: 4200, refunded: 4200 } })
    expect(await gateway.reverse({ paymentId }, call('u1'))).toEqual(first)
    expect(await gateway.reverse({ paymentId }, call('u2'))).toEqual(first)
    expect(stripe.book.refunds.size).toBe(1)
    expect([...stripe.book.refunds.values()][0]?.metadata).toEqual({ operation: 'u1', order: 'o1' })
  })

  it('gives back only what a partial refund has left', async () => {
    const paymentId = await charged()
    await gateway.refund({ paymentId, amount: 1200 }, call('r1'))
    expect(await gateway.reverse({ paymentId }, call('u1'))).toMatchObject({
      status: 'refunded',
      payment: { refunded: 4200 },
    })
    expect(net('k1')).toBe(0)
  })

  it('of a payment that is not captured cancels it', async () => {
    queue({ kind: 'processing' })
    const result = await gateway.charge(request(), call('k1'))
    if (result.status !== 'processing') throw new Error(result.status)
    const voided = await gateway.reverse({ paymentId: result.payment.id }, call('u1'))
    expect(voided).toMatchObject({ status: 'voided', payment: { status: 'cancelled' } })
    expect(await gateway.reverse({ paymentId: result.payment.id }, call('u1'))).toEqual(voided)
    expect(total()).toBe(0)
  })

  it.each([
    [{ kind: 'error', stored: true, effect: 'none' }],
    [{ kind: 'error', stored: true, effect: 'done' }],
    [{ kind: 'error', stored: false }],
    [{ kind: 'drop', at: 'executed' }],
    [{ kind: 'drop', at: 'arrived' }],
    [{ kind: 'in_flight' }],
    [{ kind: 'decline' }],
  ] satisfies [FaultInput][])('that met %j succeeds under the same key when it is tried again', async (fault) => {
    const paymentId = await charged()
    stripe.faults.add({ match: { method: 'POST', path: '/v1/refunds' }, faults: [fault] })
    await failure(gateway.reverse({ paymentId }, call('u1')))
    expect(await gateway.reverse({ paymentId }, call('u1'))).toMatchObject({ status: 'refunded' })
    expect(stripe.book.net('operation')['k1']).toMatchObject({ refunds: 1, net: 0 })
  })

  it('gives back a payment that is captured just before it would have been cancelled', async () => {
    queue({ kind: 'processing' })
    const result = await gateway.charge(request(), call('k1'))
    if (result.status !== 'processing') throw new Error(result.status)
    const { id } = result.payment
    const barrier = stripe.faults.add({
      match: { path: '/v1/payment_intents/*/cancel' },
      faults: [{ kind: 'hang', at: 'arrived' }],
    })
    const undo = gateway.reverse({ paymentId: id }, call('u1'))
    await barrier.held()
    await fetch(`${stripe.url}/_control/payment_intents/${id}/settle`, {
      method: 'POST',
      body: '{"outcome":"succeeded"}',
    })
    barrier.release()
    expect(await undo).toMatchObject({ status: 'refunded' })
    expect(net('k1')).toBe(0)
  })

  it('cancelPayment says what the payment is where it is too late', async () => {
    const paymentId = await charged()
    expect(await gateway.cancelPayment(paymentId, call('c1'))).toMatchObject({ status: 'captured', captured: 4200 })
    expect(await failure(gateway.cancelPayment('pi_none', call('c2')))).toMatchObject({
      kind: 'refused',
      code: 'resource_missing',
    })
  })
})

describe('refund', () => {
  it.each([
    ['pending', undefined, {}, { refunded: 4200, refundPending: 4200 }],
    ['arrived', 'succeeded', {}, { refunded: 4200 }],
    ['failed', 'failed', {}, { refunded: 0 }],
    ['cancelled', 'canceled', {}, { refunded: 0 }],
    ['failed, and the charge goes on counting it', 'failed', { counted: true }, { refunded: 0 }],
  ])('that is %s is told as that, by the list of refunds', async (_name, outcome, more, told) => {
    const { payment } = (await gateway.charge(request(), call('k1'))) as { payment: { id: string } }
    stripe.faults.add({ match: { method: 'POST', path: '/v1/refunds' }, faults: [{ kind: 'processing' }] })
    expect(await gateway.refund({ paymentId: payment.id }, call('r1'))).toMatchObject({ status: 'processing' })
    const [made] = stripe.book.refunds.keys()
    if (outcome !== undefined)
      await fetch(`${stripe.url}/_control/refunds/${made}/settle`, {
        method: 'POST',
        body: JSON.stringify({ outcome, ...more }),
      })
    const { refunded, refundPending } = await gateway.getPayment(payment.id, call('g1'))
    expect({ refunded, ...(refundPending !== undefined && { refundPending }) }).toEqual(told)
  })

  it('is refused where the gateway counts one that has failed: nobody waits for another', async () => {
    const { payment } = (await gateway.charge(request(), call('k1'))) as { payment: { id: string } }
    await gateway.refund({ paymentId: payment.id }, call('r1'))
    const [made] = stripe.book.refunds.keys()
    await fetch(`${stripe.url}/_control/refunds/${made}/settle`, {
      method: 'POST',
      body: JSON.stringify({ outcome: 'failed', counted: true }),
    })
    expect(await failure(gateway.reverse({ paymentId: payment.id }, call('u1')))).toMatchObject({
      kind: 'refused',
      code: 'refund_failed',
      retryable: false,
    })
  })

  it('gives back part under its own key, and is found by it', async () => {
    const { payment } = (await gateway.charge(request(), call('k1'))) as { payment: { id: string } }
    const refund = { paymentId: payment.id, amount: 1000 }
    expect(await gateway.findRefund(refund, call('r1'))).toBeUndefined()
    const first = await gateway.refund(refund, call('r1'))
    expect(first).toMatchObject({ status: 'refunded', amount: 1000 })
    expect(await gateway.refund(refund, call('r1'))).toEqual(first)
    expect(await gateway.findRefund(refund, call('r1'))).toEqual(first)
    expect(await gateway.getPayment(payment.id, call('g1'))).toMatchObject({ captured: 4200, refunded: 1000 })
    await gateway.refund({ paymentId: payment.id }, call('r2'))
    expect(await gateway.refund({ paymentId: payment.id }, call('r3'))).toEqual({ status: 'already_refunded' })
  })
})
