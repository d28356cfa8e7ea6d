import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { press } from './browser.ts'
import {
  cardcom,
  charge,
  control,
  createPage,
  fault,
  idIn,
  pageBody,
  post,
  receiver,
  refund,
  result,
  useCardcomSimulator,
} from './cardcom.test.setup.ts'

useCardcomSimulator({ reportDeclines: true })

const create = () => post('LowProfile/Create', pageBody())

describe('faults by order', () => {
  it('accepted, then the answer is lost: a page, a charge, a refund', async () => {
    for (const path of ['LowProfile/Create', 'Transactions/Transaction', 'Transactions/RefundByTransactionId'])
      await fault(path, { kind: 'drop', at: 'executed' })
    await expect(create()).rejects.toThrow('fetch failed')
    await expect(charge()).rejects.toThrow('fetch failed')
    expect(cardcom.book.pages.size).toBe(1)
    const [made] = [...cardcom.book.transactions.values()]
    await expect(refund(made!.id)).rejects.toThrow('fetch failed')
    expect(cardcom.book.total()).toEqual({ 1: 0 })
  })

  it('500, with the work done or not', async () => {
    await fault('Transactions/Transaction', { kind: 'error', stored: false })
    expect((await charge()).status).toBe(500)
    expect(cardcom.book.total()).toEqual({})
    await fault('Transactions/Transaction', { kind: 'error', stored: true, effect: 'done' })
    expect((await charge()).status).toBe(500)
    expect(cardcom.book.total()).toEqual({ 1: 2011 })
  })

  it('200 with a code that is no success, of every call', async () => {
    await fault('LowProfile/Create', { kind: 'decline', code: '5001' })
    expect(await create()).toMatchObject({ status: 200, body: { ResponseCode: 5001 } })
    expect(cardcom.book.pages.size).toBe(0)
    await fault('Transactions/Transaction', { kind: 'decline' })
    expect(await charge()).toMatchObject({ status: 200, body: { ResponseCode: 4, IsRefund: false } })
    await fault('Transactions/Transaction', { kind: 'decline', code: '603' })
    expect((await charge()).text).not.toContain('TranzactionId')
    const id = idIn(await charge())
    await fault('Transactions/RefundByTransactionId', { kind: 'decline', code: '5112' })
    expect(await refund(id)).toMatchObject({ status: 200, body: { ResponseCode: 5112 } })
    expect(cardcom.book.total()).toEqual({ 1: 2011 })
  })

  it('slow, held, and limited', async () => {
    await fault('LowProfile/Create', { kind: 'delay', ms: 60 })
    const began = performance.now()
    await create()
    expect(performance.now() - began).toBeGreaterThanOrEqual(59)
    await fault('LowProfile/Create', { kind: 'rate_limit', retryAfterSeconds: 2 })
    expect((await create()).status).toBe(429)
  })

  it('GetLpResult without its transaction, then with it', async () => {
    const page = await createPage()
    await press(page, 'pay')
    await fault('LowProfile/GetLpResult', { kind: 'processing' })
    expect(await result(page.id)).toMatchObject({ ResponseCode: 5096, TranzactionInfo: null })
    expect(await result(page.id)).toMatchObject({ ResponseCode: 0, TranzactionInfo: { ResponseCode: 0 } })
  })

  it('a webhook five times at once, before the browser is sent back', async () => {
    const page = await createPage()
    await fault('/EA/LPC6/1000/*', { kind: 'webhook', copies: 5, early: true })
    await press(page, 'pay')
    expect(receiver.received).toHaveLength(5)
    expect(new Set(receiver.received.map(({ rawBody }) => rawBody.toString())).size).toBe(1)
  })

  it('a webhook before the answer to the call that created its page', async () => {
    const barrier = cardcom.faults.add({
      match: { path: '/api/v11/LowProfile/Create' },
      faults: [{ kind: 'hang', at: 'executed' }],
    })
    let answered = false
    const creating = create().then((reply) => {
      answered = true
      return reply
    })
    await barrier.held()
    const [page] = [...cardcom.book.pages.values()]
    await control('POST', `/pages/${page!.id}/pay`, {})
    await receiver.until(1)
    expect(answered).toBe(false)
    barrier.release()
    expect((await creating).body).toMatchObject({ LowProfileId: page!.id })
  })

  it('a forged success, and the older API’s GET', async () => {
    const page = await createPage()
    await control('POST', `/pages/${page.id}/tell`, { forged: true })
    await control('POST', `/pages/${page.id}/tell`, { legacy: true })
    const [forged, legacy] = await receiver.until(2)
    expect(JSON.parse(forged!.rawBody.toString())).toMatchObject({
      ResponseCode: 0,
      LowProfileId: page.id,
      TranzactionInfo: { ResponseCode: 0, Amount: 10.5 },
    })
    expect(legacy).toMatchObject({ method: 'GET' })
    expect(legacy!.path).toBe(`/webhook?terminalnumber=1000&lowprofilecode=${page.id}&Operation=1`)
    expect(await result(page.id)).toMatchObject({ ResponseCode: 5096 })
  })

  it('another amount, coin, terminal or order than the page asked for', async () => {
    const page = await createPage()
    const mismatch = { amount: 100, coinId: 2, terminalNumber: 2000, returnValue: 'other' }
    await control('POST', `/pages/${page.id}/pay`, mismatch)
    expect(await result(page.id)).toMatchObject({
      ResponseCode: 0,
      ReturnValue: 'other',
      TranzactionInfo: { Amount: 1, CoinId: 2, TerminalNumber: 2000 },
    })
    expect(cardcom.book.total()).toEqual({ 2: 100 })
  })

  it('declines are told where the merchant wants to hear of all', async () => {
    await press(await createPage(), 'decline')
    const [told] = await receiver.until(1)
    expect(JSON.parse(told!.rawBody.toString())).toMatchObject({ ResponseCode: 4 })
  })
})

describe('as a process of its own', () => {
  it('says where it listens, and ends with the process that started it', async () => {
    const main = new URL('main.ts', import.meta.url).pathname
    const child = spawn(process.execPath, [main, '--with-parent', '--terminal-number', '77'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    const { name, url } = JSON.parse(line.toString()) as { name: string; url: string }
    expect(name).toBe('cardcom')
    expect((await fetch(`${url}/_control/book`)).status).toBe(200)
    child.stdin.end()
    expect(await once(child, 'exit')).toEqual([0, null])
  })
})
