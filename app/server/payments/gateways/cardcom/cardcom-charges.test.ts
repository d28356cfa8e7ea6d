import { describe, expect, it } from 'vitest'
import {
  call,
  calls,
  cardcom,
  chargeRequest,
  failure,
  gateway,
  page,
  queue,
  token,
  total,
  useCardcomGateway,
  type FaultInput,
} from './cardcom.test.setup.ts'
import { referenceOf } from './cardcom-charges.ts'

useCardcomGateway()

const charged = async (key = 'k1', more?: Parameters<typeof chargeRequest>[0]) => {
  const result = await gateway.charge(chargeRequest(more), call(key))
  if (result.status !== 'captured') throw new Error(result.status)
  return result.payment
}

describe('a charge of a saved card', () => {
  it('takes the money, with our reference and order on it, and no float on the wire', async () => {
    const payment = await charged('k1', { amount: 1010 })
    expect(payment).toMatchObject({ status: 'captured', captured: 1010, refunded: 0, operation: 'k1', order: 'o1' })
    expect(calls('charge')[0]?.params).toMatchObject({
      Amount: '10.10',
      Token: token,
      CardExpirationMMYY: '1239',
      ExternalUniqTranId: referenceOf('k1'),
      ExternalUniqUniqTranIdResponse: 'true',
    })
    expect(cardcom.book.net('order')['o1']).toMatchObject({ charges: 1, net: 1010 })
    expect(await gateway.getPayment(payment.id, call())).toEqual({ ...payment, operation: null })
  })

  it('an id of 64 bits stays what it is', async () => {
    const { id } = await charged()
    expect(BigInt(id)).toBeGreaterThan(BigInt(Number.MAX_SAFE_INTEGER))
    expect(String(Number(id))).not.toBe(id)
    expect([...cardcom.book.transactions.keys()]).toEqual([id])
  })

  it('a reference has at most 25 characters, whatever the key, and is another for another key', () => {
    const references = ['k1', 'k2', 'k'.repeat(300), 'ק'].map(referenceOf)
    expect(new Set(references).size).toBe(4)
    for (const reference of references) expect(reference).toMatch(/^[0-9a-f]{25}$/)
  })

  it.each([
    ['over what the card takes', { amount: 500_001 }, '4'],
    ['after the card has expired', { paymentMethod: `${token}:0120` }, '36'],
  ])('is declined %s', async (_name, more, code) => {
    const result = await gateway.charge(chargeRequest(more), call('k1'))
    expect(result).toMatchObject({ status: 'declined', code, payment: { status: 'declined', captured: 0 } })
    expect(total()).toBe(0)
  })

  it.each(['5001', '603', '600'])('code %s is CardCom that says no, not the card', async (code) => {
    queue('charge', { kind: 'decline', code })
    expect(await failure(gateway.charge(chargeRequest(), call('k1')))).toMatchObject({ kind: 'refused', code })
  })

  it.each([token, `${token}:1339`, `${token}:12`, 'pm_card_visa', ''])(
    'a saved card of the name "%s" is not asked about',
    async (paymentMethod) => {
      expect(await failure(gateway.charge(chargeRequest({ paymentMethod }), call()))).toMatchObject({
        kind: 'refused',
        code: 'payment_method_invalid',
      })
      expect(calls('charge')).toHaveLength(0)
    },
  )
})

describe('a charge whose answer was lost', () => {
  const lose = async (...faults: FaultInput[]) => {
    queue('charge', ...faults)
    const recorded = chargeRequest()
    expect(await failure(gateway.charge(recorded, call('k1', { timeoutMs: 300 })))).toMatchObject({
      kind: 'unknown',
      effect: 'unknown',
      retryable: false,
    })
    return recorded
  }

  it('is settled by looking, and not by repeating', () => {
    expect(gateway.settling.charge).toEqual({ methods: ['find'], repeatWindow: 0 })
  })

  it.each([
    [{ kind: 'drop', at: 'executed' }],
    [{ kind: 'error', stored: true, effect: 'done' }],
    [{ kind: 'hang', at: 'executed' }],
  ] satisfies [FaultInput][])('by %j is found by its reference, among others', async (fault) => {
    const recorded = await lose(fault)
    await charged('other')
    expect(await gateway.findCharge(recorded, call('k1'))).toMatchObject({
      status: 'captured',
      payment: { captured: 4210, operation: 'k1', order: 'o1' },
    })
    expect(calls('charge')).toHaveLength(2)
  })

  it.each([[{ kind: 'drop', at: 'arrived' }], [{ kind: 'error', stored: false }]] satisfies [FaultInput][])(
    'by %j was not made, which is the word of the gateway',
    async (fault) => {
      const recorded = await lose(fault)
      expect(await gateway.findCharge(recorded, call('k1'))).toBeUndefined()
      await charged('k1')
      expect(cardcom.book.net('reference')[referenceOf('k1')]).toMatchObject({ charges: 1, net: 4210 })
    },
  )

  it('comes late: not found until it was made, found from then on', async () => {
    const slow = queue('charge', { kind: 'hang', at: 'begun' })
    const recorded = chargeRequest()
    const late = gateway.charge(recorded, call('k1'))
    await slow.held()
    expect(await gateway.findCharge(recorded, call('k1'))).toBeUndefined()
    slow.release()
    const made = await late
    expect(await gateway.findCharge(recorded, call('k1'))).toEqual(made)
  })

  it('sent again after it was made is answered with the first', async () => {
    const recorded = await lose({ kind: 'drop', at: 'executed' })
    expect(await gateway.charge(recorded, call('k1'))).toMatchObject({ status: 'captured' })
    expect(cardcom.calls.list().at(-1)).toMatchObject({ replayed: true })
    expect(total()).toBe(4210)
  })

  it('a 608 is no decline: the charge is looked for, and where it cannot be found nobody knows', async () => {
    const payment = await charged()
    const raw = async (flags: object) => {
      const answer = await fetch(`${cardcom.url}/api/v11/Transactions/Transaction`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          TerminalNumber: 1000,
          ApiName: 'api_of_this_test',
          Amount: 42.1,
          Token: token,
          CardExpirationMMYY: '1239',
          ExternalUniqTranId: referenceOf('k1'),
          ...flags,
        }),
      })
      return (await answer.text()).replace(/\s/g, '')
    }
    expect(await raw({})).toContain('"ResponseCode":608')
    for (const spelling of ['ExternalUniqTranIdResponse', 'ExternalUniqUniqTranIdResponse'])
      expect(await raw({ [spelling]: true })).toContain(`"TranzactionId":${payment.id}`)

    queue('find', { kind: 'decline', code: '5096' })
    queue('charge', { kind: 'decline', code: '608' })
    const nobodyKnows = await failure(gateway.charge(chargeRequest(), call('k9')))
    expect(nobodyKnows).toMatchObject({ kind: 'unknown', code: '608', retryable: false })
    expect(total()).toBe(4210)
  })

  it('a declined one is not found, because CardCom keeps no reference of it; sent again it is declined again', async () => {
    queue('charge', { kind: 'drop', at: 'executed' })
    const recorded = chargeRequest({ amount: 500_001 })
    await failure(gateway.charge(recorded, call('k1')))
    expect(await gateway.findCharge(recorded, call('k1'))).toBeUndefined()
    expect(await gateway.charge(recorded, call('k1'))).toMatchObject({ status: 'declined', code: '4' })
    expect(total()).toBe(0)
  })

  it('a code that is not known to mean "nothing" is never taken for it', async () => {
    for (const code of ['603', '5001', '700', '33']) {
      queue('find', { kind: 'decline', code })
      expect(await failure(gateway.findCharge(chargeRequest(), call('k1')))).toMatchObject({
        kind: 'unavailable',
        code,
      })
    }
  })

  it('two under one key at once are two charges at CardCom: hence the looking', async () => {
    const slow = cardcom.faults.add({
      match: { key: referenceOf('k1') },
      times: 2,
      faults: [{ kind: 'hang', at: 'begun' }],
    })
    const both = [1, 2].map(() => gateway.charge(chargeRequest(), call('k1')))
    await cardcom.calls.until(() => calls('charge').length === 2)
    await slow.held()
    slow.release()
    await Promise.all(both)
    expect(cardcom.book.net('reference')[referenceOf('k1')]).toMatchObject({ charges: 2 })
  })

  it('is closed by giving it back where it is found, and cannot be closed where it may still come', async () => {
    const recorded = await lose({ kind: 'drop', at: 'executed' })
    expect(await gateway.closeCharge(recorded, call('k1'))).toMatchObject({ status: 'refunded' })
    expect(total()).toBe(0)
    expect(await failure(gateway.closeCharge(chargeRequest(), call('k2')))).toMatchObject({ code: 'cannot_close' })
  })
})

describe('what CardCom has no use for', () => {
  it('captures at once, so that capturing and cancelling say how things stand', async () => {
    const { id: paymentId } = await charged()
    const now = await gateway.getPayment(paymentId, call())
    expect(await gateway.capture({ paymentId, amount: 4210, currency: 'ILS' }, call())).toEqual(now)
    expect(await gateway.cancelPayment(paymentId, call())).toEqual(now)
    expect(now).toMatchObject({ status: 'captured', captured: 4210 })
  })

  it('a page needs no saved card', async () => {
    await page()
    expect(gateway.savedMethods).toBe(true)
  })
})
