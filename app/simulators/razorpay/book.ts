import {
  newId,
  onTheWire,
  unixNow,
  type Notes,
  type Order,
  type Payment,
  type RazorpayEvent,
  type Refund,
} from './objects.ts'

/** What was taken and given back under one name, in subunits of `currency`. */
export interface NetAmount {
  readonly currency: string
  /** Captured payments: more than one is a double charge. */
  readonly charges: number
  readonly charged: number
  /** Refunds of captured payments that did not fail. */
  readonly refunds: number
  readonly refunded: number
  readonly net: number
}

/**
 * The truth that tests compare answers with. Maps keep the order of creation. It lives in the simulator's process, so it
 * survives whatever happens to the server under test.
 */
export interface Book {
  readonly orders: Map<string, Order>
  /** How each order wants its payments captured. */
  readonly captureModes: Map<string, 'automatic' | 'manual'>
  readonly payments: Map<string, Payment>
  readonly refunds: Map<string, Refund>
  readonly events: Map<string, RazorpayEvent>
  /** Net amount by an entry of the order's notes; orders without the entry are left out. */
  net(note: 'operation' | 'order'): Record<string, NetAmount>
  /** Net amount over everything, by currency. */
  total(): Record<string, number>
  clear(): void
}

export function createBook(): Book {
  const orders = new Map<string, Order>()
  const captureModes = new Map<string, 'automatic' | 'manual'>()
  const payments = new Map<string, Payment>()
  const refunds = new Map<string, Refund>()
  const events = new Map<string, RazorpayEvent>()

  function sum(nameOf: (payment: Payment) => string | undefined): Record<string, NetAmount> {
    const found = Object.create(null) as Record<string, NetAmount>
    for (const payment of payments.values()) {
      const name = nameOf(payment)
      if (name === undefined || !payment.captured) continue
      const { currency } = payment
      const before = found[name] ?? { currency, charges: 0, charged: 0, refunds: 0, refunded: 0, net: 0 }
      const given = [...refunds.values()].filter((one) => one.payment_id === payment.id && one.status !== 'failed')
      const refunded = given.reduce((total, refund) => total + refund.amount, 0)
      found[name] = {
        currency,
        charges: before.charges + 1,
        charged: before.charged + payment.amount,
        refunds: before.refunds + given.length,
        refunded: before.refunded + refunded,
        net: before.net + payment.amount - refunded,
      }
    }
    return found
  }

  return {
    orders,
    captureModes,
    payments,
    refunds,
    events,
    net: (note) => sum((payment) => orders.get(payment.order_id)?.notes[note]),
    total: () =>
      Object.fromEntries(Object.entries(sum(({ currency }) => currency)).map(([currency, { net }]) => [currency, net])),
    clear() {
      for (const map of [orders, captureModes, payments, refunds, events]) map.clear()
    },
  }
}

/** The whole book as `GET /_control/book` shows it. */
export function bookAsJson(book: Book): Record<string, unknown> {
  return {
    orders: [...book.orders.values()].map(onTheWire),
    payments: [...book.payments.values()].map(onTheWire),
    refunds: [...book.refunds.values()].map(onTheWire),
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
}

/** An event with a snapshot of its entities: what happens later does not change what was announced. */
export function recordEvent(book: Book, type: string, entities: EventEntities, secret: string): RazorpayEvent {
  const shown = Object.entries(entities) as [string, { readonly notes: Notes }][]
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
