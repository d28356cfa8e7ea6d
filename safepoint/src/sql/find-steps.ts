import type { Statement } from '../database.ts'

export interface StepRow {
  readonly position: number
  readonly name: string
  readonly call: number
  readonly leaves: 'undo' | 'keep' | 'cleanup'
  readonly state: 'begun' | 'done' | 'absent' | 'undone' | 'needs_attention'
  readonly epoch: number
  readonly attempts: number
  readonly request: string | null
  readonly response: string | null
  readonly undo_attempts: number
  /** What the handler was told by a call that had no effect (JSON). */
  readonly refusal: string | null
  /** Milliseconds since the last attempt began, by the database's clock. */
  readonly since_attempt: number
}

/**
 * The steps of an operation in the order in which they began. An answer that is only in evidence counts, also against "absent":
 * that was concluded from silence.
 */
export const findSteps = (scope: string, key: string): Statement => ({
  name: 'sp_find_steps',
  text: `select position, name, call, leaves, epoch, attempts, request, undo_attempts,
      case when state in ('begun', 'absent') and e.kind = 'answer' then 'done' else state end as state,
      coalesce(response, case when e.kind = 'answer' then e.payload end) as response,
      case when state = 'absent' and e.kind = 'refused' then e.payload end as refusal,
      (extract(epoch from clock_timestamp() - attempted_at) * 1000)::float8 as since_attempt
    from safepoint.step s
    left join lateral (
      select kind, coalesce(payload, 'null') as payload from safepoint.evidence e
      where e.scope = s.scope and e.key = s.key and e.position = s.position and e.kind in ('answer', 'refused')
      order by kind, at limit 1
    ) e on true
    where s.scope = $1::text and s.key = $2::text order by position`,
  values: [scope, key],
})
