import type { Problem } from '../protocol.ts'

/**
 * Thrown by reads (`get`, `find`, `watch`) and by `cancel` when the server refused: `problem` is its RFC 9457 document,
 * `status` the HTTP status. An answer that is not a problem document (a proxy's page) has the code `http_<status>`.
 */
export class ProblemError extends Error {
  override readonly name = 'ProblemError'
  readonly problem: Problem
  readonly status: number

  constructor(problem: Problem, status: number) {
    super(problem.detail ?? problem.title)
    this.problem = problem
    this.status = status
  }
}

/** Compared by name, so that an error of another copy of the package is recognised too. */
export function isProblemError(error: unknown): error is ProblemError {
  return error instanceof Error && error.name === 'ProblemError' && 'problem' in error
}
