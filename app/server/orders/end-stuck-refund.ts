import type { SqlTransaction } from 'safepoint'
import type { Enqueue } from '../jobs.ts'
import { movePayment, notePayment, releaseCharge } from '../payments/move-payment.ts'
import { isWaiting, type Payment, type Run } from '../payments/payments.ts'
import { settleLater } from '../payments/settle-later.ts'
import { endCancelled } from './cancel-order.ts'
import { cancelRefunded } from './cancel-refunded.ts'
import { reopenOrder } from './close-order.ts'
import { takePlanBack } from './confirm-steps.ts'
import { mailRefund } from './order-mails.ts'
import type { OrderNow } from './orders.queries.ts'
import type { Order, OrderReason } from './orders.ts'
import { settleReturned } from './settle-returned.ts'

/** The run in charge of a payment, or of the order that it pays. */
export function runInCharge(order: Pick<Order, 'payment' | 'closingRun'>, payment: Payment): Run | undefined {
  return payment.run ?? (order.payment?.id === payment.id ? order.closingRun : undefined)
}

export interface StuckRefund extends OrderNow {
  readonly payment: Payment
  /** Absent: nobody is in charge, and money is owed. */
  readonly run: Run | undefined
  /** Of its operation. */
  readonly name: string | undefined
  /** Whether the money went back. */
  readonly returned: boolean
  readonly operationId: string
  readonly actor: string | undefined
}

/** Why an order is cancelled that a run of that operation has closed. */
const wishes: Readonly<Record<string, OrderReason>> = {
  'order.cancel': 'customer_cancel',
  'order.expire': 'expired',
  'order.refund': 'refunded',
  'payment.settle': 'out_of_stock',
}

/** Brings a refund that a human has spoken about to its end, in place of the run that made it; the order is locked. */
export async function endStuckRefund(tx: SqlTransaction, enqueue: Enqueue, stuck: StuckRefund): Promise<void> {
  const { order, payment, run, name, returned } = stuck
  if (run !== undefined) {
    if (name === 'order.confirm' || name === 'payment.create-from-cart') {
      const plan = { plan: 'new', paymentId: payment.id } as const
      return takePlanBack(tx, enqueue, { orderId: order.id, plan, by: run.id })
    }
    await releaseCharge(tx, enqueue, payment.id, run.id)
    await reopenOrder(tx, enqueue, order.id, run.id)
  }
  if (!returned) return tryAgain(tx, enqueue, stuck)
  const part = payment.refundPart ?? (partlyOwed(payment) ? payment.owed : undefined)
  if (part !== undefined) {
    const refunded = payment.refunded + part
    // What had failed at the gateway went back in another way. (Of a run's refund the gateway itself tells, sooner or later.)
    const aside = run === undefined ? payment.aside + part : undefined
    await notePayment(tx, payment.id, { refunded, aside })
    const { currency } = payment.amount
    return mailRefund(tx, order, {
      paymentId: payment.id,
      amount: { amount: part, currency },
      once: `${payment.id}:${refunded - payment.pending}`,
    })
  }
  const captured = payment.captured > 0 ? payment.captured : payment.amount.amount
  await settleReturned(
    tx,
    order,
    payment,
    { status: 'refunded', payment: { id: payment.gatewayReference, captured } },
    { unwanted: order.payment?.id !== payment.id, byHand: true },
  )
  await endOrder(tx, stuck)
}

/** Only a part of it is owed, of an order that was paid for and is not taken back. */
const partlyOwed = ({ owed, captured, refunded, unwanted }: Payment) =>
  owed > 0 && !unwanted && owed < captured - refunded

/** As before the refund, so that it can be asked for again: of what nobody wants, the shop does itself. */
async function tryAgain(tx: SqlTransaction, enqueue: Enqueue, { order, payment }: StuckRefund): Promise<void> {
  await movePayment(tx, payment.id, ['refunding'], 'captured')
  if (payment.owed > 0) await notePayment(tx, payment.id, { owed: 0 })
  if (payment.unwanted || isWaiting(payment) || order.status === 'error') await settleLater(tx, enqueue, payment.id)
}

/** What the run had wanted of the order. */
async function endOrder(tx: SqlTransaction, { order, run, name, operationId, actor }: StuckRefund): Promise<void> {
  const closed = run !== undefined && order.closingBy === run.id
  // Its goods were gone, and its refund had been turned down.
  const short = run === undefined && order.status === 'error'
  if (!closed && !short) return
  const reason = short ? 'out_of_stock' : name === undefined ? 'refunded' : (wishes[name] ?? 'undone')
  const by = { reason, operationId, ...(actor !== undefined && { actor }) }
  if (reason === 'refunded') await cancelRefunded(tx, order, by)
  else await endCancelled(tx, order, by)
}
