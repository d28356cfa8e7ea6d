import type { Statement } from '../database.ts'

export interface Start {
  readonly scope: string
  readonly key: string
  readonly id: string
  readonly name: string
  readonly fingerprint: Uint8Array
  readonly actor: string | undefined
  readonly holder: string
  /** Milliseconds. */
  readonly lease: number
  readonly deadline: number
  readonly undoFor: number
  readonly input: string
  readonly uncancellable: boolean
}

/** A durable operation's row is written before anything is done; a key that is taken makes it an error. */
export const startOperation = (start: Start): Statement => ({
  name: 'sp_start_operation',
  text: `with started as (
      insert into safepoint.operation (scope, key, id, name, fingerprint, state, actor, epoch, holder, lease_until, started_at,
        deadline_at, undo_for, input, begun, to_undo, to_sweep, moves, uncancellable)
      values ($1::text, $2::text, $3::uuid, $4::text, $5::bytea, 'running', $6::text, 1, $7::text,
        clock_timestamp() + $8::float8 * interval '1 millisecond', clock_timestamp(),
        clock_timestamp() + $9::float8 * interval '1 millisecond', $10::float8, $11::text, 0, 0, 0, 1, $12::boolean)
      returning *
    ), opened as (
      insert into safepoint.open_operation (scope, key) select scope, key from started
    )
    insert into safepoint.audit (scope, key, seq, id, to_state, epoch, holder, actor)
    select scope, key, moves, id, state, epoch, holder, actor from started`,
  values: [
    start.scope,
    start.key,
    start.id,
    start.name,
    start.fingerprint,
    start.actor,
    start.holder,
    start.lease,
    start.deadline,
    start.undoFor,
    start.input,
    start.uncancellable,
  ],
})
