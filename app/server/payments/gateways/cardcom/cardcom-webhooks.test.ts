import { describe, expect, it } from 'vitest'
import { press } from '../../../../simulators/cardcom/browser.ts'
import {
  body,
  call,
  calls,
  cardcom,
  control,
  failure,
  gateway,
  page,
  paidPage,
  queue,
  received,
  receiver,
  useCardcomGateway,
} from './cardcom.test.setup.ts'

useCardcomGateway({ reportDeclines: true })

const now = Date.UTC(2026, 0, 2)
const read = (request = received()) => gateway.readWebhook(request, now, call('hook'))

describe('a webhook', () => {
  it('of a page that was paid is an event about that page, by the gateway’s own word', async () => {
    const { page: opened, paymentId } = await paidPage()
    await receiver.until(1)
    expect(await read()).toEqual({
      status: 'verified',
      event: {
        id: `${opened.id}:${paymentId}:0`,
        type: 'lowprofile.paid',
        createdAt: '2026-01-02T00:00:00.000Z',
        subject: { kind: 'checkout', checkout: await gateway.getCheckout(opened.id, call()) },
      },
    })
  })

  it('five times at once, and by the older API, is one event', async () => {
    const opened = await page()
    cardcom.faults.add({ match: { path: '/EA/LPC6/1000/*' }, faults: [{ kind: 'webhook', copies: 5 }] })
    await press(opened, 'pay')
    await receiver.until(5)
    await control(`/pages/${opened.id}/tell`, { legacy: true })
    await receiver.until(6)
    const readings = await Promise.all([0, 1, 2, 3, 4, 5].map((index) => read(received(index))))
    const ids = readings.map((reading) => reading.status === 'verified' && reading.event.id)
    expect(new Set(ids).size).toBe(1)
    expect(ids[0]).toMatch(/:0$/)
    expect(receiver.received[5]).toMatchObject({ method: 'GET' })
  })

  it('of a decline, and then of the payment, are two events', async () => {
    const opened = await page()
    await press(opened, 'decline')
    await receiver.until(1)
    const first = await read()
    expect(first).toMatchObject({
      event: { type: 'lowprofile.declined', subject: { checkout: { status: 'open', declined: { code: '4' } } } },
    })
    await press(opened, 'pay')
    await receiver.until(2)
    const second = await read(received(1))
    expect(second).toMatchObject({ event: { type: 'lowprofile.paid' } })
    // The first body, read late, is the event of now: nothing in a body is believed.
    expect(await read(received(0))).toEqual(second)
  })

  it('of a card that was only looked at is an event, and no payment', async () => {
    const opened = await page()
    await control(`/pages/${opened.id}/pay`, { code: 701 })
    await receiver.until(1)
    expect(await read()).toMatchObject({
      event: { type: 'lowprofile.validated', subject: { checkout: { status: 'open', paymentId: null } } },
    })
  })

  it('that was forged for an open page is not confirmed', async () => {
    const opened = await page()
    await control(`/pages/${opened.id}/tell`, { forged: true })
    await receiver.until(1)
    expect(receiver.received[0]?.rawBody.toString()).toContain('"TranzactionId":209413394')
    expect(await read()).toEqual({ status: 'rejected', reason: 'not_confirmed' })
  })

  it('that was forged for a page that never was, or of another terminal, is not confirmed', async () => {
    expect(await read(body(`{"LowProfileId":"${crypto.randomUUID()}","ResponseCode":0}`))).toEqual({
      status: 'rejected',
      reason: 'not_confirmed',
    })
    const opened = await page()
    await control(`/pages/${opened.id}/pay`, { terminalNumber: 2000 })
    await receiver.until(1)
    expect(await read()).toEqual({ status: 'rejected', reason: 'not_confirmed' })
  })

  it('that says more than is true is the truth: another amount, another order', async () => {
    const { page: opened } = await paidPage()
    const lie = JSON.stringify({ LowProfileId: opened.id, ReturnValue: 'o9', TranzactionInfo: { Amount: 1 } })
    expect(await read(body(lie))).toMatchObject({ event: { subject: { checkout: { amount: 4210, order: 'o1' } } } })
  })

  it.each([
    ['JSON', (id: string) => `{"LowProfileId":"${id}"}`],
    ['JSON, in capitals', (id: string) => `{"lowProfileId":"${id.toUpperCase()}"}`],
    ['a form', (id: string) => `terminalnumber=1000&lowprofilecode=${id}&Operation=1`],
    ['a form of v11', (id: string) => `LowProfileId=${id}`],
  ])('is read from %s', async (_name, write) => {
    const { page: opened } = await paidPage()
    expect(await read(body(write(opened.id)))).toMatchObject({
      event: { type: 'lowprofile.paid', subject: { checkout: { id: opened.id } } },
    })
  })

  it.each([
    '',
    '{',
    '[]',
    '{}',
    'null',
    '{"LowProfileId":7}',
    '{"LowProfileId":"../../x"}',
    'lowprofilecode=',
    'lowprofilecode=1%27+or+1',
    '\u0000',
  ])('%j is none, and nothing is asked', async (text) => {
    expect(await read(body(text))).toEqual({ status: 'rejected', reason: 'malformed' })
    expect(calls('result')).toHaveLength(0)
  })

  it('bytes that are no text are none', async () => {
    expect(await read({ rawBody: Uint8Array.of(0xff, 0xfe, 0x7b), headers: {} })).toMatchObject({ reason: 'malformed' })
  })

  it('that comes before the transaction can be asked for is not confirmed yet', async () => {
    await paidPage()
    await receiver.until(1)
    queue('result', { kind: 'processing' })
    expect(await read()).toEqual({ status: 'rejected', reason: 'not_confirmed' })
    expect(await read()).toMatchObject({ status: 'verified' })
  })

  it.each([
    { kind: 'error', stored: false } as const,
    { kind: 'drop', at: 'executed' } as const,
    { kind: 'decline', code: '603' } as const,
    { kind: 'rate_limit' } as const,
  ])('about which CardCom cannot be asked (%j) has to be sent again', async (fault) => {
    await paidPage()
    await receiver.until(1)
    queue('result', fault)
    await failure(read())
    expect(await read()).toMatchObject({ status: 'verified' })
  })

  it('is read within the time it is given, however slow CardCom is', async () => {
    await paidPage()
    await receiver.until(1)
    queue('result', { kind: 'delay', ms: 5000, at: 'begun' })
    expect(await failure(gateway.readWebhook(received(), now, call('hook', { timeoutMs: 100 })))).toMatchObject({
      kind: 'unavailable',
      code: 'timeout',
    })
  })
})

describe('early and late', () => {
  it('a webhook may come before the shop knows the page: it names the order all the same', async () => {
    const slow = queue('create', { kind: 'hang', at: 'executed' })
    const creating = page()
    await slow.held()
    const [made] = [...cardcom.book.pages.values()]
    await control(`/pages/${made!.id}/pay`, {})
    await receiver.until(1)
    expect(await read()).toMatchObject({
      event: { subject: { checkout: { id: made!.id, order: 'o1', status: 'paid' } } },
    })
    slow.release()
    expect(await creating).toMatchObject({ id: made!.id })
  })
})
