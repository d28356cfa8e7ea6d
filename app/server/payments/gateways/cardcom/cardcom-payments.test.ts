import { describe, expect, it } from 'vitest'
import {
  call,
  calls,
  cardcom,
  control,
  failure,
  gateway,
  page,
  paidPage,
  queue,
  total,
  useCardcomGateway,
  type FaultInput,
} from './cardcom.test.setup.ts'

useCardcomGateway()

const paid = async (amount?: number) => (await paidPage(amount === undefined ? {} : { amount })).paymentId

describe('a payment', () => {
  it('is what was taken, and what was given back since, by whomever', async () => {
    const paymentId = await paid()
    expect(await gateway.getPayment(paymentId, call())).toMatchObject({
      id: paymentId,
      status: 'captured',
      amount: 4210,
      currency: 'ILS',
      captured: 4210,
      refunded: 0,
    })
    await control(`/transactions/${paymentId}/refund`, { amount: 1210 })
    await control(`/transactions/${paymentId}/refund`, { amount: 500 })
    // Of somebody else.
    await control(`/transactions/${await paid()}/refund`, {})
    expect(await gateway.getPayment(paymentId, call())).toMatchObject({ captured: 4210, refunded: 1710 })
  })

  it('has an id of 64 bits, and keeps it', async () => {
    const paymentId = await paid()
    expect(BigInt(paymentId)).toBeGreaterThan(BigInt(Number.MAX_SAFE_INTEGER))
    expect(String(Number(paymentId))).not.toBe(paymentId)
    expect([...cardcom.book.transactions.keys()]).toEqual([paymentId])
  })

  it('is captured at once, so that capturing and cancelling say how things stand', async () => {
    const paymentId = await paid()
    const now = await gateway.getPayment(paymentId, call())
    expect(await gateway.capture({ paymentId, amount: 4210, currency: 'ILS' }, call())).toEqual(now)
    expect(await gateway.cancelPayment(paymentId, call())).toEqual(now)
  })

  it('is made on a page only: nobody’s token is charged', async () => {
    expect([gateway.savedMethods, gateway.settling.charge]).toEqual([false, { methods: [], repeatWindow: 0 }])
    const charge = {
      amount: 4210,
      currency: 'ILS',
      paymentMethod: '84cc1f4f-c089-410b-9f93-6437ac9abba6:1239',
      order: 'o1',
      requestedAt: new Date().toISOString(),
    }
    expect(await failure(gateway.charge(charge, call()))).toMatchObject({ kind: 'refused', code: 'no_saved_methods' })
    expect(cardcom.calls.list()).toHaveLength(0)
  })

  it('that is unknown is a refusal; one that is not listed yet can be asked for again', async () => {
    for (const id of ['1', 'pi_1', ''])
      expect(await failure(gateway.getPayment(id, call()))).toMatchObject({
        kind: 'refused',
        code: 'no_such_transaction',
      })
    const paymentId = await paid()
    const made = cardcom.book.transactions.get(paymentId)!
    const old = { ...made, createdAt: new Date(Date.now() + 7 * 24 * 3600_000) }
    cardcom.book.transactions.set(paymentId, old)
    expect(await failure(gateway.getPayment(paymentId, call()))).toMatchObject({
      kind: 'unavailable',
      code: 'not_listed',
      retryable: true,
    })
  })

  it('is found among more transactions than one answer has room for, and of long ago', async () => {
    const paymentId = await paid()
    const made = cardcom.book.transactions.get(paymentId)!
    cardcom.book.transactions.set(paymentId, { ...made, createdAt: new Date(Date.now() - 100 * 24 * 3600_000) })
    for (let i = 0; i < 2005; i += 1) cardcom.book.transactions.set(`${i}`, { ...made, id: `${i}`, uid: `u${i}` })
    await control(`/transactions/${paymentId}/refund`, { amount: 10 })
    expect(await gateway.getPayment(paymentId, call())).toMatchObject({ captured: 4210, refunded: 10 })
    expect(calls('list').map(({ params }) => params['Page'])).toEqual(['1', '2'])
  })
})

describe('undo', () => {
  it('gives all of it back, once, and asks CardCom to refuse a second time', async () => {
    const paymentId = await paid()
    const first = await gateway.reverse({ paymentId, order: 'o1' }, call('u1'))
    expect(first).toMatchObject({ status: 'refunded', payment: { captured: 4210, refunded: 4210 } })
    expect(calls('refund')[0]?.params).toMatchObject({
      TransactionId: paymentId,
      CancelOnly: 'false',
      AllowMultipleRefunds: 'false',
    })
    expect(calls('refund')[0]?.params).not.toHaveProperty('PartialSum')
    expect(await gateway.reverse({ paymentId }, call('u1'))).toEqual(first)
    expect(await gateway.reverse({ paymentId }, call('u2'))).toEqual(first)
    expect(calls('refund')).toHaveLength(1)
    expect(cardcom.book.net('order')['o1']).toMatchObject({ refunds: 1, net: 0 })
  })

  it('gives back only what is left', async () => {
    const paymentId = await paid()
    await gateway.refund({ paymentId, amount: 1210 }, call('r1'))
    expect(await gateway.reverse({ paymentId }, call('u1'))).toMatchObject({ payment: { refunded: 4210 } })
    expect(calls('refund').map(({ params }) => [params['PartialSum'], params['AllowMultipleRefunds']])).toEqual([
      ['12.10', 'false'],
      ['30.00', 'true'],
    ])
    expect(total()).toBe(0)
  })

  it('of which nobody knows whether it was done is not sent again, and is not said to be safe to send', async () => {
    expect(gateway.settling.refund).toEqual({ methods: [], repeatWindow: 0 })
    const paymentId = await paid()
    queue('refund', { kind: 'drop', at: 'executed' })
    const lost = await failure(gateway.reverse({ paymentId }, call('u1')))
    expect(lost).toMatchObject({ kind: 'unknown', effect: 'unknown', retryable: false })
    expect(calls('refund')).toHaveLength(1)
    // A human who looks, and tries again, gives nothing twice.
    expect(await gateway.reverse({ paymentId }, call('u1'))).toMatchObject({ status: 'refunded' })
    expect(calls('refund')).toHaveLength(1)
    expect(total()).toBe(0)
  })

  it.each([
    [{ kind: 'drop', at: 'arrived' }],
    [{ kind: 'error', stored: false }],
    [{ kind: 'error', stored: true, effect: 'done' }],
  ] satisfies [FaultInput][])('that met %j is unknown, tried once', async (fault) => {
    const paymentId = await paid()
    queue('refund', fault)
    expect(await failure(gateway.reverse({ paymentId }, call('u1')))).toMatchObject({
      kind: 'unknown',
      retryable: false,
    })
    expect(calls('refund')).toHaveLength(1)
  })

  it.each(['info', 'list'] as const)(
    'whose %s cannot be read has done nothing, and may be tried again',
    async (path) => {
      const paymentId = await paid()
      queue(path, { kind: 'drop', at: 'executed' })
      expect(await failure(gateway.reverse({ paymentId }, call('u1')))).toMatchObject({
        kind: 'unavailable',
        effect: 'none',
        retryable: true,
      })
      expect(calls('refund')).toHaveLength(0)
    },
  )

  it('that two send at once is done once: CardCom refuses the other, who sees that all is given back', async () => {
    const paymentId = await paid()
    const both = cardcom.faults.add({
      match: { path: '/api/v11/Transactions/RefundByTransactionId' },
      times: 2,
      faults: [{ kind: 'hang', at: 'arrived' }],
    })
    const undoing = ['u1', 'u2'].map((key) => gateway.reverse({ paymentId }, call(key)))
    await cardcom.calls.until(() => calls('refund').length === 2)
    both.release()
    expect((await Promise.all(undoing)).map(({ status }) => status)).toEqual(['refunded', 'refunded'])
    expect(cardcom.book.net('order')['o1']).toMatchObject({ refunds: 1, net: 0 })
  })

  it('of what was declined takes nothing back, because nothing was taken', async () => {
    const opened = await page()
    await control(`/pages/${opened.id}/pay`, { code: 4 })
    const [paymentId = ''] = cardcom.book.transactions.keys()
    expect(await gateway.reverse({ paymentId }, call('u1'))).toMatchObject({ status: 'voided' })
    expect(calls('refund')).toHaveLength(0)
  })
})

describe('refund', () => {
  it('gives parts back until nothing is left, each found by its key', async () => {
    const paymentId = await paid()
    const part = { paymentId, amount: 1000, order: 'o1' }
    expect(await gateway.findRefund(part, call('r1'))).toBeUndefined()
    const first = await gateway.refund(part, call('r1'))
    expect(first).toMatchObject({ status: 'refunded', amount: 1000 })
    expect(await gateway.findRefund(part, call('r1'))).toEqual(first)
    // A repeat under the same key is the first; another key is another refund.
    expect(await gateway.refund(part, call('r1', { repeated: true }))).toEqual(first)
    expect(await gateway.findRefund(part, call('r2'))).toBeUndefined()
    expect(await gateway.refund({ paymentId }, call('r2'))).toMatchObject({ status: 'refunded', amount: 3210 })
    expect(await gateway.refund({ paymentId }, call('r3'))).toEqual({ status: 'already_refunded' })
    expect(total()).toBe(0)
  })

  it('of more than is left, or of nothing, is not sent', async () => {
    const paymentId = await paid()
    for (const amount of [4211, 0, -1])
      expect(await failure(gateway.refund({ paymentId, amount }, call('r1')))).toMatchObject({
        kind: 'refused',
        code: 'refund_exceeds_payment',
      })
    expect(calls('refund')).toHaveLength(0)
  })

  it('that CardCom refuses is a refusal', async () => {
    const paymentId = await paid()
    for (const code of ['5112', '5111', '33']) {
      queue('refund', { kind: 'decline', code })
      expect(await failure(gateway.refund({ paymentId, amount: 10 }, call('r1')))).toMatchObject({
        kind: 'refused',
        code,
      })
    }
    expect(total()).toBe(4210)
  })

  it('that may be ours and has no reference is nobody’s to judge but a human’s', async () => {
    const paymentId = await paid()
    await control(`/transactions/${paymentId}/refund`, { amount: 1000 })
    expect(await failure(gateway.findRefund({ paymentId, amount: 1000 }, call('r1')))).toMatchObject({
      code: 'refund_ambiguous',
      retryable: false,
    })
  })

  it('whose answer was lost is unknown, and found by whoever looks', async () => {
    const paymentId = await paid()
    queue('refund', { kind: 'drop', at: 'executed' })
    const part = { paymentId, amount: 1000 }
    expect(await failure(gateway.refund(part, call('r1')))).toMatchObject({ kind: 'unknown', retryable: false })
    expect(await gateway.findRefund(part, call('r1'))).toMatchObject({ status: 'refunded', amount: 1000 })
    expect(total()).toBe(3210)
  })
})
