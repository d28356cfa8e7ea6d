import type { Statement } from '../database.ts'
import { operationColumns } from './operation-row.ts'

export interface CancelRequest {
  readonly scope: string
  readonly key: string
  /** For the tombstone, where there is no row. */
  readonly id: string
  readonly eventId: string
  readonly actor: string | undefined
  readonly reason: string | undefined
  readonly requestKey: string | undefined
  readonly payload: string | undefined
}

/**
 * The other side of the gate, and its event, in one statement. Without a row it writes a tombstone, which the gate then
 * meets; against an uncommitted gate the unique index makes it wait and then see how that ended. A running operation goes
 * to `cancelled` when nothing it has begun needs an undo, else to `undoing`: by columns of this row alone.
 */
export const cancelOperation = (request: CancelRequest): Statement => ({
  name: 'sp_cancel_operation',
  text: `with cancelled as (
      insert into safepoint.operation as o (scope, key, id, state, actor, reason, cancels, ended_at)
      values ($1::text, $2::text, $3::uuid, 'cancelled', $4::text, $5::text, 1, clock_timestamp())
      on conflict (scope, key) do update set
        cancels = o.cancels + 1,
        state = case when o.state <> 'running' or o.uncancellable then o.state when o.to_undo = 0 then 'cancelled' else 'undoing' end,
        target = case when o.state <> 'running' or o.uncancellable or o.to_undo = 0 then o.target else 'cancelled' end,
        reason = case when o.state <> 'running' or o.uncancellable then o.reason else coalesce(excluded.reason, 'cancelled') end,
        ended_at = case when o.state = 'running' and o.uncancellable is not true and o.to_undo = 0 then clock_timestamp() else o.ended_at end,
        cleanup = case when o.state = 'running' and o.uncancellable is not true and o.to_undo = 0 and o.to_sweep > 0 then 'pending' else o.cleanup end,
        undo_deadline_at = case when o.state = 'running' then clock_timestamp() + o.undo_for * interval '1 millisecond' else o.undo_deadline_at end
      returning *
    ), event as (
      insert into safepoint.cancel_event
        (id, scope, key, operation_id, operation_name, request_key, actor, reason, outcome, state, noop, counts, payload)
      select $6::uuid, scope, key, id, name, $7::text, $4::text, $5::text,
        case when state in ('succeeded', 'failed') then 'too_late' when state = 'running' then 'not_cancellable' else state::text end,
        state, cancels > 1 or state in ('running', 'succeeded', 'failed'),
        json_build_object('begun', begun, 'toUndo', to_undo, 'cancels', cancels)::text, $8::text
      from cancelled
    )
    select ${operationColumns} from cancelled`,
  values: [
    request.scope,
    request.key,
    request.id,
    request.actor,
    request.reason,
    request.eventId,
    request.requestKey,
    request.payload,
  ],
})

/** The event that a cancel under the same idempotency key has left. */
export const findCancelEvent = (scope: string, requestKey: string): Statement => ({
  name: 'sp_find_cancel_event',
  text: 'select id, key from safepoint.cancel_event where scope = $1::text and request_key = $2::text',
  values: [scope, requestKey],
})

export const cancelEventConstraint = 'cancel_event_request'
