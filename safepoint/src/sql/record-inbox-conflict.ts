import type { Statement } from '../database.ts'

/** Kept once for each other payload, however often the provider sends it. */
export const recordInboxConflict = (
  scope: string,
  key: string,
  fingerprint: Uint8Array,
  payload: string,
): Statement => ({
  name: 'sp_record_inbox_conflict',
  text: `insert into safepoint.inbox_conflict (scope, key, fingerprint, payload)
    values ($1::text, $2::text, $3::bytea, $4::text) on conflict do nothing`,
  values: [scope, key, fingerprint, payload],
})
