import type { Reader } from '../database.ts'
import { paymentOf, runOf, type Payment, type PaymentRow, type Run } from './payments.ts'

export interface PaymentFilter {
  /** Only those that somebody is in charge of, that are owed, disputed, or on their way back for long: a handful at any time. */
  readonly unsettled: boolean
  readonly limit: number
  /** The last id of the page before. */
  readonly after?: string | undefined
}

export interface PaymentAndRun {
  readonly payment: Payment
  /** In charge of it, or of its order. */
  readonly run: Run | undefined
}

/** Of all accounts, the latest first. */
export async function listPayments(
  reader: Reader,
  { unsettled, limit, after }: PaymentFilter,
): Promise<PaymentAndRun[]> {
  const { rows } = await reader.query<{
    payment: PaymentRow
    closing_by: string | null
    closing_scope: string | null
    closing_key: string | null
  }>({
    name: unsettled ? 'payments_list_unsettled' : 'payments_list',
    text: `select to_json(p) as payment, o.closing_by, o.closing_scope, o.closing_key
      from pantry.payment p left join pantry.orders o on o.id = p.order_id and not p.unwanted
        and p.status not in ('failed', 'voided', 'refunded')
      where ($1::uuid is null or p.id < $1::uuid) ${
        unsettled
          ? `and p.id in (
        select id from pantry.payment where handled_by is not null
        union select id from pantry.payment where owed_amount > 0
        union select id from pantry.payment where refunding_since is not null and refund_alarm_at is not null
        union select payment_id from pantry.dispute where status in ('inquiry', 'open')
        union select c.id from pantry.orders r join pantry.payment c on c.order_id = r.id
          where r.closing_by is not null and not c.unwanted and c.status not in ('failed', 'voided', 'refunded'))`
          : ''
      }
      order by p.id desc limit $2::int`,
    values: [after ?? null, limit],
  })
  return rows.map((row) => {
    const payment = paymentOf(row.payment)
    return { payment, run: payment.run ?? runOf(row.closing_by, row.closing_scope, row.closing_key) }
  })
}
