import type { Problem } from '../protocol.ts'

interface Told {
  /** The key the server knows the operation by: find, cancel and undo take it. */
  readonly key: string
  /** HTTP status of the answer the verdict was read from; absent where there was none (followed, cancelled, unknown). */
  readonly status?: number
  /** Only ever `false`: the storage refused the request, so it was kept in memory and would not outlive a reload. */
  readonly persisted?: false
}

interface Succeeded<T> {
  /** The response body. `undefined` where the body was empty, or stripped by retention (`stripped`). */
  readonly result: T
  /**
   * Runs the declared undo. Absent where the server said that there is none. A plain answer does not say, so there it is
   * offered, and an operation without an undo answers it with `failed`, code `not_undoable`.
   */
  readonly undo?: () => Promise<Verdict<unknown>>
  /** Why it cannot be undone, in the words of the operation's definition. */
  readonly keep?: string
  /** It was undone before: by which operation, when. */
  readonly undone?: { readonly key: string; readonly at: string }
  /** Retention has cleared the stored response; that it succeeded is still certain. */
  readonly stripped?: true
}

/**
 * How a write ended, in the words of the engine. A write never throws for anything that happens on the way: what is not
 * known is told as `unknown`, and never as `failed`.
 *
 * - `succeeded`: exactly this result is committed. `replayed`: it had been, by an earlier attempt under the same key.
 * - `failed`: a definite refusal; nothing was done.
 * - `cancelled`: nothing was committed and nothing will be, or all of it was undone.
 * - `too_late`: the signal was aborted, but the operation had already ended.
 * - `undoing`: the cancel has won and what was done is being undone; `settled` resolves (never rejects) to the end of it.
 * - `needs_attention`: an undo failed for good; a human must look. The request stays in {@link Client.pending}.
 * - `unknown`: given up for now. The key stays persisted; `retry` goes on under the same key, or with the same cancel.
 */
export type Verdict<T = unknown> = Told &
  (
    | (Succeeded<T> & { readonly outcome: 'succeeded'; readonly replayed: boolean; readonly etag?: string })
    | { readonly outcome: 'failed'; readonly problem: Problem }
    | { readonly outcome: 'cancelled'; readonly interrupted?: boolean }
    | (Succeeded<T> & { readonly outcome: 'too_late'; readonly state: 'succeeded'; readonly etag?: string })
    | { readonly outcome: 'too_late'; readonly state: 'failed'; readonly problem: Problem }
    | { readonly outcome: 'undoing'; readonly settled: Promise<Verdict<T>> }
    | { readonly outcome: 'needs_attention' }
    | { readonly outcome: 'unknown'; readonly cause: unknown; readonly retry: () => Promise<Verdict<T>> }
  )

/** Nothing more will change: the request can be forgotten. */
export function isFinal(verdict: Verdict): boolean {
  return ['succeeded', 'failed', 'cancelled', 'too_late'].includes(verdict.outcome)
}
