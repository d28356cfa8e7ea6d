import { defineOperation, type AtomicContext, type Isolation, type SqlTransaction } from '../../src/index.ts'
import { sleep } from '../../src/run.ts'
import { anything } from './anything.ts'

/** One part of a transaction's time: PostgreSQL's, or the handler's own. */
export interface Part {
  readonly of: 'statement' | 'handler'
  readonly milliseconds: number
}

export interface RaceInput {
  readonly id: string
  readonly parts: readonly Part[]
  /** Whether the handler listens to its signal at all. */
  readonly obeys: boolean
  /** A foreign key, checked at COMMIT, that is not there. */
  readonly failsAtCommit: boolean
  /** Refuses at its end: rolled back, and stored as `failed`. */
  readonly declines: boolean
  /** A row that others write too, right before the gate. */
  readonly ledgerSlot: number | undefined
}

/** What one run of a handler came to; how the race knows afterwards what it has met. */
export interface Trace {
  readonly operationId: string
  readonly attempt: number
  readonly startedAt: number
  signalledAt?: number
  returnedAt?: number
}

export const now = (): number => Number(process.hrtime.bigint()) / 1e6

export const raceTables = `
  create table race_parent (id text primary key);
  insert into race_parent values ('there');
  create table race_effect (id text not null, operation_id uuid not null,
    parent text references race_parent deferrable initially deferred);
  create index race_effect_id on race_effect (id);
  create table race_ledger (slot integer primary key, n integer not null default 0);
  insert into race_ledger (slot) select generate_series(0, 31)`

/** Operations of some 150 ms, one an isolation level. `returning` is called when a handler has done all its statements. */
export function raceOperations(traces: Map<string, Trace[]>, returning: (key: string) => void) {
  const handler = async (ctx: AtomicContext<SqlTransaction>, input: RaceInput) => {
    const trace: Trace = { operationId: ctx.operationId, attempt: ctx.attempt, startedAt: now() }
    const name = `${input.id}`
    traces.set(name, [...(traces.get(name) ?? []), trace])
    ctx.signal.addEventListener('abort', () => (trace.signalledAt ??= now()), { once: true })
    await ctx.tx.query('insert into race_effect (id, operation_id, parent) values ($1::text, $2::uuid, $3::text)', [
      input.id,
      ctx.operationId,
      input.failsAtCommit ? 'not there' : 'there',
    ])
    for (const part of input.parts) {
      if (part.of === 'statement') await ctx.tx.query('select pg_sleep($1::float8)', [part.milliseconds / 1000])
      else await sleep(part.milliseconds, input.obeys ? ctx.signal : undefined)
      if (input.obeys) ctx.safepoint()
    }
    if (input.ledgerSlot !== undefined)
      await ctx.tx.query('update race_ledger set n = n + 1 where slot = $1::integer', [input.ledgerSlot])
    returning(ctx.key)
    trace.returnedAt = now()
    if (input.declines) return ctx.fail('card_declined', 'The card was declined.')
    ctx.respond({ status: 201, headers: { Location: `/things/${input.id}` } })
    return { id: input.id, operationId: ctx.operationId, attempt: ctx.attempt }
  }
  const at = (isolation: Isolation) =>
    defineOperation({
      name: `race.${isolation.replaceAll(' ', '-')}`,
      input: anything,
      keep: 'a race looks at what stays',
      isolation,
      run: handler,
    })
  return { 'read committed': at('read committed'), 'repeatable read': at('repeatable read'), serializable: at('serializable') }
}
