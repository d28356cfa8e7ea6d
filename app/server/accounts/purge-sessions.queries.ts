import type { Reader } from '../database.ts'

export interface Purge {
  /** Milliseconds since the time was up. */
  readonly overFor: number
  readonly limit: number
}

/** Refresh tokens of sessions whose time is up; answers how many. */
export async function deleteOldTokens(reader: Reader, { overFor, limit }: Purge): Promise<number> {
  const { rowCount } = await reader.query({
    name: 'accounts_purge_tokens',
    text: `delete from pantry.refresh_token where id = any (array(
        select t.id from pantry.session s join pantry.refresh_token t on t.session_id = s.id
        where s.expires_at < clock_timestamp() - $1::float8 * interval '1 millisecond'
        limit $2::int for update of t skip locked
      ))`,
    values: [overFor, limit],
  })
  return rowCount
}

/** Sessions whose time is up and that have no token any more. */
export async function deleteOldSessions(reader: Reader, { overFor, limit }: Purge): Promise<number> {
  const { rowCount } = await reader.query({
    name: 'accounts_purge_sessions',
    text: `delete from pantry.session where id = any (array(
        select s.id from pantry.session s
        where s.expires_at < clock_timestamp() - $1::float8 * interval '1 millisecond'
          and not exists (select from pantry.refresh_token t where t.session_id = s.id)
        order by s.expires_at limit $2::int for update skip locked
      ))`,
    values: [overFor, limit],
  })
  return rowCount
}

/** Links to a new password, used or not. */
export async function deleteOldResets(reader: Reader, { overFor, limit }: Purge): Promise<number> {
  const { rowCount } = await reader.query({
    name: 'accounts_purge_resets',
    text: `delete from pantry.password_reset where id = any (array(
        select id from pantry.password_reset
        where expires_at < clock_timestamp() - $1::float8 * interval '1 millisecond'
        order by expires_at limit $2::int for update skip locked
      ))`,
    values: [overFor, limit],
  })
  return rowCount
}
