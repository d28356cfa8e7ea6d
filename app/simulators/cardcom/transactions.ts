import { randomUUID } from 'node:crypto'
import type { Book } from './book.ts'
import { refused } from './cardcom-error.ts'
import {
  codes,
  descriptionOf,
  israelTime,
  newTransactionId,
  ok,
  onTheWire,
  type Page,
  type Transaction,
} from './objects.ts'
import type { Requests } from './requests.ts'
import { wireId } from './wire-json.ts'

/** Hundredths over which every card refuses, as at the vendor's sandbox. */
const limit = 500_000

/** Writes a charge, or a decline, into the book. */
export function addCharge(
  book: Book,
  charge: Pick<Transaction, 'terminalNumber' | 'amount' | 'coinId'> & Partial<Transaction>,
): Transaction {
  const responseCode = charge.responseCode ?? (charge.amount > limit ? codes.cardRefused : ok)
  const made: Transaction = {
    id: newTransactionId(),
    uid: randomUUID().replaceAll('-', '').slice(0, 23),
    isRefund: false,
    isCancellation: false,
    refundOf: null,
    reference: null,
    pageId: null,
    order: null,
    customFields: [],
    createdAt: new Date(),
    ...charge,
    responseCode,
    description: descriptionOf(responseCode),
  }
  book.transactions.set(made.id, made)
  return made
}

/** A customer's attempt on a page; `more` is what comes of it otherwise than asked for. */
export function payPage(book: Book, page: Page, more: Partial<Transaction> = {}): Transaction {
  const { terminalNumber, amount, coinId, id: pageId, returnValue: order } = page
  page.transaction = addCharge(book, { terminalNumber, amount, coinId, pageId, order, ...more })
  return page.transaction
}

const findCharged = (book: Book, reference: string) =>
  [...book.transactions.values()].find((one) => one.reference === reference && one.responseCode === ok)

/**
 * What a charge under a reference that is known already is answered with. Only a transaction that has succeeded is known:
 * one that is being executed, and one that was declined, hold nothing back.
 */
export function replayOf(book: Book, request: Requests['charge']): object | undefined {
  const reference = request.ExternalUniqTranId
  const earlier = reference ? findCharged(book, reference) : undefined
  if (!earlier) return undefined
  if (request.ExternalUniqTranIdResponse || request.ExternalUniqUniqTranIdResponse) return onTheWire(earlier)
  throw refused(codes.alreadyCharged)
}

export function chargeToken(book: Book, request: Requests['charge'], ordered: number | undefined): object {
  const expired = isExpired(request.CardExpirationMMYY)
  const orders = request.CustomFields.find(({ Id }) => Id === 1)?.Value ?? null
  const responseCode = ordered ?? (expired ? codes.cardExpired : undefined)
  return onTheWire(
    addCharge(book, {
      terminalNumber: request.TerminalNumber,
      amount: request.Amount,
      coinId: request.ISOCoinId,
      reference: request.ExternalUniqTranId ?? null,
      order: orders,
      customFields: request.CustomFields,
      ...(responseCode === undefined ? {} : { responseCode }),
    }),
  )
}

function isExpired(monthYear: string): boolean {
  const lastDay = Date.UTC(2000 + Number(monthYear.slice(2)), Number(monthYear.slice(0, 2)), 1)
  return lastDay <= Date.now()
}

export function findByReference(book: Book, request: Requests['findByReference']): object {
  const found = findCharged(book, request.ExternalUniqTranId)
  if (!found) throw refused(codes.pendingOrNotFound)
  return onTheWire(found)
}

/** `ExtShvaParams`, as far as anybody reads them: what was given back, and the currency, are not among them. */
export function getTransaction(book: Book, request: Requests['getTransaction']): object[] {
  const found = book.transactions.get(request.InternalDealNumber)
  if (!found || found.terminalNumber !== request.TerminalNumber) return []
  return [
    {
      InternalDealNumber: wireId(found.id),
      TerminalNumber: found.terminalNumber,
      Status1: found.responseCode,
      Sum36: found.amount,
      DealDate: israelTime(found.createdAt),
      Uid: found.uid,
    },
  ]
}

/** DDMMYYYY as YYYY-MM-DD. */
const dayOf = (text: string) => `${text.slice(4)}-${text.slice(2, 4)}-${text.slice(0, 2)}`

export function listTransactions(book: Book, request: Requests['listTransactions']): object {
  const { Page: page, Page_size: size, LimitForTerminal: terminal, TranStatus: status } = request
  const wanted = [...book.transactions.values()].filter((one) => {
    const day = israelTime(one.createdAt).slice(0, 10)
    return (
      day >= dayOf(request.FromDate) &&
      day <= dayOf(request.ToDate) &&
      (terminal == null || one.terminalNumber === terminal) &&
      (status === 'All' || (status === 'Success') === (one.responseCode === ok))
    )
  })
  return {
    ResponseCode: ok,
    Description: descriptionOf(ok),
    Tranzactions: wanted.slice((page - 1) * size, page * size).map(onTheWire),
    Page: page,
    Page_size: size,
  }
}

export function refundTransaction(book: Book, request: Requests['refund']): object {
  const charge = book.transactions.get(request.TransactionId)
  if (!charge || charge.isRefund || charge.responseCode !== ok) throw refused(codes.notRefundable, 'No such deal')
  const left = book.left(charge)
  if (left < charge.amount && (!request.AllowMultipleRefunds || left === 0)) throw refused(codes.alreadyGivenBack)
  const sameDay = israelTime(charge.createdAt).slice(0, 10) === israelTime(new Date()).slice(0, 10)
  if (request.CancelOnly && !sameDay) throw refused(codes.notRefundable, 'The deal was deposited')
  const amount = request.PartialSum ?? left
  if (amount <= 0 || amount > left) throw refused(codes.notRefundable, 'The sum is more than what is left of the deal')
  const { id: refundOf, uid, terminalNumber, coinId } = charge
  const made = addCharge(book, {
    terminalNumber,
    coinId,
    amount,
    uid,
    refundOf,
    responseCode: ok,
    isRefund: true,
    isCancellation: sameDay && amount === charge.amount,
    order: charge.order,
    customFields: request.CustomFields,
  })
  return { ResponseCode: ok, Description: descriptionOf(ok), NewTranzactionId: wireId(made.id) }
}
