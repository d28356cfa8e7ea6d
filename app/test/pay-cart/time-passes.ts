import type pg from 'pg'

/** What the shop's clock starts every minute, now. Whichever server is there takes it. */
const runJob = (sql: pg.Pool, name: 'payments.sweep' | 'orders.expire') =>
  sql.query(`insert into pgboss.job (name, data) values ($1::text, '{}')`, [name])

/** No news of the customer's payment came in ten minutes: the sweep is due to ask. */
export async function passTenMinutes(sql: pg.Pool, accountId: string): Promise<void> {
  await sql.query(
    `update pantry.payment p set created_at = p.created_at - interval '11 minutes'
      from pantry.orders o where o.id = p.order_id and o.account_id = $1::uuid`,
    [accountId],
  )
  await runJob(sql, 'payments.sweep')
}

/** The time of what the customer ordered and did not pay is up. */
export async function passReservation(sql: pg.Pool, accountId: string): Promise<void> {
  await sql.query(
    `with due as (
        update pantry.orders set reserved_until = clock_timestamp() - interval '1 second'
        where account_id = $1::uuid and status in ('pending', 'awaiting_payment', 'failed') returning id
      )
      update pantry.reservation r set expires_at = clock_timestamp() - interval '1 second'
      from due where r.order_id = due.id and r.state = 'held'`,
    [accountId],
  )
  await runJob(sql, 'orders.expire')
}

/**
 * What was judged is left alone from here on: a page that could be paid for days is looked at again and again, and what a human
 * has to look at is tried again and again, which is not to happen while somebody else is watched.
 */
export async function closeCase(sql: pg.Pool): Promise<void> {
  await sql.query(
    `update pantry.payment set looked_at = clock_timestamp() + interval '1 day' where looked_at is null or looked_at < clock_timestamp()`,
  )
  await sql.query(`update pantry.webhook_event set state = 'dead' where state = 'waiting'`)
}
