import { undoOffer } from './answer.ts'
import type { Engine } from './engine.ts'
import { checkKey, nameOf } from './keys.ts'
import { topics } from './topics.ts'
import type { OperationView } from './protocol.ts'
import { findRow } from './read-row.ts'
import { findSteps, type StepRow } from './sql/find-steps.ts'
import type { OperationRow } from './sql/operation-row.ts'

export async function findView(engine: Engine, scope: string, key: string): Promise<OperationView> {
  checkKey(key)
  const row = await findRow(engine, scope, key)
  if (!row) return engine.flights.has(nameOf(scope, key)) ? { state: 'none', inFlight: true } : { state: 'none' }
  const { rows: steps } =
    row.epoch === null ? { rows: [] } : await engine.database.query<StepRow>(findSteps(scope, key))
  return viewOf(engine, row, steps)
}

function viewOf(engine: Engine, row: OperationRow, steps: readonly StepRow[]): OperationView {
  const operation = row.name === null ? undefined : engine.operations.get(row.name)
  const body = row.body && row.body.length > 0 ? (JSON.parse(Buffer.from(row.body).toString()) as any) : undefined
  return {
    state: row.state,
    key: row.key,
    id: row.id,
    ...(row.name !== null && { name: row.name }),
    ...(row.state === 'succeeded' && body !== undefined && { result: body }),
    ...(row.state !== 'succeeded' && body !== undefined && { error: body }),
    ...(row.state === 'succeeded' && { undo: row.undone_key ? { available: false } : undoOffer(operation) }),
    ...(row.undone_key && row.undone_at && { undone: { key: row.undone_key, at: row.undone_at.toISOString() } }),
    ...(row.reason !== null && { reason: row.reason }),
    ...(row.state === 'undoing' && row.target && { target: row.target }),
    ...(row.progress !== null && { progress: JSON.parse(row.progress) }),
    ...(steps.length > 0 && { steps: steps.map(({ name, state }) => ({ step: name, state })) }),
    ...(row.cleanup && { cleanup: row.cleanup }),
    ...(row.started_at && { startedAt: row.started_at.toISOString() }),
    ...(row.ended_at && { endedAt: row.ended_at.toISOString() }),
    ...(row.stripped_at && { stripped: true as const }),
  }
}

const isOver = (view: OperationView) =>
  view.state === 'succeeded' || view.state === 'failed' || view.state === 'cancelled'

/** The view now and after each change. Woken by signals, with the poll behind them (I12). */
export async function* watchView(
  engine: Engine,
  scope: string,
  key: string,
  signal?: AbortSignal,
): AsyncGenerator<OperationView, void> {
  let last = ''
  for await (const view of wakes(engine, scope, key, signal)) {
    const text = JSON.stringify(view)
    if (text !== last) yield view
    last = text
    if (isOver(view)) return
  }
}

/** Waits until the operation is terminal or needs a human, was withdrawn without a trace, or until the signal fires. */
export async function untilEnded(engine: Engine, scope: string, key: string, signal?: AbortSignal): Promise<void> {
  for await (const view of wakes(engine, scope, key, signal))
    if (isOver(view) || view.state === 'needs_attention' || view.state === 'none') return
}

async function* wakes(
  engine: Engine,
  scope: string,
  key: string,
  signal?: AbortSignal,
): AsyncGenerator<OperationView, void> {
  let woken = true
  let wake = () => {}
  const rouse = () => {
    woken = true
    wake()
  }
  const forget = [engine.bus.subscribe(topics.changed(scope, key), rouse), engine.bus.onGap(rouse)]
  signal?.addEventListener('abort', rouse, { once: true })
  try {
    while (!signal?.aborted) {
      woken = false
      yield await findView(engine, scope, key)
      if (woken || signal?.aborted) continue
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, engine.poll)
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  } finally {
    for (const one of forget) one()
    signal?.removeEventListener('abort', rouse)
  }
}
