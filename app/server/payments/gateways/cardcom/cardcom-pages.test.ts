import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { open, press } from '../../../../simulators/cardcom/browser.ts'
import { readCardcomConfig } from './cardcom-config.ts'
import { createCardcomGateway } from './cardcom-gateway.ts'
import {
  call,
  calls,
  cardcom,
  control,
  credentials,
  failure,
  gateway,
  page,
  pageRequest,
  paidPage,
  queue,
  total,
  useCardcomGateway,
} from './cardcom.test.setup.ts'

useCardcomGateway()

describe('a page', () => {
  it('is created with our order and amount, as digits, and is open until somebody pays', async () => {
    const opened = await page({ amount: 4210, customerEmail: 'ada@example.com' })
    expect(opened).toMatchObject({ status: 'open', amount: 4210, currency: 'ILS', order: 'o1', paymentId: null })
    expect(calls('create')[0]?.params).toMatchObject({
      TerminalNumber: '1000',
      Amount: '42.10',
      ISOCoinId: '1',
      ReturnValue: 'o1',
      CancelRedirectUrl: 'https://shop.example/cancelled',
    })
    expect((await open(opened)).text).toContain('₪42.10')
    expect(await gateway.getCheckout(opened.id, call())).toMatchObject({
      id: opened.id,
      status: 'open',
      declined: null,
      paymentId: null,
    })
    expect(await gateway.closeCheckout(opened.id, call())).toMatchObject({ status: 'abandoned', paymentId: null })
  })

  it('is paid by its customer, who comes back; then it is paid also for whoever would close it', async () => {
    const opened = await page()
    expect(await press(opened, 'pay')).toMatchObject({ status: 303, location: 'https://shop.example/return' })
    const paid = await gateway.getCheckout(opened.id, call())
    expect(paid).toMatchObject({ status: 'paid', amount: 4210, currency: 'ILS', order: 'o1', declined: null })
    expect(await gateway.closeCheckout(opened.id, call())).toEqual(paid)
    expect(cardcom.book.net('order')['o1']).toMatchObject({ charges: 1, net: 4210 })
    // Once.
    await press(opened, 'pay')
    expect(total()).toBe(4210)
  })

  it('that was declined stays open, says why, and can be paid after all', async () => {
    const opened = await page({ amount: 500_001 })
    expect(await press(opened, 'pay')).toMatchObject({ status: 303, location: 'https://shop.example/cancelled' })
    expect(await gateway.getCheckout(opened.id, call())).toMatchObject({
      status: 'open',
      paymentId: null,
      declined: { code: '4', message: 'סירוב' },
    })
    expect(await gateway.closeCheckout(opened.id, call())).toMatchObject({ status: 'abandoned' })
    await control(`/pages/${opened.id}/pay`, { code: 0 })
    expect(await gateway.getCheckout(opened.id, call())).toMatchObject({ status: 'paid', declined: null })
  })

  it.each([
    ['ILS', 1],
    ['USD', 2],
    ['EUR', 978],
    ['GBP', 826],
  ])('in %s is coin %i, and is read back as that', async (currency, coin) => {
    const { page: paid } = await paidPage({ currency })
    expect(calls('create')[0]?.params['ISOCoinId']).toBe(String(coin))
    expect(await gateway.getCheckout(paid.id, call())).toMatchObject({ status: 'paid', currency, amount: 4210 })
    expect(gateway.currencies.has(currency)).toBe(true)
  })

  it('is not created in a currency that CardCom is not known to take, nor without a place to report to', async () => {
    const { webhookUrl: _, ...unreported } = pageRequest()
    expect(await failure(page({ currency: 'INR' }))).toMatchObject({ kind: 'refused', code: 'currency_not_taken' })
    expect(await failure(gateway.createCheckout(unreported, call()))).toMatchObject({ code: 'webhook_url_missing' })
    expect(await failure(page({ successUrl: `https://shop.example/${'x'.repeat(500)}` }))).toMatchObject({
      code: 'too_long',
    })
    expect(calls('create')).toHaveLength(0)
  })

  it('a name that is too long is cut, and does not break a character', async () => {
    await page({ description: `a${'🍏'.repeat(60)}` })
    expect(calls('create')[0]?.params['ProductName']).toBe(`a${'🍏'.repeat(24)}`)
  })

  it('a repeat makes a second page, on which nobody pays', async () => {
    queue('create', { kind: 'drop', at: 'executed' })
    expect(await failure(page())).toMatchObject({ kind: 'unknown', code: 'network', retryable: true })
    const second = await page()
    expect(cardcom.book.pages.size).toBe(2)
    await press(second, 'pay')
    expect(total()).toBe(4210)
  })
})

describe('what a page says is believed only as far as it goes', () => {
  it('only looked at, or only held, is not paid', async () => {
    for (const code of [700, 701]) {
      const opened = await page()
      await control(`/pages/${opened.id}/pay`, { code })
      expect(await gateway.getCheckout(opened.id, call())).toMatchObject({ status: 'open', declined: null })
    }
  })

  it('another amount, coin or order is answered as it is, so that it can be given back', async () => {
    const opened = await page()
    await control(`/pages/${opened.id}/pay`, { amount: 100, coinId: 2, returnValue: 'o2' })
    const paid = await gateway.getCheckout(opened.id, call())
    expect(paid).toMatchObject({ status: 'paid', amount: 100, currency: 'USD', order: 'o2' })
    expect(await gateway.getPayment(paid.paymentId!, call())).toMatchObject({ captured: 100, currency: 'USD' })
    expect(await gateway.reverse({ paymentId: paid.paymentId! }, call())).toMatchObject({ status: 'refunded' })
    expect(cardcom.book.total()).toEqual({ 2: 0 })
  })

  it('a coin that we do not know is no currency, and its money can be given back all the same', async () => {
    const opened = await page()
    await control(`/pages/${opened.id}/pay`, { coinId: 392 })
    const paid = await gateway.getCheckout(opened.id, call())
    expect(paid).toMatchObject({ status: 'paid', currency: 'XXX' })
    await gateway.reverse({ paymentId: paid.paymentId! }, call())
    expect(cardcom.book.total()).toEqual({ 392: 0 })
  })

  it('another terminal is not ours', async () => {
    const opened = await page()
    await control(`/pages/${opened.id}/pay`, { terminalNumber: 2000 })
    expect(await failure(gateway.getCheckout(opened.id, call()))).toMatchObject({ kind: 'refused', code: 'not_ours' })
  })

  it('without a transaction it is open, and paid once the transaction is there', async () => {
    const opened = await page()
    await press(opened, 'pay')
    queue('result', { kind: 'processing' })
    expect(await gateway.getCheckout(opened.id, call())).toMatchObject({ status: 'open', paymentId: null })
    expect(await gateway.getCheckout(opened.id, call())).toMatchObject({ status: 'paid' })
  })

  it.each([
    ['{"ResponseCode":0}', { status: 'open', declined: null }],
    ['{"ResponseCode":33,"Description":"no"}', { status: 'open', declined: { code: '33', message: 'no' } }],
  ])('%s has no transaction', async (text, expected) => {
    expect(await answering(text)).toMatchObject(expected)
  })

  const transaction = (more: object) => ({
    ResponseCode: 0,
    TranzactionId: 7,
    TerminalNumber: 1000,
    Amount: 10.5,
    CoinId: 1,
    ...more,
  })
  const result = (code: number, more: object, top: object = {}) =>
    JSON.stringify({
      ResponseCode: code,
      TerminalNumber: 1000,
      LowProfileId: someId,
      TranzactionInfo: transaction(more),
      ...top,
    })

  it.each([
    ['a transaction that succeeded under a code that is none', result(5, {}), 'unavailable', 'contradictory'],
    ['a refund', result(0, { IsRefund: true }), 'unavailable', 'contradictory'],
    ['a success without a transaction id', result(0, { TranzactionId: 0 }), 'unavailable', 'contradictory'],
    ['another page', result(0, {}, { LowProfileId: crypto.randomUUID() }), 'refused', 'not_ours'],
    ['an amount with parts of an agora', result(0, { Amount: 10.505 }), 'unavailable', 'bad_response'],
    ['no amount', result(0, { Amount: null }), 'unavailable', 'bad_response'],
    ['something else', '<html>', 'unavailable', 'bad_response'],
    ['no code', '{}', 'unavailable', 'bad_response'],
  ])('%s is neither paid nor open', async (_name, text, kind, code) => {
    expect(await failure(answering(text))).toMatchObject({ kind, code })
  })

  it('the shape that the vendor shows is paid, ids in capitals or not', async () => {
    const text = result(0, { Amount: 10.5 }, { LowProfileId: someId.toUpperCase(), ReturnValue: 'Z12332X' })
    expect(await answering(text)).toMatchObject({ status: 'paid', amount: 1050, order: 'Z12332X', paymentId: '7' })
  })
})

describe('errors', () => {
  it('HTTP 200 with a code is a no', async () => {
    queue('create', { kind: 'decline', code: '5001' })
    expect(await failure(page())).toMatchObject({ kind: 'refused', code: '5001', retryable: false, effect: 'none' })
    queue('result', { kind: 'decline', code: '603' })
    expect(await failure(gateway.getCheckout(someId, call()))).toMatchObject({ kind: 'refused', code: '603' })
  })

  it('wrong credentials are a no', async () => {
    const wrong = createCardcomGateway({ baseUrl: cardcom.url, ...credentials, apiName: 'somebody' })
    expect(await failure(wrong.getCheckout(someId, call()))).toMatchObject({
      kind: 'refused',
      code: '603',
      status: 401,
    })
  })

  it.each([
    [{ kind: 'error', stored: false }, 'unknown', '500'],
    [{ kind: 'error', stored: true, effect: 'done' }, 'unknown', '500'],
    [{ kind: 'drop', at: 'arrived' }, 'unknown', 'network'],
    [{ kind: 'rate_limit', retryAfterSeconds: 3 }, 'unavailable', '429'],
  ] as const)('what takes effect and meets %j is %s', async (fault, kind, code) => {
    queue('create', fault)
    expect(await failure(page())).toMatchObject({ kind, code })
  })

  it('a question has no effect that could be unknown', async () => {
    const { id } = await page()
    for (const fault of [
      { kind: 'error', stored: false },
      { kind: 'drop', at: 'executed' },
    ] as const) {
      queue('result', fault)
      expect(await failure(gateway.getCheckout(id, call()))).toMatchObject({ kind: 'unavailable', retryable: true })
    }
  })

  it('an answer that is too slow is told as lost in time, and not waited for', async () => {
    const slow = queue('create', { kind: 'hang', at: 'begun' })
    const began = performance.now()
    expect(await failure(gateway.createCheckout(pageRequest(), call('slow', { timeoutMs: 100 })))).toMatchObject({
      kind: 'unknown',
      code: 'timeout',
    })
    expect(performance.now() - began).toBeLessThan(2000)
    slow.release()
  })

  it('where it was aborted before, nothing was sent; where nobody listens, nothing was done', async () => {
    const aborted = call('k', { signal: AbortSignal.abort() })
    const nothing = { kind: 'unavailable', effect: 'none' }
    expect(await failure(gateway.createCheckout(pageRequest(), aborted))).toMatchObject({ ...nothing, code: 'aborted' })
    expect(calls('create')).toHaveLength(0)
    await cardcom.close()
    expect(await failure(page())).toMatchObject({ ...nothing, code: 'network' })
  })

  it('no error tells the password', async () => {
    const { paymentId } = await paidPage()
    queue('list', { kind: 'error', stored: false })
    const lost = await failure(gateway.getPayment(paymentId, call()))
    queue('refund', { kind: 'decline', code: '603' })
    const refused = await failure(gateway.reverse({ paymentId }, call()))
    for (const { message, stack, cause } of [lost, refused])
      expect(JSON.stringify([message, stack, cause])).not.toContain(credentials.apiPassword)
  })
})

describe('configuration', () => {
  const env = { CARDCOM_TERMINAL_NUMBER: '1000', CARDCOM_API_NAME: 'n', CARDCOM_API_PASSWORD: 'p' }

  it('is whole, or the gateway is not offered', () => {
    expect(readCardcomConfig(env)).toEqual({
      baseUrl: 'https://secure.cardcom.solutions',
      terminalNumber: 1000,
      apiName: 'n',
      apiPassword: 'p',
    })
    for (const name of Object.keys(env)) expect(readCardcomConfig({ ...env, [name]: ' ' })).toBeUndefined()
    expect(() => readCardcomConfig({ ...env, CARDCOM_TERMINAL_NUMBER: 'one' })).toThrow('CARDCOM_TERMINAL_NUMBER')
  })

  it('the password does not cross a network in the clear, and the path may be part of the base', async () => {
    expect(() => createCardcomGateway({ ...credentials, baseUrl: 'http://cardcom.example' })).toThrow('https')
    const same = createCardcomGateway({ ...credentials, baseUrl: `${cardcom.url}/api/v11/` })
    expect(await same.getCheckout(someId, call())).toMatchObject({ status: 'open' })
  })
})

const someId = '7d3a9c5e-2b1f-4e6d-8a90-1c2d3e4f5a6b'

/** What the gateway makes of this answer to `GetLpResult`. */
async function answering(text: string) {
  const server = createServer((_request, response) => response.end(text))
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  try {
    const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    return await createCardcomGateway({ baseUrl, ...credentials }).getCheckout(someId, call())
  } finally {
    server.closeAllConnections()
    server.close()
  }
}
