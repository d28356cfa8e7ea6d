import type { Statement } from '../database.ts'

/** An operator's decision. `retry` frees the lease, so that the next poll of any process takes the undo up again. */
export const resolveOperation = (
  scope: string,
  key: string,
  decision: 'retry' | 'cancelled' | 'failed',
  reason: string,
): Statement => ({
  name: 'sp_resolve_operation',
  text: `with resolved as (
      update safepoint.operation set
        state = (case when $3::text = 'retry' then 'undoing' else $3::text end)::safepoint.state,
        ended_at = case when $3::text = 'retry' then null else clock_timestamp() end,
        lease_until = case when $3::text = 'retry' then clock_timestamp() end,
        undo_deadline_at = clock_timestamp() + undo_for * interval '1 millisecond',
        reason = $4::text
      where scope = $1::text and key = $2::text and state = 'needs_attention'
      returning scope, key
    ), steps as (
      update safepoint.step s set undo_attempts = 0,
        state = case when s.response is null and not exists (
          select 1 from safepoint.evidence e where e.scope = s.scope and e.key = s.key and e.position = s.position and e.kind = 'answer'
        ) then 'begun' else 'done' end
      from resolved r
      where s.scope = r.scope and s.key = r.key and s.state = 'needs_attention' and $3::text = 'retry'
    )
    select key from resolved`,
  values: [scope, key, decision, reason],
})
