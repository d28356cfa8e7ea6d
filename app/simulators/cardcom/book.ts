import { ok, onTheWire, pageOnTheWire, type Page, type Transaction } from './objects.ts'

/** What was taken and given back under one name, in hundredths of `coinId`. */
export interface NetAmount {
  readonly coinId: number
  /** Charges that succeeded: more than one is a double charge. */
  readonly charges: number
  readonly charged: number
  readonly refunds: number
  readonly refunded: number
  readonly net: number
}

/**
 * The truth that tests compare answers with. Maps keep the order of creation. It lives in the simulator's process, so it
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

export function createBook(): Book {
  const pages = new Map<string, Page>()
  const transactions = new Map<string, Transaction>()

  const refundsOf = (charge: Transaction) =>
    [...transactions.values()].filter((one) => one.refundOf === charge.id && one.responseCode === ok)
  const sumOf = (some: readonly Transaction[]) => some.reduce((total, one) => total + one.amount, 0)

  function sum(nameOf: (charge: Transaction) => string | null): Record<string, NetAmount> {
    const found = Object.create(null) as Record<string, NetAmount>
    for (const charge of transactions.values()) {
      const name = nameOf(charge)
      if (name === null || charge.isRefund || charge.responseCode !== ok) continue
      const { coinId } = charge
      const before = found[name] ?? { coinId, charges: 0, charged: 0, refunds: 0, refunded: 0, net: 0 }
      const given = refundsOf(charge)
      const refunded = sumOf(given)
      found[name] = {
        coinId,
        charges: before.charges + 1,
        charged: before.charged + charge.amount,
        refunds: before.refunds + given.length,
        refunded: before.refunded + refunded,
        net: before.net + charge.amount - refunded,
      }
    }
    return found
  }

  return {
    pages,
    transactions,
    net: (name) => sum((charge) => charge[name]),
    total: () =>
      Object.fromEntries(
        Object.entries(sum(({ coinId }) => String(coinId))).map(([coin, { net }]) => [coin, net] as const),
      ),
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
