import type { Reader } from '../database.ts'

/** Undecided disputes to ask the gateway about, marked as asked, so that of several processes one does: every six hours. */
export async function claimDueDisputes(
  reader: Reader,
  limit: number,
): Promise<Array<{ readonly paymentId: string; readonly disputeId: string }>> {
  const { rows } = await reader.query<{ paymentId: string; disputeId: string }>({
    name: 'disputes_claim_due',
    text: `update pantry.dispute d set looked_at = clock_timestamp()
      from (
        select gateway, dispute_id from pantry.dispute
        where status in ('inquiry', 'open') and looked_at <= clock_timestamp() - interval '6 hours'
        order by looked_at limit $1::int for update skip locked
      ) due
      where d.gateway = due.gateway and d.dispute_id = due.dispute_id
      returning d.payment_id as "paymentId", d.dispute_id as "disputeId"`,
    values: [limit],
  })
  return rows
}
