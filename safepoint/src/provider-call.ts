import { engineError } from './errors.ts'
import type { Hold } from './engine.ts'
import type { CallContext } from './operation.ts'

/** The provider's idempotency key of a step: the same on every attempt, by whichever process. Letters, digits and hyphens. */
export const stepKey = (operationId: string, name: string, call: number): string => `${operationId}-${name}-${call}`

/** Settles when the call does: a call that ignores its signal is waited for, since it may still take effect. */
export async function attemptCall(
  timeout: number,
  stopSignal: AbortSignal | undefined,
  call: (signal: AbortSignal) => Promise<unknown>,
): Promise<{ value: unknown } | { error: unknown }> {
  const controller = new AbortController()
  const onStop = () => controller.abort(stopSignal?.reason)
  if (stopSignal?.aborted) onStop()
  else stopSignal?.addEventListener('abort', onStop, { once: true })
  const timer = setTimeout(
    () => controller.abort(engineError('timeout', `The call took longer than ${timeout} ms.`)),
    timeout,
  )
  try {
    return { value: await call(controller.signal) }
  } catch (error) {
    return { error }
  } finally {
    clearTimeout(timer)
    stopSignal?.removeEventListener('abort', onStop)
  }
}

/** The value, or the signal's reason as soon as it fires. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return Promise.race([
    promise,
    new Promise<never>((_, reject) => {
      if (signal.aborted) reject(signal.reason)
      else signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    }),
  ])
}

export function contextOf(hold: Hold, key: string, signal: AbortSignal, attempt: number): CallContext {
  return { key, signal, attempt, scope: hold.scope, operationId: hold.id }
}

export const lostLease = () => engineError('interrupted', 'The lease of this operation has ended here.')

export function stringify(value: unknown): string | undefined {
  return value === undefined ? undefined : JSON.stringify(value)
}

export function parse(text: string | null): any {
  return text === null ? undefined : JSON.parse(text)
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
