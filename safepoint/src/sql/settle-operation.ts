import type { Statement } from '../database.ts'

/** Whose outcome it is. */
export interface Settled {
  readonly scope: string
  readonly key: string
  readonly id: string
  readonly actor: string | undefined
  readonly fingerprint: Uint8Array
}

/**
 * The gate of an atomic operation: the last statement before COMMIT. A plain insert, never `on conflict do nothing`: when
 * it loses it is an error, and the COMMIT sent behind it commits nothing.
 */
export const settleOperation = (
  of: Settled,
  name: string,
  outcome: { readonly state: 'succeeded' | 'failed'; readonly head: string | undefined; readonly body: Uint8Array },
  undoInput: string | undefined,
): Statement => ({
  name: 'sp_settle_operation',
  silent: true,
  text: `insert into safepoint.operation (scope, key, id, name, fingerprint, state, actor, head, body, undo_input, ended_at)
    values ($1::text, $2::text, $3::uuid, $4::text, $5::bytea, $6::safepoint.state, $7::text, $8::text, $9::bytea, $10::text, clock_timestamp())`,
  values: [
    of.scope,
    of.key,
    of.id,
    name,
    of.fingerprint,
    outcome.state,
    of.actor,
    outcome.head,
    outcome.body,
    undoInput,
  ],
})

/** The unique index that decides. */
export const gateConstraint = 'operation_pkey'
