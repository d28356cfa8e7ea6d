import type { SqlTransaction } from 'safepoint'
import type { Money } from '../catalog/money.ts'
import { queueMail } from '../mail/queue-mail.ts'
import type { Payment } from '../payments/payments.ts'
import type { Order } from './orders.ts'

type About = Pick<Order, 'id' | 'accountId'>

/** The shop has the order, whether or not it is paid already. */
export const mailConfirmation = (tx: SqlTransaction, order: Order) =>
  queueMail(tx, {
    once: `confirmation:${order.id}`,
    accountId: order.accountId,
    template: 'confirmation',
    data: { orderId: order.id, paymentId: order.payment?.id, total: order.total },
  })

export const mailReceipt = (tx: SqlTransaction, order: Order) =>
  queueMail(tx, {
    once: `receipt:${order.id}`,
    accountId: order.accountId,
    template: 'receipt',
    data: { orderId: order.id, paymentId: order.payment?.id, total: order.total },
  })

/** One mail of an order, however many payments of it are declined: the order itself says how it stands. */
export const mailPaymentFailed = (tx: SqlTransaction, order: Order, payment: Pick<Payment, 'id'>) =>
  queueMail(tx, {
    once: `payment_failed:${order.id}`,
    accountId: order.accountId,
    template: 'payment_failed',
    data: { orderId: order.id, paymentId: payment.id, total: order.total },
  })

/** `once` tells one refund of a payment from another. */
export const mailRefund = (
  tx: SqlTransaction,
  order: About,
  refund: { readonly paymentId: string; readonly amount: Money; readonly once?: string },
) =>
  queueMail(tx, {
    once: `refund:${refund.once ?? refund.paymentId}`,
    accountId: order.accountId,
    template: 'refund',
    data: { orderId: order.id, paymentId: refund.paymentId, amount: refund.amount },
  })
