import type { Statement } from '../database.ts'

export interface Settlement {
  readonly scope: string
  readonly key: string
  readonly id: string
  readonly name: string
  readonly fingerprint: Uint8Array
  readonly state: 'succeeded' | 'failed'
  readonly actor: string | undefined
  readonly head: string | undefined
  readonly body: Uint8Array
  readonly undoInput: string | undefined
}

/**
 * The gate of an atomic operation: the last statement before COMMIT. A plain insert, never `on conflict do nothing`: when
 * it loses it is an error, and the COMMIT sent behind it becomes a ROLLBACK.
 */
export const settleOperation = (settlement: Settlement): Statement => ({
  name: 'sp_settle_operation',
  silent: true,
  text: `insert into safepoint.operation (scope, key, id, name, fingerprint, state, actor, head, body, undo_input, ended_at)
    values ($1::text, $2::text, $3::uuid, $4::text, $5::bytea, $6::safepoint.state, $7::text, $8::text, $9::bytea, $10::text, clock_timestamp())`,
  values: [
    settlement.scope,
    settlement.key,
    settlement.id,
    settlement.name,
    settlement.fingerprint,
    settlement.state,
    settlement.actor,
    settlement.head,
    settlement.body,
    settlement.undoInput,
  ],
})

/** The unique index that decides. */
export const gateConstraint = 'operation_pkey'
