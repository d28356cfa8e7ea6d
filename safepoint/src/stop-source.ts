import type { StopSignal } from './database.ts'

/**
 * What stops one run: an AbortController whose AbortSignal is made only when a handler asks for it. Most never do, and making one
 * for each operation, listening and leaving again, was a measurable part of what the engine costs.
 */
export class StopSource implements StopSignal {
  aborted = false
  reason: unknown
  #listener: (() => void) | undefined
  #controller: AbortController | undefined

  abort(reason: unknown): void {
    if (this.aborted) return
    this.aborted = true
    this.reason = reason
    this.#controller?.abort(reason)
    this.#listener?.()
  }

  throwIfAborted(): void {
    if (this.aborted) throw this.reason
  }

  /** For handlers, which pass it on to whatever takes an AbortSignal. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.aborted) this.#controller.abort(this.reason)
    }
    return this.#controller.signal
  }

  /** One at a time is enough: the transaction under way, or the pause before the next. */
  addEventListener(_type: 'abort', listener: () => void): void {
    this.#listener = listener
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    if (this.#listener === listener) this.#listener = undefined
  }
}
