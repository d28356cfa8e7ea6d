import type { State } from '../protocol.ts'

/** A row of safepoint.operation, as far as answers need it. */
export interface OperationRow {
  readonly scope: string
  readonly key: string
  readonly id: string
  readonly name: string | null
  readonly fingerprint: Uint8Array | null
  readonly state: State
  readonly actor: string | null
  readonly reason: string | null
  readonly head: string | null
  readonly body: Uint8Array | null
  readonly undo_input: string | null
  readonly undone_key: string | null
  readonly undone_at: Date | null
  readonly cancels: number
  readonly ended_at: Date | null
  readonly stripped_at: Date | null
  readonly epoch: number | null
  readonly begun: number | null
  readonly to_undo: number | null
  readonly to_sweep: number | null
  readonly begun_step: string | null
  readonly target: 'cancelled' | 'failed' | null
  readonly cleanup: 'pending' | 'done' | 'needs_attention' | null
  readonly progress: string | null
  readonly started_at: Date | null
  readonly uncancellable: boolean | null
  /** Acknowledged by the holder, or nobody can be acting any more. */
  readonly stopped: boolean
}

export const operationColumns = `scope, key, id, name, fingerprint, state, actor, reason, head, body, undo_input, undone_key, undone_at, cancels,
  ended_at, stripped_at, epoch, begun, to_undo, to_sweep, begun_step, target, cleanup, progress, started_at, uncancellable,
  (stopped_at is not null or clock_timestamp() > greatest(lease_until, call_until)) is not false as stopped`
