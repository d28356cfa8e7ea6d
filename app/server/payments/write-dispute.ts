import type { SqlTransaction } from 'safepoint'
import type { Dispute } from './gateways/gateway.ts'

/**
 * Writes down what the gateway has answered, and counts what a bank holds or has taken of the payment. `since` is the version that
 * was known when the gateway was asked; `false`: it has gone on since. The payment's order is locked.
 */
export async function writeDispute(
  tx: SqlTransaction,
  { gateway, paymentId, dispute, since }: { gateway: string; paymentId: string; dispute: Dispute; since: number },
): Promise<boolean> {
  const { rowCount } = await tx.query({
    name: 'disputes_write',
    text: `insert into pantry.dispute as d (gateway, dispute_id, payment_id, status, amount, currency, reason, respond_by, opened_at)
      select $1::text, $2::text, $3::uuid, $4::text, $5::bigint, $6::text, $7::text, $8::timestamptz, $9::timestamptz
      on conflict (gateway, dispute_id) do update set status = excluded.status, amount = excluded.amount, currency = excluded.currency,
        reason = excluded.reason, respond_by = excluded.respond_by, version = d.version + 1, updated_at = clock_timestamp()
      where d.version = $10::int and d.payment_id = excluded.payment_id`,
    values: [
      gateway,
      dispute.id,
      paymentId,
      dispute.status,
      dispute.amount,
      dispute.currency,
      dispute.reason,
      dispute.respondBy,
      dispute.openedAt,
      since,
    ],
  })
  if (rowCount !== 1) return false
  await tx.query({
    name: 'disputes_count',
    // In another currency: nobody knows how much of it that is, so that all of it counts.
    text: `update pantry.payment p set disputed_amount = (
        select coalesce(sum(case when d.currency = p.currency then d.amount else p.amount end), 0)
        from pantry.dispute d where d.payment_id = p.id and d.status in ('open', 'lost'))
      where p.id = $1::uuid`,
    values: [paymentId],
  })
  return true
}
