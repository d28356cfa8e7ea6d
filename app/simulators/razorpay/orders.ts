import type { z } from 'zod'
import type { Work } from './book.ts'
import { newId, onTheWire, unixNow, type Order, type Payment } from './objects.ts'
import type { createOrderParams, listOrdersParams } from './parameters.ts'
import { invalid, noSuchId } from './razorpay-error.ts'

export function createOrder(work: Work, params: z.output<typeof createOrderParams>): Order {
  const { book } = work
  if (work.uniqueReceipts && [...book.orders.values()].some(({ receipt }) => receipt === (params.receipt ?? '')))
    throw invalid('The receipt has already been taken.', 'receipt')
  const order: Order = {
    id: newId('order'),
    entity: 'order',
    amount: params.amount,
    amount_paid: 0,
    amount_due: params.amount,
    currency: params.currency,
    receipt: params.receipt ?? null,
    offer_id: null,
    status: 'created',
    attempts: 0,
    notes: params.notes,
    created_at: unixNow(),
  }
  book.orders.set(order.id, order)
  book.captureModes.set(order.id, params.payment?.capture ?? 'automatic')
  return order
}

export function getOrder({ book }: Pick<Work, 'book'>, id: string): Order {
  const order = book.orders.get(id)
  if (!order) throw noSuchId()
  return order
}

/** Newest first, as every list of the API but the payments of an order. */
export function listOrders({ book }: Work, params: z.output<typeof listOrdersParams>): object {
  const { receipt } = params
  return collection(
    [...book.orders.values()].toReversed().filter((order) => receipt === undefined || order.receipt === receipt),
    params,
  )
}

export function listOrderPayments(work: Work, id: string): object {
  const order = getOrder(work, id)
  return collection(paymentsOf(work, order), { count: 100, skip: 0 })
}

export function paymentsOf({ book }: Pick<Work, 'book'>, order: Order): Payment[] {
  return [...book.payments.values()].filter((payment) => payment.order_id === order.id)
}

export function collection(
  all: readonly (Order | Payment | Parameters<typeof onTheWire>[0])[],
  { count, skip }: { readonly count: number; readonly skip: number },
): object {
  const items = all.slice(skip, skip + count).map(onTheWire)
  return { entity: 'collection', count: items.length, items }
}
