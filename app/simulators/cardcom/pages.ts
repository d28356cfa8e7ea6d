import { randomUUID } from 'node:crypto'
import type { Answer } from '../simulator-server.ts'
import { choiceButtons, escape, testPage } from '../test-page.ts'
import type { Book } from './book.ts'
import { codes, descriptionOf, ok, pageOnTheWire, undecided, type Page } from './objects.ts'
import type { Requests } from './requests.ts'
import { payPage } from './transactions.ts'

/** The one card of the vendor's sandbox that every amount up to 5000 is taken from. */
export const testCard = '4580280000000008'

/** Where the hosted pages are. */
export const hostedPath = /^\/EA\/LPC6\/(\d+)\/([0-9a-f-]{36})$/i

export function createPage(book: Book, request: Requests['createPage'], url: string): object {
  const page: Page = {
    id: randomUUID(),
    terminalNumber: request.TerminalNumber,
    amount: request.Amount,
    coinId: request.ISOCoinId,
    returnValue: request.ReturnValue ?? null,
    productName: request.ProductName ?? '',
    successUrl: request.SuccessRedirectUrl,
    failedUrl: request.FailedRedirectUrl,
    cancelUrl: request.CancelRedirectUrl ?? null,
    webhookUrl: request.WebHookUrl,
    transaction: null,
    shownReturnValue: null,
  }
  book.pages.set(page.id, page)
  return {
    ResponseCode: ok,
    Description: 'OK',
    LowProfileId: page.id,
    Url: `${url}/EA/LPC6/${page.terminalNumber}/${page.id}`,
    UrlToPayPal: null,
    UrlToBit: null,
  }
}

export function getPageResult(book: Book, request: Requests['getPageResult']): object {
  const page = book.pages.get(request.LowProfileId.toLowerCase())
  if (!page || page.terminalNumber !== request.TerminalNumber || page.transaction === null)
    return undecided(request.LowProfileId, request.TerminalNumber)
  return pageOnTheWire(page)
}

/**
 * A customer on the page, plain HTML: `pay` with a card, `decline` whatever the card, `leave`. `report` is called with what
 * CardCom has to tell the shop.
 */
export function servePage(
  book: Book,
  request: { readonly path: string; readonly method: string; readonly form: Readonly<Record<string, string>> },
  orderedCode: number | undefined,
  report: (page: Page) => void,
): Answer {
  const page = book.pages.get(hostedPath.exec(request.path)?.[2]?.toLowerCase() ?? '')
  if (!page) return html(404, 'Not found', '<p>There is no such page.</p>')
  if (page.transaction?.responseCode === ok)
    return html(200, 'Paid', '<p>This page is paid. Nothing more was charged.</p>')
  if (request.method !== 'POST') return html(200, 'Payment', form(page))
  const { action, card = '' } = request.form
  if (action === 'leave') return redirect(page.cancelUrl ?? page.failedUrl)
  if (action !== 'pay' && action !== 'decline') return html(200, 'Payment', form(page))
  const unknown = card.replaceAll(' ', '') === testCard ? undefined : codes.cardUnknown
  const code = orderedCode ?? (action === 'decline' ? codes.cardRefused : unknown)
  const { responseCode } = payPage(book, page, code === undefined ? {} : { responseCode: code })
  report(page)
  return redirect(responseCode === ok ? page.successUrl : page.failedUrl)
}

function form(page: Page): string {
  const failed = page.transaction && descriptionOf(page.transaction.responseCode)
  return `${failed ? `<p role="alert">${escape(failed)}</p>` : ''}<p>${escape(page.productName)}</p>
<p>To pay<br><strong>${money(page)}</strong></p>
<form method="post">
<label>Card <input name="card" inputmode="numeric" autocomplete="off" value="${testCard}"></label>
${choiceButtons(buttons)}
</form>`
}

const buttons = [
  { name: 'action', value: 'pay', label: 'Pay', does: 'Tries this card, and takes you back to the shop.' },
  { name: 'action', value: 'decline', label: 'Be declined', does: 'The bank says no: nothing is charged.' },
  { name: 'action', value: 'leave', label: 'Leave', does: 'Nothing is charged. You go back to the shop.' },
]

function redirect(to: string): Answer {
  return { status: 303, headers: { location: to }, body: '' }
}

function html(status: number, title: string, content: string): Answer {
  return testPage({ status, title, note: 'Simulated payment page. No money moves.', content })
}

const names: Readonly<Record<number, string>> = { 1: 'ILS', 2: 'USD', 978: 'EUR', 826: 'GBP' }

function money({ amount, coinId }: Page): string {
  const currency = names[coinId]
  const value = amount / 100
  return escape(
    currency ? new Intl.NumberFormat('en', { style: 'currency', currency }).format(value) : `${value} (coin ${coinId})`,
  )
}
