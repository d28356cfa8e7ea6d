import type { SqlTransaction } from 'safepoint'
import type { PantryDatabase } from '../database.ts'
import type { Job } from '../jobs.ts'
import type { Logger } from '../log.ts'
import { queueStaffMail } from '../mail/queue-staff-mail.ts'

export const alarmRefundsJob = 'payments.alarm-refunds'

/** Gateways speak of five to ten working days until money is back; most tell within one that it is on its way for good. */
export const defaultRefundAlarmDays = 10

const batch = 50

export interface AlarmRefundsOptions {
  readonly database: PantryDatabase
  /** After so many days that money has been on its way back a human is told. Default {@link defaultRefundAlarmDays}. */
  readonly days?: number | undefined
  readonly adminEmail?: string | undefined
  readonly log: Logger
}

interface Delayed {
  readonly id: string
  readonly orderId: string
  readonly gateway: string
  readonly amount: string
  readonly currency: string
  readonly since: Date
}

/**
 * Tells a human, once by mail and from then on among the payments that need one, of money that has been on its way back for long.
 * It is marked and the mail queued in one transaction, so that several processes tell once.
 */
export function alarmRefunds({ database, days = defaultRefundAlarmDays, adminEmail, log }: AlarmRefundsOptions): Job {
  return {
    name: alarmRefundsJob,
    cron: '37 * * * *',
    together: true,
    async work(_, signal) {
      for (;;) {
        const end = await database.transaction({}, async (tx) => {
          const delayed = await markDelayed(tx, days)
          for (const one of delayed) await tell(tx, one, adminEmail)
          return delayed
        })
        if (end.end === 'rolled back') throw end.error
        if (end.end !== 'committed') return
        for (const { id, orderId, since } of end.value)
          log.error(
            { payment: id, order: orderId, since },
            'money has been on its way back for long; a human must look',
          )
        if (end.value.length < batch || signal.aborted) return
      }
    },
  }
}

async function markDelayed(tx: SqlTransaction, days: number): Promise<Delayed[]> {
  const { rows } = await tx.query<Delayed>({
    name: 'payments_mark_delayed',
    text: `update pantry.payment p set refund_alarm_at = clock_timestamp()
      where p.id = any (array(
        select id from pantry.payment
        where refunding_since <= clock_timestamp() - $1::int * interval '1 day' and refund_alarm_at is null
        order by refunding_since limit $2::int for update skip locked
      ))
      returning p.id, p.order_id as "orderId", p.gateway, p.currency, p.refunding_since as since,
        case when p.status = 'refunding' then p.captured_amount - p.refunded_amount + p.pending_amount else p.pending_amount end as amount`,
    values: [days, batch],
  })
  return rows
}

const tell = (tx: SqlTransaction, delayed: Delayed, adminEmail: string | undefined): Promise<void> => {
  const { id: paymentId, orderId, gateway, amount, currency } = delayed
  const since = delayed.since.toISOString()
  return queueStaffMail(tx, {
    adminEmail,
    once: `refund_delayed:${paymentId}:${since}`,
    template: 'refund_delayed',
    data: { orderId, paymentId, gateway, amount: { amount: Number(amount), currency }, since },
  })
}
