import { uuidv7, type SqlTransaction } from 'safepoint'

export interface NewMail {
  /** Names what the mail tells of: written again, it is still one mail. */
  readonly once: string
  readonly accountId: string
  readonly template: 'receipt'
  readonly data: Readonly<Record<string, unknown>>
}

/** Writes a mail into the outbox, in the transaction of what it tells of: there is one exactly if the other is. */
export async function queueMail(tx: SqlTransaction, mail: NewMail): Promise<void> {
  await tx.query({
    name: 'mail_queue',
    text: `insert into pantry.mail (id, once, account_id, template, data) values ($1::uuid, $2::text, $3::uuid, $4::text, $5::jsonb)
      on conflict (once) do nothing`,
    values: [uuidv7(), mail.once, mail.accountId, mail.template, JSON.stringify(mail.data)],
  })
}
