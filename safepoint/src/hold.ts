import type { Engine } from './engine.ts'
import type { DurableOperation } from './operation.ts'
import type { StepRow } from './sql/find-steps.ts'
import { acknowledgeStop } from './sql/end-operation.ts'
import { topics } from './engine.ts'
import { engineError } from './errors.ts'

/**
 * A durable operation that this process may act for: it has the lease of one epoch. Modes: *going* (forward calls may
 * start), *stopping* (a cancel, a deadline or a shutdown was noticed: none starts any more), *lost* (the lease or the epoch
 * is somebody else's: nothing at all).
 */
export interface Hold {
  readonly engine: Engine
  readonly operation: DurableOperation<any, any, any, any>
  readonly scope: string
  readonly key: string
  readonly id: string
  readonly epoch: number
  readonly actor: string | undefined
  readonly fingerprint: Uint8Array
  readonly input: unknown
  readonly ifMatch: number | undefined
  /** The key whose undo this operation is. */
  readonly undoes: string | undefined
  /** Fires once, when the forward run is to stop; its reason is the error the handler sees. */
  readonly controller: AbortController
  /** Steps recorded before this epoch began. */
  recorded: StepRow[]
  /** `performance.now()` until which the lease is surely ours: counted from when its renewal was sent (I11). */
  leaseUntil: number
  /** Forward calls to the outside that have started and not settled. */
  readonly calls: Set<Promise<unknown>>
  acknowledged: boolean
  /** Ended or given away: nothing of it may be written any more. */
  over: boolean
}

/** Whether the operation is surely still ours to act for. */
export function hasLease(hold: Hold): boolean {
  return !hold.over && performance.now() < hold.leaseUntil
}

/** Whether a forward call may start now. Checked in the same tick in which it starts. */
export function mayCall(hold: Hold): boolean {
  return !hold.controller.signal.aborted && hasLease(hold)
}

/** From here on no forward call starts; the ones under way are told to abort, and their end is acknowledged. */
export function stop(hold: Hold, reason: string): void {
  if (!hold.controller.signal.aborted) {
    hold.controller.abort(
      engineError(reason === 'cancelled' ? 'cancelled' : 'interrupted', `The operation is to stop: ${reason}.`),
    )
  }
  void acknowledge(hold)
}

/** Tells cancellers, once no call is under way, that nothing forward starts any more. Sent again to each that asks. */
export async function acknowledge(hold: Hold): Promise<void> {
  while (hold.calls.size > 0) await Promise.allSettled([...hold.calls])
  hold.engine.bus.publish(topics.stopped, JSON.stringify([hold.scope, hold.key]))
  if (hold.acknowledged) return
  hold.acknowledged = true
  await hold.engine.database.query(acknowledgeStop(hold)).catch(() => undefined)
}

export function changed(hold: Hold): void {
  hold.engine.bus.publish(topics.changed(hold.scope, hold.key))
}

const endings = new WeakMap<Hold, { promise: Promise<void>; end: () => void }>()

/** Resolves when this process has let go of the operation. */
export function untilOver(hold: Hold): Promise<void> {
  if (hold.over && !endings.has(hold)) return Promise.resolve()
  let ending = endings.get(hold)
  if (!ending) {
    let end = () => {}
    const promise = new Promise<void>((resolve) => (end = resolve))
    endings.set(hold, (ending = { promise, end }))
  }
  return ending.promise
}

/** Lets go of the operation here, for whatever reason. */
export function letGo(hold: Hold): void {
  hold.over = true
  endings.get(hold)?.end()
}
