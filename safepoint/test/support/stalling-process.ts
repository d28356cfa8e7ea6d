import pg from 'pg'
import { createSafepoint, defineOperation, outsideStep, type CallContext, type Database } from '../../src/index.ts'
import { pgDatabase } from '../../src/databases/pg.ts'
import { anything } from './engine.ts'

/**
 * A server process whose event loop can stand still at the worst moment: the fence of the charge has been committed, and its
 * answer is about to be read. Run with `node --conditions=source stalling-process.ts <JSON of StallingOptions>`; it tells what
 * happens in `StallingReport`s over IPC.
 */
export interface StallingOptions {
  readonly url: string
  readonly charge: string
  readonly key: string
  readonly lease: number
  readonly stall: number
}

export type StallingReport = { readonly stalled: true } | { readonly outcome: string; readonly calls: number }

/** The operation, in the stalling process and in the one that takes over. */
export function chargeOperation(call: (request: { amount: number }, context: CallContext) => Promise<{ at: string }>) {
  return defineOperation({
    name: 'card.charge',
    input: anything,
    keep: 'a test',
    steps: {
      charge: outsideStep<{ amount: number }, { at: string }>({
        timeout: 300,
        call,
        settle: { find: async () => undefined },
        undo: async () => undefined,
      }),
    },
    run: async (ctx, input: { amount: number }) => ctx.steps.charge(input),
  })
}

async function main({ url, charge, key, lease, stall }: StallingOptions): Promise<void> {
  let calls = 0
  const operation = chargeOperation(async (_request, { signal }) => {
    calls++
    const answer = await fetch(charge, { method: 'POST', signal, headers: { from: 'the stalled process' } })
    return (await answer.json()) as { at: string }
  })
  const database = pgDatabase({ driver: pg, url, max: 4 })
  const stalling: Database = {
    ...database,
    async query(statement, options) {
      const result = await database.query<any>(statement, options)
      if (stall > 0 && statement.name === 'sp_begin_step') {
        await new Promise<void>((resolve) => process.send!({ stalled: true } satisfies StallingReport, () => resolve()))
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, stall)
      }
      return result
    },
  }
  const safepoint = createSafepoint({ database: stalling, operations: [operation], poll: 50, lease, recover: false })
  await safepoint.start()
  const outcome = await safepoint
    .run(operation, { amount: 5 }, { scope: 'a', key, wait: 10_000 })
    .then(({ outcome }) => outcome)
    .catch((error: { code?: string; message: string }) => error.code ?? error.message)
  await new Promise<void>((resolve) => process.send!({ outcome, calls } satisfies StallingReport, () => resolve()))
  await safepoint.stop({ grace: 0 })
  await database.close()
  process.disconnect()
}

if (process.argv[1] === import.meta.filename) await main(JSON.parse(process.argv[2]!) as StallingOptions)
