import { freshMap, type OpenMap } from '../keep-state.ts'
import { netAmounts, netsOf, type NetAmount } from '../net-amounts.ts'
import { ok, onTheWire, pageOnTheWire, type Page, type Transaction } from './objects.ts'

/**
 * The truth that tests compare answers with. Maps keep the order of creation. It is the simulator's own, so it
 * survives whatever happens to the server under test.
 */
export interface Book {
  readonly pages: Map<string, Page>
  /** By id; refunds are transactions, too. */
  readonly transactions: Map<string, Transaction>
  /** By the order, or by the reference, of the charge. */
  net(name: 'order' | 'reference'): Record<string, NetAmount>
  /** Net amount over everything, by coin. */
  total(): Record<string, number>
  /** What is left of a charge. */
  left(charge: Transaction): number
  clear(): void
}

export function createBook(open: OpenMap = freshMap): Book {
  const pages = open<Page>('pages')
  const transactions = open<Transaction>('transactions')

  const refundsOf = (charge: Transaction) =>
    [...transactions.values()].filter((one) => one.refundOf === charge.id && one.responseCode === ok)
  const sumOf = (some: readonly Transaction[]) => some.reduce((total, one) => total + one.amount, 0)

  const sum = (nameOf: (charge: Transaction) => string | null) =>
    netAmounts(
      [...transactions.values()]
        .filter((one) => !one.isRefund && one.responseCode === ok)
        .map((charge) => ({
          name: nameOf(charge) ?? undefined,
          currency: String(charge.coinId),
          amount: charge.amount,
          refunds: refundsOf(charge).map(({ amount }) => amount),
        })),
    )

  return {
    pages,
    transactions,
    net: (name) => sum((charge) => charge[name]),
    total: () => netsOf(sum(({ coinId }) => String(coinId))),
    left: (charge) => charge.amount - sumOf(refundsOf(charge)),
    clear() {
      pages.clear()
      transactions.clear()
    },
  }
}

/** The whole book as `GET /_control/book` shows it. */
export function bookAsJson(book: Book): Record<string, unknown> {
  return {
    pages: [...book.pages.values()].map((page) => ({
      ...pageOnTheWire(page),
      Amount: page.amount,
      CoinId: page.coinId,
      WebHookUrl: page.webhookUrl,
    })),
    transactions: [...book.transactions.values()].map((one) => ({ ...onTheWire(one), refundOf: one.refundOf })),
    net: { byOrder: book.net('order'), byReference: book.net('reference'), total: book.total() },
  }
}
