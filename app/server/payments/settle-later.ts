import type { SqlTransaction } from 'safepoint'
import type { Enqueue } from '../jobs.ts'

/** Asks after payments: those that something made worth a look, and those that no news has come of. */
export const sweepPaymentsJob = 'payments.sweep'

/**
 * Has the gateway asked how the payment stands, as soon as this transaction has committed, or at `after`. What is due is in the
 * payment's row, so that one job asks after all of them, and one that was lost is made good by the next.
 */
export async function settleLater(
  tx: SqlTransaction,
  enqueue: Enqueue,
  paymentId: string,
  after?: Date,
): Promise<void> {
  await tx.query({
    name: 'payments_look_at',
    text: `update pantry.payment
      set look_at = least(coalesce(look_at, 'infinity'::timestamptz), coalesce($2::timestamptz, clock_timestamp()))
      where id = $1::uuid`,
    values: [paymentId, after?.toISOString() ?? null],
  })
  await enqueue(tx, sweepPaymentsJob, {}, after ? { after } : {})
}
