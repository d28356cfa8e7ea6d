import type { Problem, Verdict } from 'safepoint/client'

/** A write did not succeed, or nobody can say yet: `problem` is absent then, and its request is kept and taken up again. */
export class NotDone extends Error {
  override readonly name = 'NotDone'
  readonly problem: Problem | undefined
  readonly verdict: Verdict

  constructor(verdict: Verdict) {
    const problem = 'problem' in verdict ? verdict.problem : undefined
    super(problem?.detail ?? problem?.title ?? verdict.outcome)
    this.problem = problem
    this.verdict = verdict
  }
}

/** What a write came to. Throws {@link NotDone} where that is anything but success. */
export function done<T>(verdict: Verdict<T>): T {
  if (verdict.outcome === 'succeeded') return verdict.result
  throw new NotDone(verdict)
}

/** Nobody has said what became of a write: its request is kept, and is sent again under its key until somebody does. */
export function isKept(error: unknown): boolean {
  return error instanceof NotDone && error.verdict.outcome === 'unknown'
}
