import type { GatewayName, Shop } from './start-shop.ts'

/** What a gateway took and gave back, in minor units. */
export interface Taken {
  readonly charges: number
  readonly captured: number
  readonly refunded: number
}

/** The gateways' own books: the truth about money, kept in processes that nothing happens to. */
export interface Books {
  /** Over all gateways. */
  readonly byOrder: ReadonlyMap<string, Taken>
  /** By gateway and the gateway's own name for the payment: `stripe pi_…`. */
  readonly byReference: ReadonlyMap<string, Taken>
}

type Entry = Record<string, any>

interface Book {
  readonly net: {
    readonly byOrder: Record<string, { charges: number; charged: number; refunded: number }>
  }
  readonly [list: string]: unknown
}

export async function readBooks({ gateways }: Pick<Shop, 'gateways'>): Promise<Books> {
  const byOrder = new Map<string, Taken>()
  const byReference = new Map<string, Taken>()
  for (const [name, control] of Object.entries(gateways)) {
    const book = await control<Book>('GET', '/book')
    for (const [order, { charges, charged, refunded }] of Object.entries(book.net.byOrder))
      add(byOrder, order, { charges, captured: charged, refunded })
    for (const [reference, taken] of references[name as GatewayName](book))
      add(byReference, `${name} ${reference}`, taken)
  }
  return { byOrder, byReference }
}

function add(taken: Map<string, Taken>, name: string, more: Taken): void {
  const before = taken.get(name) ?? { charges: 0, captured: 0, refunded: 0 }
  taken.set(name, {
    charges: before.charges + more.charges,
    captured: before.captured + more.captured,
    refunded: before.refunded + more.refunded,
  })
}

const references: Readonly<Record<GatewayName, (book: Book) => Array<readonly [string, Taken]>>> = {
  stripe({ charges, refunds }) {
    const given = Map.groupBy(refunds as Entry[], ({ charge }) => charge as string)
    return (charges as Entry[]).map((charge) => [
      charge['payment_intent'],
      {
        charges: charge['captured'] ? 1 : 0,
        captured: charge['amount_captured'],
        refunded: sumOf(given.get(charge['id']) ?? [], 'amount'),
      },
    ])
  },
  razorpay: ({ payments }) =>
    (payments as Entry[])
      .filter(({ captured }) => captured)
      .map((payment) => [
        payment['id'],
        { charges: 1, captured: payment['amount'], refunded: payment['amount_refunded'] },
      ]),
  cardcom({ transactions }) {
    // Amounts are decimal numbers of hundredths, and ids larger than numbers are exact to: they come as text.
    const all = (transactions as Entry[]).filter(({ ResponseCode }) => ResponseCode === 0)
    const given = Map.groupBy(all, ({ refundOf }) => refundOf as string | null)
    return all
      .filter(({ refundOf }) => refundOf === null)
      .map((charge) => [
        String(charge['TranzactionId']),
        {
          charges: 1,
          captured: hundredths(charge),
          refunded: (given.get(String(charge['TranzactionId'])) ?? []).reduce((sum, one) => sum + hundredths(one), 0),
        },
      ])
  },
}

const hundredths = ({ Amount }: Entry): number => Math.round(Math.abs(Number(Amount)) * 100)

const sumOf = (entries: readonly Entry[], name: string): number =>
  entries.reduce((sum, entry) => sum + (entry[name] as number), 0)
