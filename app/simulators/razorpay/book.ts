import { freshMap, type OpenMap } from '../keep-state.ts'
import { netAmounts, netsOf, type NetAmount } from '../net-amounts.ts'
import {
  newId,
  onTheWire,
  unixNow,
  type Dispute,
  type Notes,
  type Order,
  type Payment,
  type RazorpayEvent,
  type Refund,
} from './objects.ts'

/**
 * The truth that tests compare answers with. Maps keep the order of creation. It is the simulator's own, so it
 * survives whatever happens to the server under test.
 */
export interface Book {
  readonly orders: Map<string, Order>
  /** How each order wants its payments captured. */
  readonly captureModes: Map<string, 'automatic' | 'manual'>
  readonly payments: Map<string, Payment>
  readonly refunds: Map<string, Refund>
  readonly disputes: Map<string, Dispute>
  readonly events: Map<string, RazorpayEvent>
  /** Net amount by an entry of the order's notes; orders without the entry are left out. */
  net(note: 'operation' | 'order'): Record<string, NetAmount>
  /** Net amount over everything, by currency. */
  total(): Record<string, number>
  clear(): void
}

export function createBook(open: OpenMap = freshMap): Book {
  const orders = open<Order>('orders')
  const captureModes = open<'automatic' | 'manual'>('captureModes')
  const payments = open<Payment>('payments')
  const refunds = open<Refund>('refunds')
  const disputes = open<Dispute>('disputes')
  const events = open<RazorpayEvent>('events')

  const sum = (nameOf: (payment: Payment) => string | undefined) =>
    netAmounts(
      [...payments.values()]
        .filter(({ captured }) => captured)
        .map((payment) => ({
          name: nameOf(payment),
          currency: payment.currency,
          amount: payment.amount,
          refunds: [...refunds.values()]
            .filter((one) => one.payment_id === payment.id && one.status !== 'failed')
            .map(({ amount }) => amount),
        })),
    )

  return {
    orders,
    captureModes,
    payments,
    refunds,
    disputes,
    events,
    net: (note) => sum((payment) => orders.get(payment.order_id)?.notes[note]),
    total: () => netsOf(sum(({ currency }) => currency)),
    clear() {
      for (const map of [orders, captureModes, payments, refunds, disputes, events]) map.clear()
    },
  }
}

/** The whole book as `GET /_control/book` shows it. */
export function bookAsJson(book: Book): Record<string, unknown> {
  return {
    orders: [...book.orders.values()].map(onTheWire),
    payments: [...book.payments.values()].map(onTheWire),
    refunds: [...book.refunds.values()].map(onTheWire),
    disputes: [...book.disputes.values()],
    events: [...book.events.values()].map(({ id, type, body }) => ({ id, type, body: JSON.parse(body) as unknown })),
    net: { byOperation: book.net('operation'), byOrder: book.net('order'), total: book.total() },
  }
}

/** What a piece of work on the book is told, and whom it tells what happened. */
export interface Work {
  readonly book: Book
  /** A receipt that is there already is refused; the documentation says "has to be unique". */
  readonly uniqueReceipts: boolean
  /** An order for this call: the bank refuses, or does not answer. */
  readonly ordered?: { readonly decline?: { readonly code: string } | undefined; readonly silent?: boolean }
  /** Records an event; it is delivered after the call. */
  emit(type: string, entities: EventEntities): void
}

export interface EventEntities {
  readonly payment?: Payment
  readonly order?: Order
  readonly refund?: Refund
  readonly dispute?: Dispute
}

/** An event with a snapshot of its entities: what happens later does not change what was announced. */
export function recordEvent(book: Book, type: string, entities: EventEntities, secret: string): RazorpayEvent {
  const shown = Object.entries(entities) as [string, object & { readonly notes?: Notes }][]
  const body = JSON.stringify({
    entity: 'event',
    account_id: 'acc_SimulatorPantr',
    event: type,
    contains: shown.map(([name]) => name),
    payload: Object.fromEntries(shown.map(([name, entity]) => [name, { entity: onTheWire(entity) }])),
    created_at: unixNow(),
  })
  const event: RazorpayEvent = { id: newId('evt'), type, body, secret }
  book.events.set(event.id, event)
  return event
}
