import { uuidv7, type SqlTransaction } from 'safepoint'
import { emailKeyOf } from '../accounts/accounts.ts'
import { announce } from '../announce.ts'
import { mailTopic, type MailTemplate } from './mail.ts'
import { insertMail, listStaff } from './mail.queries.ts'

export interface StaffMail {
  /** `ADMIN_EMAIL`. Where no administrator has this address, or none is set, all of them are told. */
  readonly adminEmail: string | undefined
  /** Names what the mail tells of: written again, it is still one mail to each. */
  readonly once: string
  readonly template: Extract<MailTemplate, 'dispute' | 'refund_delayed'>
  /** Whatever it says: it is rendered from this alone. */
  readonly data: Readonly<Record<string, unknown>>
}

/** As `queueMail`, to those who run the shop. */
export async function queueStaffMail(tx: SqlTransaction, { adminEmail, once, ...mail }: StaffMail): Promise<void> {
  const staff = await listStaff(tx, adminEmail === undefined ? null : emailKeyOf(adminEmail))
  for (const accountId of staff)
    await insertMail(tx, { id: uuidv7(), once: `${once}:${accountId}`, accountId, ...mail })
  announce(tx, mailTopic)
}
