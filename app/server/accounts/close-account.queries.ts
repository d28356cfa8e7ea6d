import type { SqlTransaction } from 'safepoint'

/**
 * Locks the account against whatever refers to it, after the other administrators where it is one: of two that leave at once, the
 * second then sees that the first has left.
 */
export async function lockForClosing(tx: SqlTransaction, accountId: string): Promise<void> {
  await tx.query({
    name: 'accounts_lock_administrators',
    text: `select from pantry.account
      where role = 'admin' and closed_at is null and (select role from pantry.account where id = $1::uuid) = 'admin'
      order by id for no key update`,
    values: [accountId],
  })
  await tx.query({
    name: 'accounts_lock_closing',
    text: 'select from pantry.account where id = $1::uuid for update',
    values: [accountId],
  })
}

/**
 * Closes the account that is at `version` (`undefined`: whichever it is at) and takes its person out of it. `false`: it is closed,
 * at another version, or the last administrator's. Its address is free again: `account_email` leaves closed ones out.
 */
export async function markClosed(
  tx: SqlTransaction,
  close: { readonly id: string; readonly version: number | undefined },
): Promise<boolean> {
  const { rowCount } = await tx.query({
    name: 'accounts_close',
    text: `
      update pantry.account a set closed_at = clock_timestamp(), updated_at = clock_timestamp(), version = version + 1,
        email = 'closed-' || a.id || '@account.invalid', email_key = 'closed-' || a.id || '@account.invalid', name = '(closed)',
        locale = 'en', password_hash = '', credential_version = credential_version + 1
      where a.id = $1::uuid and a.closed_at is null and ($2::int is null or a.version = $2::int)
        and (a.role <> 'admin' or exists (
          select from pantry.account o where o.role = 'admin' and o.closed_at is null and o.id <> a.id))`,
    values: [close.id, close.version ?? null],
  })
  return rowCount === 1
}

/** What the account has of its own goes; a cart that became an order stays without its lines, because the order names it. */
export async function eraseBelongings(tx: SqlTransaction, accountId: string): Promise<void> {
  const statements = [
    ['accounts_erase_addresses', 'delete from pantry.address where account_id = $1::uuid'],
    ['accounts_erase_wishes', 'delete from pantry.wish where account_id = $1::uuid'],
    [
      'accounts_erase_lines',
      'delete from pantry.cart_item where cart_id in (select id from pantry.cart where account_id = $1::uuid)',
    ],
    [
      'accounts_erase_carts',
      `delete from pantry.cart c where c.account_id = $1::uuid and not exists (select from pantry.orders o where o.cart_id = c.id)`,
    ],
    ['accounts_erase_resets', 'delete from pantry.password_reset where account_id = $1::uuid'],
  ] as const
  await Promise.all(statements.map(([name, text]) => tx.query({ name, text, values: [accountId] })))
}

/** Takes the mailbox out of the account's mails, and the relay's words, which may name it; what was not sent stays unsent. */
export async function redactMails(tx: SqlTransaction, accountId: string): Promise<void> {
  const mails = tx.query({
    name: 'accounts_redact_mails',
    text: `
      update pantry.mail set recipient = 'closed-' || account_id || '@account.invalid',
        state = case state when 'queued' then 'failed' else state end,
        failure = case when state <> 'sent' then 'The account was closed.' end
      where account_id = $1::uuid`,
    values: [accountId],
  })
  const tries = tx.query({
    name: 'accounts_redact_mail_tries',
    text: `update pantry.mail_try set reply = '(erased)' where mail_id in (select id from pantry.mail where account_id = $1::uuid)`,
    values: [accountId],
  })
  await Promise.all([mails, tries])
}

/** Ends every session of a closed account; answers which were live. */
export async function endSessionsOfClosed(tx: SqlTransaction, accountId: string): Promise<string[]> {
  const { rows } = await tx.query<{ id: string }>({
    name: 'accounts_end_sessions',
    text: `update pantry.session set revoked_at = clock_timestamp(), revoked_because = 'account_closed'
      where account_id = $1::uuid and revoked_at is null returning id`,
    values: [accountId],
  })
  return rows.map(({ id }) => id)
}
