import { describe, expect, it } from 'vitest'
import { press } from '../../../../simulators/razorpay/browser.ts'
import {
  authorized,
  call,
  captured,
  control,
  failure,
  gateway,
  queue,
  razorpay,
  refunding,
  request,
  total,
  useRazorpayGateway,
  type FaultInput,
} from './razorpay.test.setup.ts'
import { refundKeyOf } from './razorpay-payments.ts'

useRazorpayGateway()

const repeated = { repeated: true }
const made = () => [...razorpay.book.refunds.values()]

describe('undo', () => {
  it('of a captured payment gives all of it back, once', async () => {
    const paymentId = await captured()
    const first = await gateway.reverse({ paymentId, order: 'o1' }, call('u1'))
    expect(first).toMatchObject({ status: 'refunded', payment: { status: 'captured', captured: 4200, refunded: 4200 } })
    expect(await gateway.reverse({ paymentId }, call('u1'))).toEqual(first)
    expect(await gateway.reverse({ paymentId }, call('u2'))).toEqual(first)
    expect(made()).toMatchObject([{ amount: 4200, notes: { operation: 'u1', order: 'o1' } }])
    expect(total()).toBe(0)
  })

  it('gives back only what a partial refund has left', async () => {
    const paymentId = await captured()
    await gateway.refund({ paymentId, amount: 1200 }, call('r1'))
    expect(await gateway.reverse({ paymentId }, call('u1'))).toMatchObject({
      status: 'refunded',
      payment: { refunded: 4200 },
    })
    expect(made().map(({ amount }) => amount)).toEqual([1200, 3000])
  })

  it('of a payment that is only held sends nothing, takes nothing, and Razorpay gives it back by itself', async () => {
    const { paymentId } = await authorized()
    const before = razorpay.calls.list().filter(({ method }) => method === 'POST').length
    const voided = await gateway.reverse({ paymentId }, call('u1'))
    expect(voided).toMatchObject({ status: 'voided', payment: { status: 'cancelled', captured: 0 } })
    expect(razorpay.calls.list().filter(({ method }) => method === 'POST')).toHaveLength(before)
    await control(`/payments/${paymentId}/expire`)
    expect(await gateway.reverse({ paymentId }, call('u1'))).toEqual(voided)
    expect(total()).toBe(0)
  })

  it.each(['decline', 'silent'] as const)('of a payment that ended in %s took nothing', async (action) => {
    await press(await gateway.createCheckout(request(), call('c1')), action)
    const [payment] = razorpay.book.payments.values()
    expect(await gateway.reverse({ paymentId: payment!.id }, call('u1'))).toMatchObject({ status: 'voided' })
    expect(total()).toBe(0)
  })

  it('of a payment that somebody else captured meanwhile gives it back', async () => {
    const { paymentId } = await authorized()
    expect(await gateway.reverse({ paymentId }, call('u1'))).toMatchObject({ status: 'voided' })
    await control(`/payments/${paymentId}/settle`, { outcome: 'captured' })
    expect(total()).toBe(4200)
    expect(await gateway.reverse({ paymentId }, call('u1'))).toMatchObject({ status: 'refunded' })
    expect(total()).toBe(0)
  })

  it.each([
    [{ kind: 'error', stored: false }, 'unknown'],
    [{ kind: 'error', stored: true, effect: 'done' }, 'unknown'],
    [{ kind: 'drop', at: 'executed' }, 'unknown'],
    [{ kind: 'drop', at: 'arrived' }, 'unknown'],
    [{ kind: 'in_flight' }, 'unknown'],
    [{ kind: 'rate_limit' }, 'unavailable'],
    [{ kind: 'decline' }, 'refused'],
  ] satisfies [FaultInput, string][])('that met %j is %s, and succeeds when it is tried again', async (fault, kind) => {
    const paymentId = await captured()
    queue(refunding, fault)
    expect(await failure(gateway.reverse({ paymentId }, call('u1')))).toMatchObject({ kind })
    expect(await gateway.reverse({ paymentId }, call('u1'))).toMatchObject({ status: 'refunded' })
    expect(razorpay.book.net('operation')['c1']).toMatchObject({ charges: 1, refunds: 1, net: 0 })
  })

  it('says what is still on its way back; it may fail, and then there is another', async () => {
    const paymentId = await captured()
    queue(refunding, { kind: 'processing' })
    const undo = () => gateway.reverse({ paymentId }, call('u1'))
    const onItsWay = { status: 'captured', captured: 4200, refunded: 4200, refundPending: 4200 }
    expect(await undo()).toMatchObject({ status: 'refunded', payment: onItsWay })
    expect(await undo()).toMatchObject({ status: 'refunded', payment: onItsWay })
    expect(await gateway.getPayment(paymentId, call('g'))).toMatchObject(onItsWay)
    expect(made()).toHaveLength(1)
    await control(`/refunds/${made()[0]!.id}/settle`, { outcome: 'failed' })
    expect(await gateway.getPayment(paymentId, call('g'))).toMatchObject({ captured: 4200, refunded: 0 })
    expect(total()).toBe(4200)
    const { payment } = (await undo()) as { payment: object }
    expect(payment).toMatchObject({ refunded: 4200 })
    expect(payment).not.toHaveProperty('refundPending')
    expect(made().map(({ status }) => status)).toEqual(['failed', 'processed'])
    expect(total()).toBe(0)
  })

  it('twice at the same moment gives back once', async () => {
    const paymentId = await captured()
    const both = ['u1', 'u2'].map((key) => gateway.reverse({ paymentId }, call(key)))
    for (const end of await Promise.allSettled(both)) {
      if (end.status === 'fulfilled') expect(end.value).toMatchObject({ status: 'refunded' })
    }
    expect(await gateway.reverse({ paymentId }, call('u1'))).toMatchObject({ status: 'refunded' })
    expect(razorpay.book.net('operation')['c1']).toMatchObject({ refunds: 1, net: 0 })
  })

  it('that is a moment too late to be the one: whoever was faster is as good', async () => {
    const paymentId = await captured()
    const held = queue(refunding, { kind: 'hang', at: 'arrived' })
    const undo = gateway.reverse({ paymentId }, call('u1'))
    await held.held()
    await gateway.refund({ paymentId }, call('other'))
    held.release()
    expect(await undo).toMatchObject({ status: 'refunded' })
    expect(made()).toHaveLength(1)
  })
})

describe('refund', () => {
  it('gives back part under its own key, and is found by it', async () => {
    const paymentId = await captured()
    const part = { paymentId, amount: 1000, order: 'o1' }
    expect(await gateway.findRefund(part, call('r1'))).toBeUndefined()
    const first = await gateway.refund(part, call('r1'))
    expect(first).toEqual({ status: 'refunded', refundId: expect.stringMatching(/^rfnd_/), amount: 1000 })
    expect(await gateway.refund(part, call('r1'))).toEqual(first)
    expect(await gateway.refund(part, call('r1', repeated))).toEqual(first)
    expect(await gateway.findRefund(part, call('r1'))).toEqual(first)
    expect(await gateway.getPayment(paymentId, call('g'))).toMatchObject({ captured: 4200, refunded: 1000 })
    expect(total()).toBe(3200)
  })

  it('without an amount gives back all that is left, and then says that nothing is', async () => {
    const paymentId = await captured()
    await gateway.refund({ paymentId, amount: 1200 }, call('r1'))
    const rest = await gateway.refund({ paymentId }, call('r2'))
    expect(rest).toMatchObject({ status: 'refunded', amount: 3000 })
    expect(await gateway.refund({ paymentId }, call('r2'))).toEqual(rest)
    expect(await gateway.refund({ paymentId }, call('r3'))).toEqual({ status: 'already_refunded' })
    expect(await gateway.refund({ paymentId, amount: 100 }, call('r4'))).toEqual({ status: 'already_refunded' })
    expect(made()).toHaveLength(2)
  })

  it('is sent under a key of the letters that Razorpay takes, whatever ours is made of', async () => {
    const paymentId = await captured()
    const key = 'r/1: ü'
    await gateway.refund({ paymentId, amount: 1000 }, call(key))
    expect(razorpay.calls.list().at(-1)?.key).toBe(refundKeyOf(key))
    expect(refundKeyOf(key)).toMatch(/^[A-Za-z0-9_-]{10,}$/)
    expect(made()[0]?.notes).toEqual({ operation: key })
  })

  it.each([
    ['accepted, answer lost', { kind: 'drop', at: 'executed' }],
    ['cut before processing', { kind: 'drop', at: 'arrived' }],
    ['500, nothing done', { kind: 'error', stored: false }],
    ['500, all done', { kind: 'error', stored: true, effect: 'done' }],
    ['in flight elsewhere', { kind: 'in_flight' }],
  ] satisfies [string, FaultInput][])('that met %s: unknown, retryable, and once in the end', async (_, fault) => {
    for (const [amount, key] of [
      [1000, 'r1'],
      [undefined, 'r2'],
    ] as const) {
      const paymentId = await captured(`c-${key}`)
      const part = { paymentId, ...(amount && { amount }) }
      queue(refunding, fault)
      expect(await failure(gateway.refund(part, call(key)))).toMatchObject({ kind: 'unknown', retryable: true })
      const done = await gateway.refund(part, call(key, repeated))
      expect(done).toMatchObject({ status: 'refunded', amount: amount ?? 4200 })
      expect(await gateway.findRefund(part, call(key))).toEqual(done)
      expect(razorpay.book.net('operation')[`c-${key}`]).toMatchObject({ refunds: 1, refunded: amount ?? 4200 })
    }
  })

  it('really in flight under its key: 409 is unknown and retryable, and there is one refund', async () => {
    const paymentId = await captured()
    const held = queue(refunding, { kind: 'hang', at: 'begun' })
    const first = gateway.refund({ paymentId, amount: 1000 }, call('r1'))
    await held.held()
    expect(await failure(gateway.refund({ paymentId, amount: 1000 }, call('r1', repeated)))).toMatchObject({
      kind: 'unknown',
      status: 409,
      retryable: true,
    })
    held.release()
    expect(await first).toMatchObject({ status: 'refunded' })
    expect(made()).toHaveLength(1)
  })

  it('of another amount under the same key is refused, also where it is said to be a repeat', async () => {
    const paymentId = await captured()
    await gateway.refund({ paymentId, amount: 1000 }, call('r1'))
    for (const again of [call('r1'), call('r1', repeated)])
      expect(await failure(gateway.refund({ paymentId, amount: 2000 }, again))).toMatchObject({
        kind: 'refused',
        status: 400,
        retryable: false,
      })
    expect(total()).toBe(3200)
  })

  it('is processing while Razorpay is at it, and failed when it failed', async () => {
    const paymentId = await captured()
    queue(refunding, { kind: 'processing' })
    const part = { paymentId, amount: 1000 }
    expect(await gateway.refund(part, call('r1'))).toMatchObject({ status: 'processing', amount: 1000 })
    await control(`/refunds/${made()[0]!.id}/settle`, { outcome: 'failed' })
    expect(await gateway.findRefund(part, call('r1'))).toMatchObject({ status: 'failed', code: 'refund_failed' })
    expect(total()).toBe(4200)
  })

  it('of what was never captured is refused', async () => {
    const { paymentId } = await authorized()
    expect(await failure(gateway.refund({ paymentId, amount: 1000 }, call('r1')))).toMatchObject({ kind: 'refused' })
    expect(await failure(gateway.refund({ paymentId }, call('r1')))).toMatchObject({ kind: 'refused' })
  })

  it('is found among more than a page of them', async () => {
    const page = await gateway.createCheckout(request({ amount: 20_000 }), call('c1'))
    await control(`/orders/${page.id}/pay`, { outcome: 'captured' })
    const [paymentId = ''] = razorpay.book.payments.keys()
    for (let i = 0; i < 102; i += 1) await gateway.refund({ paymentId, amount: 100 }, call(`r${i}`))
    expect(await gateway.findRefund({ paymentId }, call('r0'))).toMatchObject({ status: 'refunded', amount: 100 })
  })
})
