import type { SqlTransaction } from 'safepoint'
import type { Reader } from '../database.ts'
import type { StoredCredentials } from './accounts.queries.ts'

export interface NewPasswordReset {
  readonly id: string
  readonly emailKey: string
  /** Milliseconds. */
  readonly lifetime: number
  /** None is made within so many milliseconds of an unused one. */
  readonly pause: number
}

/**
 * Answers whose it is; `undefined`: no account has this address, or it was sent a link a moment ago. The account is locked by a
 * statement of its own, so that of several that ask at once the next one sees what the first has made.
 */
export async function insertPasswordReset(tx: SqlTransaction, reset: NewPasswordReset): Promise<string | undefined> {
  await tx.query({
    name: 'passwords_lock_asking',
    text: 'select from pantry.account where email_key = $1::text and closed_at is null for no key update',
    values: [reset.emailKey],
  })
  const { rows } = await tx.query<{ accountId: string }>({
    name: 'passwords_insert_reset',
    text: `
      insert into pantry.password_reset (id, account_id, credential_version, expires_at)
      select $1::uuid, a.id, a.credential_version, clock_timestamp() + $3::float8 * interval '1 millisecond'
      from pantry.account a
      where a.email_key = $2::text and a.closed_at is null and not exists (
        select from pantry.password_reset r where r.account_id = a.id and r.used_at is null
          and r.created_at > clock_timestamp() - $4::float8 * interval '1 millisecond'
      )
      returning account_id as "accountId"`,
    values: [reset.id, reset.emailKey, reset.lifetime, reset.pause],
  })
  return rows[0]?.accountId
}

/**
 * Uses a link up: the password is replaced and every session ended; answers which these are. `undefined`: it is used, too old, or
 * of an earlier password. The account is locked by a statement of its own, so that the next one sees a session that was opened in this moment.
 */
export async function usePasswordReset(
  tx: SqlTransaction,
  use: { readonly resetId: string; readonly passwordHash: string },
): Promise<string[] | undefined> {
  await tx.query({
    name: 'passwords_lock_reset',
    text: `select from pantry.account where id = (select account_id from pantry.password_reset where id = $1::uuid) for no key update`,
    values: [use.resetId],
  })
  const { rows } = await tx.query<Replaced>({
    name: 'passwords_use_reset',
    text: `
      with used as (
        update pantry.password_reset r set used_at = clock_timestamp()
        from pantry.account a
        where r.id = $1::uuid and r.used_at is null and r.expires_at > clock_timestamp()
          and a.id = r.account_id and a.closed_at is null and a.credential_version = r.credential_version
        returning r.account_id
      ), revoked as (
        update pantry.session set revoked_at = clock_timestamp(), revoked_because = 'password_changed'
        where account_id in (select account_id from used) and revoked_at is null
        returning id
      )
      update pantry.account set password_hash = $2::text, credential_version = credential_version + 1, updated_at = clock_timestamp()
      where id in (select account_id from used)
      returning array(select id from revoked) as ended`,
    values: [use.resetId, use.passwordHash],
  })
  return rows[0]?.ended
}

interface Replaced {
  /** Sessions that were live. */
  readonly ended: string[]
}

/**
 * Replaces the password that is at `credentialVersion`, and ends every session but one; answers which these are. `undefined`: it
 * was replaced meanwhile.
 */
export async function changeCredentials(
  tx: SqlTransaction,
  change: {
    readonly accountId: string
    readonly credentialVersion: number
    readonly passwordHash: string
    readonly sessionId: string
  },
): Promise<string[] | undefined> {
  await tx.query({
    name: 'passwords_lock',
    text: 'select from pantry.account where id = $1::uuid for no key update',
    values: [change.accountId],
  })
  const { rows } = await tx.query<Replaced>({
    name: 'passwords_change',
    text: `
      with changed as (
        update pantry.account set password_hash = $3::text, credential_version = credential_version + 1, updated_at = clock_timestamp()
        where id = $1::uuid and closed_at is null and credential_version = $2::int
        returning id
      ), revoked as (
        update pantry.session set revoked_at = clock_timestamp(), revoked_because = 'password_changed'
        where account_id in (select id from changed) and id <> $4::uuid and revoked_at is null
        returning id
      )
      select array(select id from revoked) as ended from changed`,
    values: [change.accountId, change.credentialVersion, change.passwordHash, change.sessionId],
  })
  return rows[0]?.ended
}

export async function findCredentialsOf(reader: Reader, accountId: string): Promise<StoredCredentials | undefined> {
  const { rows } = await reader.query<StoredCredentials>({
    name: 'passwords_of',
    text: `select id, password_hash as "passwordHash", credential_version as "credentialVersion"
      from pantry.account where id = $1::uuid and closed_at is null`,
    values: [accountId],
  })
  return rows[0]
}
