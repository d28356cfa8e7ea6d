import type { Hold } from './engine.ts'
import { engineError } from './errors.ts'
import { acknowledgeStop } from './sql/end-operation.ts'
import { topics } from './topics.ts'

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
