import { cancelOrder } from './cancel-order.ts'
import { confirmOrder, type ConfirmOrderOptions } from './confirm-order.ts'
import { expireOrder } from './expire-order.ts'
import { noteDispute, type NoteDisputeOptions } from './note-dispute.ts'
import { refundOrder } from './refund-order.ts'
import { resolveRefund, type ResolveRefundOptions } from './resolve-refund.ts'
import { settlePayment } from './settle-payment.ts'
import { payCart } from './pay-cart.ts'
import { placeOrder, type PlaceOrderOptions } from './place-order.ts'
import { shipOrder } from './ship-order.ts'
import { verifyPayment } from './verify-payment.ts'

export type OrderOptions = Omit<PlaceOrderOptions & ConfirmOrderOptions & ResolveRefundOptions, 'hold'> &
  NoteDisputeOptions & {
    /** How long stock is held for an unpaid order, in milliseconds. Default 30 min. */
    readonly hold?: number
  }

/** The operations on orders. */
export function orderOperations({ hold = 30 * 60_000, ...options }: OrderOptions) {
  const settle = settlePayment(options)
  return {
    placeOrder: placeOrder({ ...options, hold }),
    confirmOrder: confirmOrder({ ...options, hold }),
    cancelOrder: cancelOrder(options),
    expireOrder: expireOrder({ ...options, settlePayment: settle }),
    settlePayment: settle,
    noteDispute: noteDispute(options),
    shipOrder,
    refundOrder: refundOrder(options),
    resolveRefund: resolveRefund(options),
    verifyPayment: verifyPayment({ ...options, settlePayment: settle }),
    payCart: payCart({ ...options, hold }),
  }
}

export type OrderOperations = ReturnType<typeof orderOperations>
