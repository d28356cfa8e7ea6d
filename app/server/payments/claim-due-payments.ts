import type { Reader } from '../database.ts'

export interface DuePayment {
  readonly id: string
  readonly orderId: string
  /** Minor units that should have gone back, have not, and are not on their way. */
  readonly owed: number
  /** The claim of a look that was asked for; null: nobody had asked. */
  readonly claim: string | null
}

/**
 * Payments to ask the gateway about, marked as looked at, so that of several processes one asks. At once where `settleLater`
 * asked for it, and when a page has ended; else after ten minutes, and then each time after a quarter more of its age, but of
 * money on its way back every six hours at the least. A page that could not be closed is watched for a week.
 *
 * A look that was asked for comes back after a minute, unless {@link endLook} says that it is done.
 */
export async function claimDuePayments(reader: Reader, limit: number): Promise<DuePayment[]> {
  const { rows } = await reader.query<{ id: string; order_id: string; owed_amount: string; claim: string | null }>({
    name: 'payments_claim_due',
    text: `
      update pantry.payment set looked_at = clock_timestamp(),
        look_at = case when due.asked then clock_timestamp() + interval '1 minute' else look_at end
      from (
        select p.id as due_id, coalesce(p.look_at <= clock_timestamp(), false) as asked
        from pantry.payment p
        where p.handled_by is null
          and (p.status in ('requires_action', 'processing', 'refunding') or p.page_open or (p.unwanted and p.status = 'captured')
            or p.owed_amount > 0 or p.pending_amount > 0 or p.look_at is not null)
          and (p.look_at <= clock_timestamp() or (
            (p.status in ('requires_action', 'processing', 'refunding') or p.page_open or (p.unwanted and p.status = 'captured')
              or p.owed_amount > 0 or p.pending_amount > 0)
            and (
              p.page_until <= clock_timestamp() and coalesce(p.looked_at <= p.page_until, true)
              or p.created_at <= clock_timestamp() - interval '10 minutes'
                and coalesce(p.looked_at + least(
                  greatest(interval '1 minute', (p.looked_at - p.created_at) / 4),
                  case when p.status = 'refunding' or p.owed_amount > 0 or p.pending_amount > 0 then interval '6 hours' end
                ) <= clock_timestamp(), true)
            )
            and (p.status in ('requires_action', 'processing', 'captured', 'refunding') or p.created_at > clock_timestamp() - interval '7 days')
          ))
          and not exists (select from pantry.orders o where o.id = p.order_id and o.closing_by is not null)
        order by p.looked_at nulls first
        limit $1::int
        for update of p skip locked
      ) due
      where id = due.due_id
      returning id, order_id, case when status = 'refunding' then 0 else owed_amount end as owed_amount, case when due.asked then look_at::text end as claim`,
    values: [limit],
  })
  return rows.map(({ id, order_id, owed_amount, claim }) => ({
    id,
    orderId: order_id,
    owed: Number(owed_amount),
    claim,
  }))
}

/** The look that was asked for has been had, or, where it came to nothing, is put off. Asked for again meanwhile, it stays. */
export async function endLook(reader: Reader, { id, claim }: DuePayment, done: boolean): Promise<void> {
  if (claim === null) return
  await reader.query({
    name: 'payments_end_look',
    text: `update pantry.payment set look_at = case when not $3::boolean
        then clock_timestamp() + least(interval '1 hour', greatest(interval '5 seconds', (clock_timestamp() - updated_at) / 4)) end
      where id = $1::uuid and look_at = $2::timestamptz`,
    values: [id, claim, done],
  })
}
