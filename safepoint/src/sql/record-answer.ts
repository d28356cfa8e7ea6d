import type { Statement } from '../database.ts'

/**
 * What a provider answered: appended as evidence whatever the epoch of the asker; the step's state follows only for the
 * epoch that may still write it (I7). The step's own epoch is asked as well: after waiting for a take-over that has tried the step
 * again PostgreSQL looks afresh at the row it updates, and at no other.
 */
export const recordAnswer = (
  scope: string,
  key: string,
  position: number,
  epoch: number,
  answer: {
    /** `refused` is `absent`, and was told to the handler. */
    readonly kind: 'answer' | 'error' | 'absent' | 'refused' | 'undone' | 'undo error'
    readonly payload: string | undefined
  },
): Statement => ({
  name: 'sp_record_answer',
  text: `with evidence as (
      insert into safepoint.evidence (scope, key, position, epoch, kind, payload)
      values ($1::text, $2::text, $3::integer, $4::integer, $5::text, $6::text)
    )
    update safepoint.step s set
      state = case $5::text
        when 'answer' then case when s.state in ('begun', 'absent') then 'done' else s.state end
        when 'absent' then case when s.state = 'begun' then 'absent' else s.state end
        when 'refused' then case when s.state = 'begun' then 'absent' else s.state end
        when 'undone' then 'undone'
        else s.state end,
      response = case when $5::text = 'answer' then coalesce(s.response, $6::text) else s.response end,
      undo_error = case when $5::text = 'undo error' then $6::text else s.undo_error end,
      settled_at = clock_timestamp()
    from safepoint.operation o
    where o.scope = s.scope and o.key = s.key and o.epoch = $4::integer and s.epoch <= $4::integer
      and s.scope = $1::text and s.key = $2::text and s.position = $3::integer`,
  values: [scope, key, position, epoch, answer.kind, answer.payload],
})

/** A transaction undo commits with this: the fence of the undoing operation, and the step's end. An error when it loses. */
export const recordUndone = (scope: string, key: string, position: number, epoch: number): Statement => ({
  name: 'sp_record_undone',
  text: `with fenced as (
      update safepoint.operation set begun_step = begun_step
      where scope = $1::text and key = $2::text and state = 'undoing' and epoch = $4::integer
      returning 1
    ), undone as (
      update safepoint.step set state = 'undone', settled_at = clock_timestamp()
      where scope = $1::text and key = $2::text and position = $3::integer and state <> 'undone' and exists (select 1 from fenced)
      returning 1
    )
    select coalesce((select true from undone), safepoint.lost())`,
  values: [scope, key, position, epoch],
})

/** An undo that failed for good: a human must look at this step. */
export const failUndo = (scope: string, key: string, position: number, epoch: number, error: string): Statement => ({
  name: 'sp_fail_undo',
  text: `update safepoint.step s set state = 'needs_attention', undo_error = $5::text
    from safepoint.operation o
    where o.scope = s.scope and o.key = s.key and o.epoch = $4::integer and s.epoch <= $4::integer
      and s.scope = $1::text and s.key = $2::text and s.position = $3::integer and s.state <> 'undone'`,
  values: [scope, key, position, epoch, error],
})
