import { AsyncLocalStorage } from 'node:async_hooks'
import {
  defineOperation,
  type AtomicContext,
  type Isolation,
  type SqlTransaction,
  type StandardSchema,
} from '../../src/index.ts'
import { sleep } from '../../src/retry.ts'

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
  /** Its row has a foreign key, checked at COMMIT, to what is not there. */
  readonly failsAtCommit: boolean
  /** Refuses at its end: rolled back, and stored as `failed`. */
  readonly declines: boolean
  /** A row that others write too, right before the gate. */
  readonly ledgerSlot: number | undefined
}

/** What one run of a handler came to: how a race knows afterwards what it has met. Times as in `now`. */
export interface Trace {
  readonly operationId: string
  readonly attempt: number
  readonly startedAt: number
  signalledAt?: number
  returnedAt?: number
}

/** Milliseconds of the host's monotonic clock, which all of its processes share. */
export const now = (): number => Number(process.hrtime.bigint()) / 1e6

/** The handlers that a call has started, wherever it is awaited. */
export const tracing = new AsyncLocalStorage<Trace[]>()

export const raceTables = `
  create table race_parent (id text primary key);
  insert into race_parent values ('there');
  create table race_effect (key text not null, operation_id uuid not null,
    parent text references race_parent deferrable initially deferred);
  create index race_effect_key on race_effect (key);
  create table race_ledger (slot integer primary key, n integer not null default 0);
  insert into race_ledger (slot) select generate_series(0, 1)`

const input: StandardSchema<RaceInput, RaceInput> = {
  '~standard': { version: 1, vendor: 'race', validate: (value) => ({ value: value as RaceInput }) },
}

/** One operation an isolation level; the input says how it behaves. `returning` is told when its statements are done. */
export function raceOperations(returning: (key: string) => void) {
  const run = async (ctx: AtomicContext<SqlTransaction>, input: RaceInput) => {
    const trace: Trace = { operationId: ctx.operationId, attempt: ctx.attempt, startedAt: now() }
    tracing.getStore()?.push(trace)
    // Who does not listen does not even look at it.
    if (input.obeys) ctx.signal.addEventListener('abort', () => (trace.signalledAt ??= now()), { once: true })
    await ctx.tx.query('insert into race_effect (key, operation_id, parent) values ($1::text, $2::uuid, $3::text)', [
      ctx.key,
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
    trace.returnedAt = now()
    returning(ctx.key)
    if (input.declines) return ctx.fail('card_declined', 'The card was declined.')
    ctx.respond({ status: 201, headers: { Location: `/things/${input.id}` } })
    return { id: input.id, operationId: ctx.operationId, attempt: ctx.attempt }
  }
  const at = (isolation: Isolation) =>
    defineOperation({
      name: `race.${isolation.replaceAll(' ', '-')}`,
      input,
      keep: 'what stays is what the race looks at',
      isolation,
      run,
    })
  return {
    'read committed': at('read committed'),
    'repeatable read': at('repeatable read'),
    serializable: at('serializable'),
  } satisfies Record<Isolation, unknown>
}
