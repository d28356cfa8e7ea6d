import type { SqlTransaction } from 'safepoint'
import type { Locale } from '../accounts/accounts.ts'
import type { AddressFields } from '../addresses/addresses.ts'
import type { Reader } from '../database.ts'
import type { Delivery, Mail, MailState, MailTemplate, MailTry } from './mail.ts'

interface MailRow {
  id: string
  account_id: string
  template: MailTemplate
  data: Record<string, unknown>
  locale: Locale
  recipient: string
  state: MailState
  round: number
  due_at: Date
  failure: string | null
  created_at: Date
  sent_at: Date | null
}

const mailOf = (row: MailRow): Mail => ({
  id: row.id,
  accountId: row.account_id,
  template: row.template,
  data: row.data,
  locale: row.locale,
  recipient: row.recipient,
  state: row.state,
  round: row.round,
  dueAt: row.due_at,
  failure: row.failure ?? undefined,
  createdAt: row.created_at,
  sentAt: row.sent_at ?? undefined,
})

/** A closed account gets none. */
export async function insertMail(
  tx: SqlTransaction,
  mail: {
    readonly id: string
    readonly once: string
    readonly accountId: string
    readonly template: MailTemplate
    readonly data: Readonly<Record<string, unknown>>
  },
): Promise<void> {
  await tx.query({
    name: 'mail_queue',
    text: `
      insert into pantry.mail (id, once, account_id, template, data, locale, recipient)
      select $1::uuid, $2::text, a.id, $4::text, $5::jsonb, a.locale, a.email
      from pantry.account a where a.id = $3::uuid and a.closed_at is null for key share
      on conflict (once) do nothing`,
    values: [mail.id, mail.once, mail.accountId, mail.template, JSON.stringify(mail.data)],
  })
}

/**
 * The administrators to tell: whoever has this address, or all of them where none of them has, or none is given.
 */
export async function listStaff(tx: SqlTransaction, emailKey: string | null): Promise<string[]> {
  const { rows } = await tx.query<{ id: string }>({
    name: 'mail_staff',
    text: `with staff as (select id, email_key from pantry.account where role = 'admin' and closed_at is null)
      select id from staff where email_key = $1::text or not exists (select from staff where email_key = $1::text) order by id`,
    values: [emailKey],
  })
  return rows.map(({ id }) => id)
}

/** Mails whose time has come, the longest due first. */
export async function listDueMails(reader: Reader, limit: number): Promise<{ id: string; round: number }[]> {
  const { rows } = await reader.query<{ id: string; round: number }>({
    name: 'mail_due',
    text: `select id, round from pantry.mail where state = 'queued' and due_at <= clock_timestamp() order by due_at, id limit $1::int`,
    values: [limit],
  })
  return rows
}

export async function findMail(reader: Reader, id: string): Promise<Mail | undefined> {
  const { rows } = await reader.query<MailRow>({
    name: 'mail_find',
    text: 'select * from pantry.mail where id = $1::uuid',
    values: [id],
  })
  return rows[0] && mailOf(rows[0])
}

/** What an order's mails say. All of it is fixed when the order is placed, so that a mail sent again says the same. */
export interface OrderFacts {
  readonly id: string
  readonly currency: string
  readonly total: number
  readonly lines: readonly { readonly name: string; readonly quantity: number; readonly unitPrice: number }[]
  readonly shippingAddress: AddressFields
  readonly billingAddress: AddressFields
  readonly placedAt: Date
}

/** Of the mail's own account only. */
export async function findOrderFacts(
  reader: Reader,
  orderId: string,
  accountId: string,
): Promise<OrderFacts | undefined> {
  const { rows } = await reader.query<{
    id: string
    currency: string
    total: string
    lines: OrderFacts['lines'] | null
    shipping_address: AddressFields
    billing_address: AddressFields
    created_at: Date
  }>({
    name: 'mail_order_facts',
    text: `
      select o.id, o.currency, o.total, o.shipping_address, o.billing_address, o.created_at,
        (select json_agg(json_build_object('name', l.name, 'quantity', l.quantity, 'unitPrice', l.unit_price) order by l.position)
          from pantry.order_line l where l.order_id = o.id) as lines
      from pantry.orders o
      where o.id = $1::uuid and o.account_id = $2::uuid`,
    values: [orderId, accountId],
  })
  const row = rows[0]
  return (
    row && {
      id: row.id,
      currency: row.currency,
      total: Number(row.total),
      lines: row.lines ?? [],
      shippingAddress: row.shipping_address,
      billingAddress: row.billing_address,
      placedAt: row.created_at,
    }
  )
}

/**
 * Ends a try: the mail is sent, failed, or waits for the next round, as `backOff` (milliseconds) says for the rounds since it was
 * queued or resent. Answers the state it is in now; `undefined` when that round has ended already.
 */
export async function endRound(
  reader: Reader,
  end: Delivery & { readonly mailId: string; readonly round: number; readonly backOff: readonly number[] },
): Promise<MailState | undefined> {
  const { rows } = await reader.query<{ state: MailState }>({
    name: 'mail_end_round',
    text: `
      with standing as (
        select id, ($5::float8[])[round - first_round + 1] as wait from pantry.mail
        where id = $1::uuid and round = $2::int and state = 'queued' for update
      ), decided as (
        select id, wait, case when $3::text = 'accepted' then 'sent' when $3::text = 'refused' or wait is null then 'failed' else 'queued' end as state
        from standing
      ), ended as (
        update pantry.mail m set
          state = d.state,
          sent_at = case d.state when 'sent' then clock_timestamp() end,
          failure = case d.state when 'failed' then $4::text end,
          due_at = case d.state when 'queued' then clock_timestamp() + d.wait * interval '1 millisecond' else m.due_at end,
          round = m.round + (d.state = 'queued')::int
        from decided d where m.id = d.id
        returning m.id, m.state
      ), kept as (
        insert into pantry.mail_try (mail_id, round, outcome, reply) select id, $2::int, $3::text, $4::text from ended
      )
      select state from ended`,
    values: [end.mailId, end.round, end.outcome, end.reply, [...end.backOff]],
  })
  return rows[0]?.state
}

/** Queues a failed mail anew; `undefined` when it is not failed, or its account is closed. */
export async function requeueMail(tx: SqlTransaction, id: string): Promise<Mail | undefined> {
  const { rows } = await tx.query<MailRow>({
    name: 'mail_requeue',
    text: `
      update pantry.mail set state = 'queued', failure = null, round = round + 1, first_round = round + 1, due_at = clock_timestamp()
      where id = $1::uuid and state = 'failed'
        and exists (select from pantry.account a where a.id = account_id and a.closed_at is null)
      returning *`,
    values: [id],
  })
  return rows[0] && mailOf(rows[0])
}

export interface MailSearch {
  readonly state: MailState | undefined
  /** A part of the address, whatever its case. */
  readonly email: string | undefined
  readonly limit: number
  /** The id after which the page begins; ids fall with age. */
  readonly after: string | undefined
}

export async function listMails(reader: Reader, { state, email, limit, after }: MailSearch): Promise<Mail[]> {
  const { rows } = await reader.query<MailRow>({
    name: 'mail_list',
    text: `select * from pantry.mail
      where ($1::text is null or state = $1::text)
        and ($2::text is null or strpos(lower(recipient), lower($2::text)) > 0)
        and ($3::uuid is null or id < $3::uuid)
      order by id desc limit $4::int`,
    values: [state ?? null, email ?? null, after ?? null, limit],
  })
  return rows.map(mailOf)
}

export async function listMailTries(reader: Reader, mailId: string): Promise<MailTry[]> {
  const { rows } = await reader.query<MailTry>({
    name: 'mail_tries',
    text: 'select round, outcome, reply, at from pantry.mail_try where mail_id = $1::uuid order by round',
    values: [mailId],
  })
  return rows
}
