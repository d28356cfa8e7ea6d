import { isSafepointError, type Safepoint, type SqlTransaction } from 'safepoint'
import type { Job } from '../jobs.ts'
import type { Logger } from '../log.ts'
import { claimDuePayments, endLook, type DuePayment } from '../payments/claim-due-payments.ts'
import { sweepPaymentsJob } from '../payments/settle-later.ts'
import { shopScope } from './orders.ts'
import type { SettlePayment } from './settle-payment.ts'

export interface SweepPaymentsOptions {
  readonly safepoint: Safepoint<SqlTransaction>
  readonly settlePayment: SettlePayment
  readonly log: Logger
}

/** Payments asked for at the same time; each may wait for its gateway. */
const parallel = 8
const batch = 50

/**
 * Asks after what something made worth a look, and after what no news has come of. A webhook that was lost costs nobody an order:
 * what waits for its customer past the end of its page, or for more than ten minutes, is asked for, and so is a page that was
 * given up and could not be closed, and money on its way back until it has arrived. Each time a payment is found unchanged it is
 * left alone a quarter longer.
 */
export function sweepPayments({ safepoint, settlePayment, log }: SweepPaymentsOptions): Job {
  async function settle(payment: DuePayment): Promise<void> {
    const { id: paymentId, orderId, owed } = payment
    if (owed > 0)
      log.error(
        { payment: paymentId, order: orderId, owed },
        'money that is to go back has not gone back; a human must look',
      )
    let done = false
    try {
      const answer = await safepoint.run(settlePayment, { paymentId, retry: true }, { scope: shopScope })
      done = answer.outcome === 'succeeded'
    } catch (error) {
      // Somebody is in charge of it, or the gateway is away: the next sweep that is due looks again.
      if (!isSafepointError(error)) throw error
    }
    await endLook(safepoint.database, payment, done)
  }

  return {
    name: sweepPaymentsJob,
    cron: '* * * * *',
    together: true,
    async work(_, signal) {
      for (;;) {
        const due = await claimDuePayments(safepoint.database, batch)
        const queue = due.values()
        const failures: unknown[] = []
        await Promise.all(
          Array.from({ length: parallel }, async () => {
            for (const payment of queue) {
              if (signal.aborted) return
              await settle(payment).catch((error: unknown) => failures.push(error))
            }
          }),
        )
        if (failures.length > 0) throw failures[0]
        if (due.length < batch || signal.aborted) return
      }
    },
  }
}
