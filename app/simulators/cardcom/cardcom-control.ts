import { z } from 'zod'
import type { ControlAnswer, ExtraControl } from '../control.ts'
import type { Book } from './book.ts'
import { CardcomError } from './cardcom-error.ts'
import { ok, onTheWire, pageOnTheWire, type Page } from './objects.ts'
import { payPage, refundTransaction } from './transactions.ts'

const attempt = z.strictObject({
  /** `ResponseCode`: 0 is paid, 700 and 701 only looked at the card, anything else is a decline. */
  code: z.int().min(0).default(ok),
  amount: z.int().min(1).optional(),
  coinId: z.int().min(1).optional(),
  terminalNumber: z.int().min(1).optional(),
  returnValue: z.string().optional(),
  copies: z.int().min(0).max(50).default(1),
})
const telling = z.strictObject({
  copies: z.int().min(1).max(50).default(1),
  legacy: z.boolean().optional(),
  forged: z.boolean().default(false),
})
const refunding = z.strictObject({ amount: z.int().min(1).optional() })

export interface Telling {
  tell(page: Page, copies?: number, legacy?: boolean, forged?: object): Promise<void>
  report(page: Page, copies?: number): Promise<void>
}

/**
 * What happens at CardCom without the shop, by order of a test:
 *
 * | route | |
 * |---|---|
 * | `POST /_control/pages/:id/pay {code?, amount?, coinId?, terminalNumber?, returnValue?, copies?}` | a customer's attempt without a browser; whatever is another than the page's is a mismatch |
 * | `POST /_control/pages/:id/tell {copies?, legacy?, forged?}` | the page's webhook, now, again or for the first time; `forged` says that it is paid, whatever is true |
 * | `POST /_control/transactions/:id/refund {amount?}` | somebody at CardCom's own site gives money back |
 */
export function cardcomControl(book: Book, { tell, report }: Telling): ExtraControl {
  async function run(kind: string, id: string, verb: string, body: unknown): Promise<ControlAnswer | undefined> {
    const page = book.pages.get(id)
    switch (`${kind}/${verb}`) {
      case 'pages/pay': {
        if (!page) return none(`page ${id}`)
        const { code, copies, returnValue, ...other } = attempt.parse(body)
        if (page.transaction?.responseCode === ok) return conflict('the page is paid')
        page.shownReturnValue = returnValue ?? null
        const given = Object.fromEntries(Object.entries(other).filter(([, value]) => value !== undefined))
        const paid = payPage(book, page, { ...given, responseCode: code })
        void report(page, copies)
        return { status: 200, body: onTheWire(paid) }
      }
      case 'pages/tell': {
        if (!page) return none(`page ${id}`)
        const { copies, legacy, forged } = telling.parse(body)
        await tell(page, copies, legacy, forged ? successOf(page) : undefined)
        return { status: 200, body: { copies } }
      }
      case 'transactions/refund': {
        if (!book.transactions.has(id)) return none(`transaction ${id}`)
        const { amount } = refunding.parse(body)
        const done = refundTransaction(book, {
          ApiName: '',
          ApiPassword: '',
          TransactionId: id,
          PartialSum: amount,
          CancelOnly: false,
          AllowMultipleRefunds: true,
          CustomFields: [],
        })
        return { status: 200, body: done }
      }
    }
    return undefined
  }

  return async (method, path, body) => {
    const [, kind = '', id = '', verb = ''] = /^\/([a-z]+)\/([^/]+)\/([a-z]+)$/.exec(path) ?? []
    if (method !== 'POST') return undefined
    try {
      return await run(kind, id, verb, body)
    } catch (error) {
      if (error instanceof z.ZodError) return { status: 400, body: { error: z.prettifyError(error) } }
      if (error instanceof CardcomError) return conflict(error.message)
      throw error
    }
  }
}

function successOf(page: Page): object {
  const shown = pageOnTheWire(page)
  const TranzactionInfo = {
    ...(shown['TranzactionInfo'] as object | null),
    ResponseCode: ok,
    TranzactionId: 209413394,
    TerminalNumber: page.terminalNumber,
    Amount: page.amount / 100,
    CoinId: page.coinId,
  }
  return { ResponseCode: ok, Description: 'OK', TranzactionId: 209413394, TranzactionInfo }
}

const none = (what: string): ControlAnswer => ({ status: 404, body: { error: `no ${what}` } })
const conflict = (error: string): ControlAnswer => ({ status: 409, body: { error } })
