import type { OperationView } from 'safepoint'
import type { KnownDispute } from './disputes.ts'
import type { PaymentAndRun } from './list-payments.ts'
import type { Attention } from './payments.schema.ts'

/** How the engine tells of a run. */
export type FindRun = (scope: string, key: string) => Promise<OperationView>

/** What of a payment waits for a human, the most pressing first; `undefined`: nothing does. */
export async function attentionOf(
  { payment, run }: PaymentAndRun,
  disputes: readonly KnownDispute[],
  findRun: FindRun,
): Promise<Attention | undefined> {
  const { captured, refunded, refundPart, owed } = payment
  const { currency, amount } = payment.amount
  if (run) {
    const view = await findRun(run.scope, run.key)
    if (view.state !== 'running' && view.state !== 'undoing') {
      const known = view.state === 'none' ? undefined : view
      const step = known?.steps?.find(({ state }) => state === 'needs_attention')?.step
      return {
        because: 'refund_unknown',
        amount: { amount: refundPart ?? (captured > 0 ? captured - refunded : amount), currency },
        operation: { key: run.key, ...(known?.name !== undefined && { name: known.name }), ...(step && { step }) },
      }
    }
  } else if (payment.status !== 'refunding' && owed > 0) {
    // While `refunding` it was sent once more, and is on its way.
    return { because: 'refund_failed', amount: { amount: owed, currency } }
  }
  const undecided = disputes.find(({ status }) => status === 'open' || status === 'inquiry')
  if (undecided) return { because: 'disputed', amount: { amount: undecided.amount, currency: undecided.currency } }
  if (payment.refundAlarmAt)
    return {
      because: 'refund_delayed',
      amount: {
        amount: payment.status === 'refunding' ? captured - refunded + payment.pending : payment.pending,
        currency,
      },
    }
  return undefined
}
