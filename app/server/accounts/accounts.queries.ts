import type { SqlTransaction } from 'safepoint'
import type { Reader } from '../database.ts'
import type { Account, Locale, Role } from './accounts.ts'

export async function findAccount(tx: Reader, id: string): Promise<Account | undefined> {
  const { rows } = await tx.query<Account>({
    name: 'accounts_find',
    text: 'select id, email, name, role, locale, version from pantry.account where id = $1::uuid and closed_at is null',
    values: [id],
  })
  return rows[0]
}

export interface StoredCredentials {
  readonly id: string
  readonly passwordHash: string
  readonly credentialVersion: number
}

export async function findCredentials(tx: Reader, emailKey: string): Promise<StoredCredentials | undefined> {
  const { rows } = await tx.query<StoredCredentials>({
    name: 'accounts_credentials',
    text: `select id, password_hash as "passwordHash", credential_version as "credentialVersion"
      from pantry.account where email_key = $1::text and closed_at is null`,
    values: [emailKey],
  })
  return rows[0]
}

export interface NewAccount {
  readonly id: string
  readonly email: string
  readonly emailKey: string
  readonly name: string
  readonly role: Role
  /** Default: English. */
  readonly locale?: Locale
  readonly passwordHash: string
}

/** `undefined`: the address belongs to an account already. */
export async function insertAccount(tx: Reader, account: NewAccount): Promise<Account | undefined> {
  const { rows } = await tx.query<Account>({
    name: 'accounts_insert',
    text: `
      insert into pantry.account (id, email, email_key, name, role, password_hash, locale)
      values ($1::uuid, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text)
      on conflict (email_key) where closed_at is null do nothing
      returning id, email, name, role, locale, version`,
    values: [
      account.id,
      account.email,
      account.emailKey,
      account.name,
      account.role,
      account.passwordHash,
      account.locale ?? 'en',
    ],
  })
  return rows[0]
}

/** What an account says of itself. */
export interface Profile {
  readonly name: string
  readonly locale: Locale
}

/**
 * Changes the profile of an account that is at `version` (`undefined`: whichever it is at), and raises its version where that is
 * a change; what is left out stays. Answers what it was before, too. `undefined`: it is closed, or at another version.
 */
export async function changeAccount(
  tx: SqlTransaction,
  change: Partial<Profile> & { readonly id: string; readonly version: number | undefined },
): Promise<{ readonly account: Account; readonly before: Profile } | undefined> {
  const { rows } = await tx.query<Account & { name_before: string; locale_before: Locale }>({
    name: 'accounts_change',
    text: `
      with held as materialized (
        select id, name, locale from pantry.account where id = $1::uuid and closed_at is null for no key update
      )
      update pantry.account a
      set name = coalesce($2::text, a.name), locale = coalesce($4::text, a.locale),
        version = a.version + ((a.name, a.locale) <> (coalesce($2::text, a.name), coalesce($4::text, a.locale)))::int,
        updated_at = clock_timestamp()
      from held
      where a.id = held.id and ($3::int is null or a.version = $3::int)
      returning a.id, a.email, a.name, a.role, a.locale, a.version, held.name as name_before, held.locale as locale_before`,
    values: [change.id, change.name ?? null, change.version ?? null, change.locale ?? null],
  })
  if (!rows[0]) return undefined
  const { name_before: name, locale_before: locale, ...account } = rows[0]
  return { account, before: { name, locale } }
}

export interface NewSession {
  readonly sessionId: string
  readonly tokenId: string
  readonly accountId: string
  /** `undefined`: the account was made in this transaction. */
  readonly credentialVersion?: number
  readonly lifetime: number
}

/** `undefined`: the account is closed, or its password was changed since it was checked. */
export async function insertSession(tx: SqlTransaction, session: NewSession): Promise<Account | undefined> {
  const { rows } = await tx.query<Account>({
    name: 'accounts_open_session',
    text: `
      with holder as (
        select id, email, name, role, locale, version from pantry.account
        where id = $3::uuid and closed_at is null and credential_version = coalesce($4::int, credential_version)
        for no key update
      ), opened as (
        insert into pantry.session (id, account_id, expires_at)
        select $1::uuid, id, clock_timestamp() + $5::float8 * interval '1 millisecond' from holder
        returning id
      ), token as (
        insert into pantry.refresh_token (id, session_id, generation) select $2::uuid, id, 1 from opened
      )
      select id, email, name, role, locale, version from holder`,
    values: [
      session.sessionId,
      session.tokenId,
      session.accountId,
      session.credentialVersion ?? null,
      session.lifetime,
    ],
  })
  return rows[0]
}

export interface TokenStanding {
  readonly sessionId: string
  readonly accountId: string
  /** The session is neither revoked nor over. */
  readonly live: boolean
  /** Milliseconds since the token was exchanged; null: it was not. */
  readonly usedFor: number | null
}

export async function findTokenStanding(tx: Reader, tokenId: string): Promise<TokenStanding | undefined> {
  const { rows } = await tx.query<TokenStanding>({
    name: 'accounts_token_standing',
    text: `
      select s.id as "sessionId", s.account_id as "accountId",
        s.revoked_at is null and s.expires_at > clock_timestamp() and a.closed_at is null as live,
        (extract(epoch from clock_timestamp() - t.used_at) * 1000)::float8 as "usedFor"
      from pantry.refresh_token t
      join pantry.session s on s.id = t.session_id
      join pantry.account a on a.id = s.account_id
      where t.id = $1::uuid`,
    values: [tokenId],
  })
  return rows[0]
}

/** Exchanges a token for the next one of its session; `undefined` when it cannot be, or can no longer. */
export async function exchangeToken(
  tx: SqlTransaction,
  exchange: { readonly tokenId: string; readonly nextId: string },
): Promise<Account | undefined> {
  const { rows } = await tx.query<Account>({
    name: 'accounts_exchange_token',
    text: `
      with used as (
        update pantry.refresh_token t set used_at = clock_timestamp()
        from pantry.session s join pantry.account a on a.id = s.account_id
        where t.id = $1::uuid and t.used_at is null and s.id = t.session_id
          and s.revoked_at is null and s.expires_at > clock_timestamp() and a.closed_at is null
        returning t.session_id, t.generation, a.id, a.email, a.name, a.role, a.locale, a.version
      ), next as (
        insert into pantry.refresh_token (id, session_id, generation) select $2::uuid, session_id, generation + 1 from used
      )
      select id, email, name, role, locale, version from used`,
    values: [exchange.tokenId, exchange.nextId],
  })
  return rows[0]
}

/** Ends a session; `false`: it had ended. */
export async function revokeSession(
  tx: SqlTransaction,
  sessionId: string,
  because: 'logout' | 'token_reused',
): Promise<boolean> {
  const { rowCount } = await tx.query({
    name: 'accounts_revoke_session',
    text: `update pantry.session set revoked_at = clock_timestamp(), revoked_because = $2::text
      where id = $1::uuid and revoked_at is null`,
    values: [sessionId, because],
  })
  return rowCount === 1
}

export interface LiveSession {
  readonly accountId: string
  readonly role: Role
  /** The one token that can still be exchanged. */
  readonly tokenId: string
}

export async function findLiveSession(tx: Reader, sessionId: string): Promise<LiveSession | undefined> {
  const { rows } = await tx.query<LiveSession>({
    name: 'accounts_live_session',
    text: `
      select a.id as "accountId", a.role, t.id as "tokenId"
      from pantry.session s
      join pantry.account a on a.id = s.account_id
      join pantry.refresh_token t on t.session_id = s.id and t.used_at is null
      where s.id = $1::uuid and s.revoked_at is null and s.expires_at > clock_timestamp() and a.closed_at is null`,
    values: [sessionId],
  })
  return rows[0]
}
