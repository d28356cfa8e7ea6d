import { isSafepointError, type Safepoint, type SqlTransaction } from 'safepoint'
import type { Job } from '../jobs.ts'
import type { Logger } from '../log.ts'
import { claimDueDisputes } from '../payments/claim-due-disputes.ts'
import type { NoteDispute } from './note-dispute.ts'
import { shopScope } from './orders.ts'

export const askDisputesJob = 'payments.ask-disputes'

const batch = 50

export interface AskDisputesOptions {
  readonly safepoint: Safepoint<SqlTransaction>
  readonly noteDispute: NoteDispute
  readonly log: Logger
}

/** Asks every six hours how undecided disputes stand: the event that tells may be lost, and a bank takes months. */
export function askDisputes({ safepoint, noteDispute, log }: AskDisputesOptions): Job {
  return {
    name: askDisputesJob,
    cron: '11 * * * *',
    together: true,
    async work(_, signal) {
      for (;;) {
        const due = await claimDueDisputes(safepoint.database, batch)
        for (const dispute of due) {
          if (signal.aborted) return
          try {
            await safepoint.run(noteDispute, dispute, { scope: shopScope })
          } catch (error) {
            // The gateway is away, or an event was faster: it is asked again in six hours.
            if (!isSafepointError(error)) throw error
            log.warn({ err: error, ...dispute }, 'a dispute could not be asked after')
          }
        }
        if (due.length < batch) return
      }
    },
  }
}
