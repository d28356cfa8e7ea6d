import { describe, expect, it } from 'vitest'
import { open, press } from './browser.ts'
import {
  cardcom,
  charge,
  chargeBody,
  company,
  control,
  createPage,
  credentials,
  idIn,
  pageBody,
  post,
  raw,
  receiver,
  refund,
  result,
  terminal,
  useCardcomSimulator,
} from './cardcom.test.setup.ts'

useCardcomSimulator()

describe('LowProfile', () => {
  it('a page is undecided, with one code for "open" and "never was", until it is paid', async () => {
    const page = await createPage()
    const never = crypto.randomUUID()
    expect(await result(page.id)).toMatchObject({ ResponseCode: 5096, TranzactionInfo: null, LowProfileId: page.id })
    expect(await result(never)).toMatchObject({ ResponseCode: 5096, TranzactionInfo: null, LowProfileId: never })
    expect(await press(page, 'pay')).toMatchObject({ status: 303, location: 'https://shop.example/success' })
    expect(await result(page.id)).toMatchObject({
      ResponseCode: 0,
      TerminalNumber: 1000,
      LowProfileId: page.id,
      ReturnValue: 'Z12332X',
      Operation: 'ChargeOnly',
      TranzactionInfo: { ResponseCode: 0, Amount: 10.5, CoinId: 1, TerminalNumber: 1000, IsRefund: false },
    })
    expect(cardcom.book.net('order')).toEqual({
      Z12332X: { currency: '1', charges: 1, charged: 1050, refunds: 0, refunded: 0, net: 1050 },
    })
  })

  it('the customer can be declined, try again, leave, and pay once', async () => {
    const page = await createPage({ CancelRedirectUrl: 'https://shop.example/cancelled' })
    expect(await press(page, 'leave')).toMatchObject({ location: 'https://shop.example/cancelled' })
    expect(await press(page, 'pay', '4111111111111111')).toMatchObject({ location: 'https://shop.example/failed' })
    expect(await result(page.id)).toMatchObject({ ResponseCode: 33, TranzactionInfo: { ResponseCode: 33 } })
    await press(page, 'decline')
    expect(await result(page.id)).toMatchObject({ TranzactionInfo: { ResponseCode: 4 } })
    expect((await open(page)).text).toContain('סירוב')
    await press(page, 'pay', '4580 2800 0000 0008')
    expect((await press(page, 'pay')).text).toContain('Nothing more was charged')
    expect(cardcom.book.total()).toEqual({ 1: 1050 })
  })

  it('up to 5000 succeeds, more is declined', async () => {
    const [enough, more] = [await createPage({ Amount: 5000 }), await createPage({ Amount: 5000.01 })]
    expect(await press(enough, 'pay')).toMatchObject({ location: 'https://shop.example/success' })
    expect(await press(more, 'pay')).toMatchObject({ location: 'https://shop.example/failed' })
  })

  it('the page is plain HTML that trusts nobody’s text', async () => {
    const page = await createPage({ ProductName: '<script>alert(1)</script>' })
    const { text, status } = await open(page)
    expect(status).toBe(200)
    expect(text).not.toContain('<script>')
    expect((await open({ url: `${cardcom.url}/EA/LPC6/1000/${crypto.randomUUID()}` })).status).toBe(404)
  })

  it('a request is refused where it is not what OpenAPI says', async () => {
    const { WebHookUrl: _, ...unreported } = pageBody()
    const wrong = [
      unreported,
      pageBody({ Amount: 10.505 }),
      pageBody({ Amount: '10.5' }),
      pageBody({ TerminalNumber: '1000' }),
      pageBody({ ApiPassword: 'x' }),
      pageBody({ ProductName: 'x'.repeat(51) }),
      pageBody({ WebHookUrl: `https://shop.example/${'x'.repeat(500)}` }),
    ]
    for (const body of wrong) expect((await post('LowProfile/Create', body)).status).toBe(400)
    expect((await raw('LowProfile/Create', '{')).status).toBe(400)
    expect(await post('LowProfile/Create', pageBody({ ApiName: 'x' }))).toMatchObject({
      status: 401,
      body: { ResponseCode: 603 },
    })
    expect(await post('LowProfile/Delete', {})).toMatchObject({ status: 404, body: { Message: expect.any(String) } })
    expect(cardcom.book.pages.size).toBe(0)
  })
})

describe('webhooks', () => {
  it('are unsigned, go where the page says, and say what GetLpResult says', async () => {
    const page = await createPage()
    await press(page, 'pay')
    const [told] = await receiver.until(1)
    expect(told).toMatchObject({ method: 'POST', path: '/webhook' })
    expect(Object.keys(told!.headers).filter((name) => /sign|auth/i.test(name))).toEqual([])
    expect(JSON.parse(told!.rawBody.toString())).toEqual(await result(page.id))
  })

  it('are sent again until they are answered with 2xx', async () => {
    receiver.answerWith(500, 404)
    await press(await createPage(), 'pay')
    await receiver.until(3)
    await cardcom.webhooks.idle()
    expect(cardcom.webhooks.deliveries().map(({ attempt, status }) => [attempt, status])).toEqual([
      [1, 500],
      [2, 404],
      [3, 200],
    ])
  })

  it('tell of no decline, unless the merchant wants them all', async () => {
    const page = await createPage()
    await press(page, 'decline')
    await press(page, 'pay')
    await cardcom.webhooks.idle()
    expect(receiver.received).toHaveLength(1)
  })
})

describe('token charges', () => {
  it('a reference is charged once, told as 608, or answered with the first by either spelling', async () => {
    const first = await charge()
    expect(first.body).toMatchObject({ ResponseCode: 0, Amount: 20.11, CoinId: 1, IsRefund: false })
    expect(await charge()).toMatchObject({ status: 200, body: { ResponseCode: 608 } })
    for (const flag of ['ExternalUniqTranIdResponse', 'ExternalUniqUniqTranIdResponse'])
      expect((await charge({ [flag]: true })).text).toBe(first.text)
    const found = await post('Transactions/GetTransactionByExternalUniqTran', {
      ...terminal,
      ExternalUniqTranId: 'uniq-1',
    })
    expect(found.text).toBe(first.text)
    expect(cardcom.book.net('reference')['uniq-1']).toMatchObject({ charges: 1, net: 2011 })
  })

  it('a decline is not kept under its reference', async () => {
    expect((await charge({ Amount: 5000.5 })).body).toMatchObject({ ResponseCode: 4 })
    expect((await charge({ CardExpirationMMYY: '0120' })).body).toMatchObject({ ResponseCode: 36 })
    const asked = { ...terminal, ExternalUniqTranId: 'uniq-1' }
    const found = await post('Transactions/GetTransactionByExternalUniqTran', asked)
    expect(found.body).toMatchObject({ ResponseCode: 5096 })
    expect((await charge()).body).toMatchObject({ ResponseCode: 0 })
  })

  it('without a reference every request is a charge', async () => {
    const body = chargeBody({ ExternalUniqTranId: undefined })
    await post('Transactions/Transaction', body)
    await post('Transactions/Transaction', body)
    expect(cardcom.book.total()).toEqual({ 1: 4022 })
  })
})

describe('refunds and lists', () => {
  it('a deal is given back once; in parts where that is asked for, and never more than was taken', async () => {
    const id = idIn(await charge())
    expect((await refund(id, { PartialSum: 20.12 })).body).toMatchObject({ ResponseCode: 5112 })
    expect((await refund(id, { PartialSum: 5 })).body).toMatchObject({ ResponseCode: 0 })
    expect((await refund(id, { PartialSum: 5 })).body).toMatchObject({ ResponseCode: 5111 })
    expect((await refund(id, { PartialSum: 15.12, AllowMultipleRefunds: true })).body.ResponseCode).toBe(5112)
    expect((await refund(id, { PartialSum: 15.11, AllowMultipleRefunds: true })).body.ResponseCode).toBe(0)
    expect((await refund(id, { AllowMultipleRefunds: true })).body).toMatchObject({ ResponseCode: 5111 })
    expect(cardcom.book.net('reference')['uniq-1']).toMatchObject({ refunds: 2, net: 0 })
    expect((await refund('1')).body).toMatchObject({ ResponseCode: 5112 })
    expect(await refund(id, { ApiPassword: 'x' })).toMatchObject({ status: 401 })
  })

  it('the list holds a charge and its refunds under one Uid, by day, state and page', async () => {
    const id = idIn(await charge())
    await refund(id, { PartialSum: 5, CustomFields: [{ Id: 2, Value: 'r1' }] })
    await charge({ ExternalUniqTranId: 'uniq-2', Amount: 6000 })
    const list = async (more: object = {}) => {
      const query = { FromDate: '01012020', ToDate: '31122099', Page: 1, Page_size: 10, ...more }
      return (await post('Transactions/ListTransactions', { ...company, ...query })).body.Tranzactions as any[]
    }
    const [made, back, ...rest] = await list()
    expect(rest).toEqual([])
    expect(back).toMatchObject({ IsRefund: true, Amount: 5, Uid: made.Uid, CustomFields: [{ Id: 2, Value: 'r1' }] })
    expect(await list({ TranStatus: 'All', LimitForTerminal: 1000 })).toHaveLength(3)
    expect(await list({ TranStatus: 'Failure' })).toMatchObject([{ ResponseCode: 4 }])
    expect(await list({ LimitForTerminal: 2000 })).toEqual([])
    expect(await list({ Page: 2 })).toEqual([])
    expect(await list({ ToDate: '31122020' })).toEqual([])
    expect((await post('Transactions/ListTransactions', { ...company, ...terminal })).status).toBe(400)
  })

  it('a deal by its id has a date, and an unknown one is an empty list', async () => {
    const id = idIn(await charge())
    const user = { TerminalNumber: 1000, UserName: credentials.apiName, UserPassword: credentials.apiPassword }
    const ask = (number: string) =>
      raw(
        'Transactions/GetTransactionInfoById',
        JSON.stringify({ ...user, InternalDealNumber: 0 }).replace('Number":0', `Number":${number}`),
      )
    const found = await ask(id)
    expect(found.body).toMatchObject([{ Sum36: 2011, DealDate: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:]{8}$/) }])
    expect(idIn(found, 'InternalDealNumber')).toBe(id)
    expect((await ask('7')).body).toEqual([])
  })
})

describe('control', () => {
  it('shows and empties the book', async () => {
    await press(await createPage(), 'pay')
    expect((await control('GET', '/book')).body).toMatchObject({
      pages: [{ ResponseCode: 0 }],
      transactions: [{ ResponseCode: 0 }],
      net: { total: { 1: 1050 } },
    })
    await control('POST', '/reset')
    expect((await control('GET', '/book')).body).toMatchObject({ pages: [], transactions: [] })
  })

  it('says what it does not know', async () => {
    expect(await control('POST', '/pages/none/pay', {})).toMatchObject({ status: 404 })
    expect(await control('POST', '/transactions/none/refund', {})).toMatchObject({ status: 404 })
    const page = await createPage()
    expect(await control('POST', `/pages/${page.id}/pay`, { code: 'x' })).toMatchObject({ status: 400 })
    await control('POST', `/pages/${page.id}/pay`, {})
    expect(await control('POST', `/pages/${page.id}/pay`, {})).toMatchObject({ status: 409 })
  })
})
