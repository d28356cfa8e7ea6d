import type { z } from 'zod'
import type { Work } from './book.ts'
import { getDispute } from './disputes.ts'
import { onTheWire, type Notes } from './objects.ts'
import { createOrder, getOrder, listOrderPayments, listOrders } from './orders.ts'
import {
  captureParams,
  createOrderParams,
  listOrdersParams,
  listParams,
  noParams,
  readParams,
  refundParams,
} from './parameters.ts'
import { capturePayment, getPayment } from './payments.ts'
import { noSuchId } from './razorpay-error.ts'
import { createRefund, listRefunds } from './refunds.ts'

export interface Route {
  readonly method: 'GET' | 'POST'
  readonly pattern: RegExp
  /** Honours `X-Refund-Idempotency`. */
  readonly keyed: boolean
  /** Throws a RazorpayError before anything is done; what is left is to run it. */
  readonly prepare: (params: unknown, id: string) => (work: Work) => object
}

function route<T extends z.ZodType>(
  method: 'GET' | 'POST',
  path: string,
  schema: T,
  run: (work: Work, id: string, params: z.output<T>) => object,
  keyed = false,
): Route {
  return {
    method,
    pattern: new RegExp(`^/v1/${path.replace(':id', '([^/]+)')}/?$`),
    keyed,
    prepare(given, id) {
      const params = readParams(schema, given)
      return (work) => run(work, id, params)
    },
  }
}

const shown = <T extends { readonly notes: Notes }>(entity: T) => onTheWire(entity)

/** Every path of `/v1` that this simulator has, beside the hosted page. */
export const routes: readonly Route[] = [
  route('POST', 'orders', createOrderParams, (work, _id, params) => shown(createOrder(work, params))),
  route('GET', 'orders', listOrdersParams, (work, _id, params) => listOrders(work, params)),
  route('GET', 'orders/:id', noParams, (work, id) => shown(getOrder(work, id))),
  route('GET', 'orders/:id/payments', noParams, (work, id) => listOrderPayments(work, id)),
  route('GET', 'payments/:id', noParams, (work, id) => shown(getPayment(work, id))),
  route('POST', 'payments/:id/capture', captureParams, (work, id, params) => shown(capturePayment(work, id, params))),
  route('POST', 'payments/:id/refund', refundParams, (work, id, params) => shown(createRefund(work, id, params)), true),
  route('GET', 'payments/:id/refunds', listParams, (work, id, params) => listRefunds(work, id, params)),
  route('GET', 'disputes/:id', noParams, (work, id) => getDispute(work, id)),
  route('GET', 'refunds/:id', noParams, (work, id) => {
    const refund = work.book.refunds.get(id)
    if (!refund) throw noSuchId()
    return shown(refund)
  }),
]
