import type { Statement } from '../database.ts'

export interface StepBeginning {
  readonly scope: string
  readonly key: string
  readonly epoch: number
  readonly name: string
  /** How often this step had been called before. */
  readonly call: number
  readonly leaves: 'undo' | 'keep' | 'cleanup'
  /** Milliseconds of one attempt. */
  readonly timeout: number
  readonly request: string | undefined
  /** Of a transaction step, which is done as soon as it commits. */
  readonly done?: { readonly response: string | undefined }
}

/**
 * The fence: only a running operation of this epoch may begin a step. Committed together with the step's recorded request,
 * before the call; of a transaction step it is the last statement of that transaction. An error when it loses.
 */
export const beginStep = (step: StepBeginning): Statement => ({
  name: 'sp_begin_step',
  text: `with fenced as (
      update safepoint.operation set begun = begun + 1,
        to_undo = to_undo + ($6::text = 'undo')::integer,
        to_sweep = to_sweep + ($6::text = 'cleanup')::integer,
        begun_step = $4::text,
        call_until = greatest(call_until, clock_timestamp() + $7::float8 * interval '1 millisecond')
      where scope = $1::text and key = $2::text and state = 'running' and epoch = $3::integer
      returning begun
    ), recorded as (
      insert into safepoint.step (scope, key, position, name, call, leaves, state, epoch, request, response, settled_at)
      select $1::text, $2::text, begun, $4::text, $5::integer, $6::text,
        case when $9::boolean then 'done' else 'begun' end, $3::integer, $8::text, $10::text,
        case when $9::boolean then clock_timestamp() end
      from fenced
    )
    select coalesce((select begun from fenced), safepoint.lost()::integer) as position`,
  values: [
    step.scope,
    step.key,
    step.epoch,
    step.name,
    step.call,
    step.leaves,
    step.timeout,
    step.request,
    step.done !== undefined,
    step.done?.response,
  ],
})

/** The fence of a further attempt, of a call or of an undo: `state` is the one the operation must be in. */
export const attemptStep = (
  scope: string,
  key: string,
  epoch: number,
  position: number,
  state: 'running' | 'undoing',
  timeout: number,
): Statement => ({
  name: 'sp_attempt_step',
  text: `with fenced as (
      update safepoint.operation set call_until = greatest(call_until, clock_timestamp() + $6::float8 * interval '1 millisecond')
      where scope = $1::text and key = $2::text and state::text = $5::text and epoch = $3::integer
      returning 1
    ), attempted as (
      update safepoint.step set epoch = $3::integer,
        state = case when $5::text = 'running' then 'begun' else state end,
        attempts = attempts + ($5::text = 'running')::integer,
        undo_attempts = undo_attempts + ($5::text = 'undoing')::integer,
        attempted_at = case when $5::text = 'running' then clock_timestamp() else attempted_at end
      where scope = $1::text and key = $2::text and position = $4::integer and exists (select 1 from fenced)
      returning attempts, undo_attempts
    )
    select coalesce((select case when $5::text = 'running' then attempts else undo_attempts end from attempted), safepoint.lost()::integer) as attempt`,
  values: [scope, key, epoch, position, state, timeout],
})

/** One row for each call of a step. */
export const stepConstraint = 'step_scope_key_name_call_key'
