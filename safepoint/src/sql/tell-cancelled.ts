import type { Statement } from '../database.ts'

/** NOTIFY behind a cancel, if it was one: the row is asked, because the statement before this one may have failed. */
export const tellCancelled = (
  scope: string,
  key: string,
  { channel, payload }: { channel: string; payload: string },
): Statement => ({
  name: 'sp_tell_cancelled',
  text: `select pg_notify($3::text, $4::text) from safepoint.operation
    where scope = $1::text and key = $2::text and state in ('cancelled', 'undoing')`,
  values: [scope, key, channel, payload],
})
