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
  /** Milliseconds since the last attempt began, by the database's clock. */
  readonly since_attempt: number
}

/** The steps of an operation in the order in which they began; an answer that is only in evidence counts. */
export const findSteps = (scope: string, key: string): Statement => ({
  name: 'sp_find_steps',
  text: `select position, name, call, leaves, epoch, attempts, request, undo_attempts,
      case when state = 'begun' and e.payload is not null then 'done' else state end as state,
      coalesce(response, e.payload) as response,
      (extract(epoch from clock_timestamp() - attempted_at) * 1000)::float8 as since_attempt
    from safepoint.step s
    left join lateral (
      select coalesce(payload, 'null') as payload from safepoint.evidence e
      where e.scope = s.scope and e.key = s.key and e.position = s.position and e.kind = 'answer' order by at limit 1
    ) e on true
    where s.scope = $1::text and s.key = $2::text order by position`,
  values: [scope, key],
})
