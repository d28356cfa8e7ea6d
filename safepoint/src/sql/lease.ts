import type { Statement } from '../database.ts'
import { operationColumns, type OperationRow } from './operation-row.ts'

/**
 * Extends the leases this process holds. A row that does not come back is no longer its own, or is being written just now: one
 * that stays locked (a COMMIT that waits for a standby) must not cost all the others their lease, and is asked for next time.
 */
export const renewLeases = (
  held: ReadonlyArray<{ scope: string; key: string; epoch: number }>,
  lease: number,
): Statement => ({
  name: 'sp_renew_leases',
  text: `with held as materialized (
      select o.scope, o.key
      from unnest($1::text[], $2::text[], $3::integer[]) as asked (scope, key, epoch)
      join safepoint.operation o on o.scope = asked.scope and o.key = asked.key and o.epoch = asked.epoch
      where o.state in ('running', 'undoing') or o.cleanup = 'pending'
      for update of o skip locked
    )
    update safepoint.operation set lease_until = clock_timestamp() + $4::float8 * interval '1 millisecond'
    where (scope, key) in (select scope, key from held)
    returning scope, key`,
  values: [held.map(({ scope }) => scope), held.map(({ key }) => key), held.map(({ epoch }) => epoch), lease],
})

/** The poll behind the signals (I12): where the keys that run here stand. */
export const findStates = (names: ReadonlyArray<{ scope: string; key: string }>): Statement => ({
  name: 'sp_find_states',
  text: `select o.scope, o.key, o.state, o.epoch
    from unnest($1::text[], $2::text[]) as asked (scope, key)
    join safepoint.operation o on o.scope = asked.scope and o.key = asked.key`,
  values: [names.map(({ scope }) => scope), names.map(({ key }) => key)],
})

export type ClaimedRow = OperationRow & { readonly input: string | null }

/**
 * Takes over operations whose lease has ended, by the database's clock, raising the epoch. Only of names this process
 * knows; `skip locked`, so that two workers never wait for each other.
 */
export const claimExpired = (holder: string, lease: number, names: readonly string[], limit: number): Statement => ({
  name: 'sp_claim_expired',
  text: `with due as materialized (
      select o.scope, o.key
      from safepoint.open_operation join safepoint.operation o using (scope, key)
      where (o.state in ('running', 'undoing') or o.cleanup = 'pending') and o.lease_until < clock_timestamp()
        and o.name = any ($3::text[])
      order by o.lease_until limit $4::integer
      for update of o skip locked
    )
    update safepoint.operation set epoch = epoch + 1, holder = $1::text,
      lease_until = clock_timestamp() + $2::float8 * interval '1 millisecond'
    where (scope, key) in (select scope, key from due)
    returning ${operationColumns}, input`,
  values: [holder, lease, names, limit],
})

/** Gives a lease back, so that another process need not wait for its end. */
export const releaseLease = (scope: string, key: string, epoch: number): Statement => ({
  name: 'sp_release_lease',
  text: `update safepoint.operation set lease_until = clock_timestamp()
    where scope = $1::text and key = $2::text and epoch = $3::integer
      and (state in ('running', 'undoing') or cleanup = 'pending')`,
  values: [scope, key, epoch],
})

/** Deadlines (I6): a running operation past its own is cancelled or undone; one that cannot be undone in time is a human's. */
export const enforceDeadlines: Statement = {
  name: 'sp_enforce_deadlines',
  text: `with due as materialized (
      select o.scope, o.key
      from safepoint.open_operation join safepoint.operation o using (scope, key)
      where o.state in ('running', 'undoing')
        and case o.state when 'running' then o.deadline_at else o.undo_deadline_at end < clock_timestamp()
      for update of o skip locked
    )
    update safepoint.operation set
      state = (case when state = 'undoing' then 'needs_attention' when to_undo = 0 then 'cancelled' else 'undoing' end)::safepoint.state,
      target = case when state = 'running' and to_undo > 0 then 'cancelled' else target end,
      reason = case when state = 'running' then 'deadline' else reason end,
      cancels = cancels + (state = 'running')::integer,
      cleanup = case when state = 'running' and to_undo = 0 and to_sweep > 0 then 'pending' else cleanup end,
      ended_at = case when state = 'running' and to_undo = 0 then clock_timestamp() end,
      undo_deadline_at = case when state = 'running' then clock_timestamp() + undo_for * interval '1 millisecond' else undo_deadline_at end
    where (scope, key) in (select scope, key from due)
    returning scope, key, state, name, reason`,
}
