import type { Statement } from '../database.ts'

interface Held {
  readonly scope: string
  readonly key: string
  readonly epoch: number
}

/**
 * A handler that threw before its first step has left nothing: its row goes and the key is free. No row comes back when a step
 * has begun, or when somebody else has decided meanwhile.
 */
export const withdrawOperation = ({ scope, key, epoch }: Held): Statement => ({
  name: 'sp_withdraw_operation',
  text: `delete from safepoint.operation
    where scope = $1::text and key = $2::text and state = 'running' and epoch = $3::integer and begun = 0
    returning key`,
  values: [scope, key, epoch],
})

/** The gate of a durable operation, sent with the COMMIT of its last transaction. An error when it loses. */
export const succeedOperation = (
  { scope, key, epoch }: Held,
  outcome: { readonly head: string | undefined; readonly body: Uint8Array; readonly undoInput: string | undefined },
): Statement => ({
  name: 'sp_succeed_operation',
  text: `with settled as (
      update safepoint.operation set state = 'succeeded', head = $4::text, body = $5::bytea, undo_input = $6::text,
        ended_at = clock_timestamp(), input = null, progress = null, lease_until = null
      where scope = $1::text and key = $2::text and state = 'running' and epoch = $3::integer
      returning true as ok
    )
    select coalesce((select ok from settled), safepoint.lost())`,
  values: [scope, key, epoch, outcome.head, outcome.body, outcome.undoInput],
})

/** A refusal: `failed` when nothing is to be undone, else `undoing` with that target. An error when it loses. */
export const refuseOperation = ({ scope, key, epoch }: Held, body: Uint8Array, reason: string): Statement => ({
  name: 'sp_refuse_operation',
  text: `with refused as (
      update safepoint.operation set
        state = (case when to_undo = 0 then 'failed' else 'undoing' end)::safepoint.state,
        target = case when to_undo = 0 then target else 'failed' end,
        body = $4::bytea, reason = $5::text,
        ended_at = case when to_undo = 0 then clock_timestamp() end,
        lease_until = case when to_undo = 0 and to_sweep = 0 then null else lease_until end,
        cleanup = (case when to_undo = 0 and to_sweep > 0 then 'pending' end)::safepoint.cleanup,
        undo_deadline_at = clock_timestamp() + undo_for * interval '1 millisecond'
      where scope = $1::text and key = $2::text and state = 'running' and epoch = $3::integer
      returning state
    )
    select coalesce((select state::text from refused), safepoint.lost()::text) as state`,
  values: [scope, key, epoch, body, reason],
})

/** All of it is undone. An error when the operation is no longer this epoch's to end. */
export const finishUndo = ({ scope, key, epoch }: Held): Statement => ({
  name: 'sp_finish_undo',
  text: `with ended as (
      update safepoint.operation set state = target::text::safepoint.state, ended_at = clock_timestamp(), stopped_at = coalesce(stopped_at, clock_timestamp()),
        cleanup = (case when to_sweep > 0 then 'pending' end)::safepoint.cleanup,
        lease_until = case when to_sweep > 0 then lease_until end
      where scope = $1::text and key = $2::text and state = 'undoing' and epoch = $3::integer
      returning state
    )
    select coalesce((select state::text from ended), safepoint.lost()::text) as state`,
  values: [scope, key, epoch],
})

/** An undo failed for good. */
export const askHuman = ({ scope, key, epoch }: Held, step: string): Statement => ({
  name: 'sp_ask_human',
  text: `with asked as (
      update safepoint.operation set state = 'needs_attention', begun_step = $4::text, lease_until = null
      where scope = $1::text and key = $2::text and state = 'undoing' and epoch = $3::integer
      returning state
    )
    select coalesce((select state::text from asked), safepoint.lost()::text) as state`,
  values: [scope, key, epoch, step],
})

/** The holder's acknowledgement of a stop: its call is aborted or settled, and it begins none. */
export const acknowledgeStop = ({ scope, key, epoch }: Held): Statement => ({
  name: 'sp_acknowledge_stop',
  text: `update safepoint.operation set stopped_at = clock_timestamp()
    where scope = $1::text and key = $2::text and epoch = $3::integer and state <> 'running' and stopped_at is null`,
  values: [scope, key, epoch],
})

/** What swept the leftovers of a cancelled operation came to. */
export const finishCleanup = ({ scope, key, epoch }: Held, cleanup: 'done' | 'needs_attention'): Statement => ({
  name: 'sp_finish_cleanup',
  text: `update safepoint.operation set cleanup = $4::safepoint.cleanup, lease_until = null
    where scope = $1::text and key = $2::text and epoch = $3::integer and cleanup = 'pending'`,
  values: [scope, key, epoch, cleanup],
})

/** A disconnect under `cancel-until-first-step`: ends an operation that has begun nothing, and only that. */
export const cancelUnbegun = (scope: string, key: string, reason: string): Statement => ({
  name: 'sp_cancel_unbegun',
  text: `update safepoint.operation set state = 'cancelled', reason = $3::text, ended_at = clock_timestamp(), lease_until = null,
      cancels = cancels + 1
    where scope = $1::text and key = $2::text and state = 'running' and begun = 0
    returning key`,
  values: [scope, key, reason],
})

/** The undone operation learns of its undo in the transaction that undoes it. */
export const markUndone = (scope: string, key: string, undoKey: string): Statement => ({
  name: 'sp_mark_undone',
  text: `update safepoint.operation set undone_key = $3::text, undone_at = clock_timestamp()
    where scope = $1::text and key = $2::text and state = 'succeeded' and undone_at is null`,
  values: [scope, key, undoKey],
})
