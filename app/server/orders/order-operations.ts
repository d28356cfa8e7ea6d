import { cancelOrder } from './cancel-order.ts'
import { confirmOrder, type ConfirmOrderOptions } from './confirm-order.ts'
import { expireOrder } from './expire-order.ts'
import { placeOrder, type PlaceOrderOptions } from './place-order.ts'

export type OrderOptions = Omit<PlaceOrderOptions & ConfirmOrderOptions, 'hold'> & {
  /** How long stock is held for an unpaid order, in milliseconds. Default 30 min. */
  readonly hold?: number
}

/** The operations on orders. */
export function orderOperations({ hold = 30 * 60_000, ...options }: OrderOptions) {
  return {
    placeOrder: placeOrder({ ...options, hold }),
    confirmOrder: confirmOrder({ ...options, hold }),
    cancelOrder: cancelOrder(options),
    expireOrder: expireOrder(options),
  }
}

export type OrderOperations = ReturnType<typeof orderOperations>
