import type { SqlTransaction } from 'safepoint'
import type { Enqueue } from '../jobs.ts'

/** Settles one payment: `{paymentId}`. Enqueued in the transaction that makes it worth a look. */
export const settlePaymentJob = 'payments.settle'

/** Has the gateway asked how the payment stands, as soon as this transaction has committed, or at `after`. */
export async function settleLater(
  tx: SqlTransaction,
  enqueue: Enqueue,
  paymentId: string,
  after?: Date,
): Promise<void> {
  await enqueue(tx, settlePaymentJob, { paymentId }, after ? { after } : {})
}
