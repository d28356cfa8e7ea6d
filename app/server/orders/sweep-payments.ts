import { isSafepointError, type Safepoint, type SqlTransaction } from 'safepoint'
import type { Job } from '../jobs.ts'
import { claimDuePayments } from '../payments/claim-due-payments.ts'
import { settlePaymentJob } from '../payments/settle-later.ts'
import { shopScope } from './orders.ts'
import type { SettlePayment } from './settle-payment.ts'

/** Asks after payments that no news has come of. */
export const sweepPaymentsJob = 'payments.sweep'

const batch = 50

/** One payment that something made worth a look; tried again by the queue while somebody is in charge, or the gateway away. */
export function settlePayments(safepoint: Safepoint<SqlTransaction>, operation: SettlePayment): Job {
  return {
    name: settlePaymentJob,
    async work({ paymentId }: { paymentId: string }) {
      const answer = await safepoint.run(operation, { paymentId }, { scope: shopScope })
      if (answer.outcome === 'failed' && answer.error.code !== 'payment_not_found')
        throw new Error(`${answer.error.code}: ${answer.error.message}`)
    },
  }
}

/**
 * A webhook that was lost costs nobody an order: what waits for its customer past the end of its page, or for more than ten
 * minutes, is asked for, and so is a page that was given up and could not be closed. Each time a payment is found unchanged
 * it is left alone a quarter longer.
 */
export function sweepPayments(safepoint: Safepoint<SqlTransaction>, operation: SettlePayment): Job {
  return {
    name: sweepPaymentsJob,
    cron: '* * * * *',
    async work(_, signal) {
      for (;;) {
        const due = await claimDuePayments(safepoint.database, batch)
        for (const paymentId of due) {
          if (signal.aborted) return
          try {
            await safepoint.run(operation, { paymentId }, { scope: shopScope })
          } catch (error) {
            // Somebody is in charge of it, or the gateway is away: the next sweep that is due looks again.
            if (!isSafepointError(error)) throw error
          }
        }
        if (due.length < batch) return
      }
    },
  }
}
