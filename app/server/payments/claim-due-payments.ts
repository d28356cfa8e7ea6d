import type { Reader } from '../database.ts'

/**
 * Payments to ask the gateway about, marked as looked at, so that of several processes one asks. At once when a page has ended;
 * else after ten minutes, and then each time after a quarter more of its age. A page that could not be closed is watched for
 * a week.
 */
export async function claimDuePayments(reader: Reader, limit: number): Promise<string[]> {
  const { rows } = await reader.query<{ id: string }>({
    name: 'payments_claim_due',
    text: `
      update pantry.payment set looked_at = clock_timestamp()
      where id in (
        select p.id from pantry.payment p
        where p.handled_by is null and (p.status in ('requires_action', 'processing') or p.page_open or (p.unwanted and p.status = 'captured'))
          and (
            p.page_until <= clock_timestamp() and coalesce(p.looked_at <= p.page_until, true)
            or p.created_at <= clock_timestamp() - interval '10 minutes'
              and coalesce(p.looked_at + greatest(interval '1 minute', (p.looked_at - p.created_at) / 4) <= clock_timestamp(), true)
          )
          and (p.status in ('requires_action', 'processing', 'captured') or p.created_at > clock_timestamp() - interval '7 days')
        order by p.looked_at nulls first
        limit $1::int
        for update skip locked
      )
      returning id`,
    values: [limit],
  })
  return rows.map(({ id }) => id)
}
