import { retryableCodes, type ErrorCode } from './protocol.ts'

export interface SafepointErrorOptions {
  readonly cause?: unknown
  readonly retryable?: boolean
  readonly retryAfterMs?: number
  readonly currentVersion?: number
  readonly attempts?: number
  /** Extension members of the problem document. Public: whoever made the request reads them. */
  readonly details?: Readonly<Record<string, unknown>>
  /**
   * Of a throw by a step's `call`: whether the outside world may have changed. `none` with `retryable` is a promise that this
   * attempt did nothing; `none` without it, that nothing has happened under the call's key, by this attempt or an earlier one.
   * Without `none` the outcome counts as unknown and is settled as the step declares.
   */
  readonly effect?: 'none' | 'unknown'
}

/**
 * The one error class. `code` is contract (the engine's in `protocol.ts`, an operation's own in its definition);
 * messages are not. HTTP numbers are the HTTP adapter's business.
 */
export class SafepointError<Code extends string = string> extends Error {
  override readonly name = 'SafepointError'
  readonly code: Code
  readonly retryable: boolean
  readonly retryAfterMs: number | undefined
  readonly currentVersion: number | undefined
  readonly attempts: number | undefined
  readonly details: Readonly<Record<string, unknown>>
  readonly effect: 'none' | 'unknown' | undefined

  constructor(code: Code, message: string, options: SafepointErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryable = options.retryable ?? retryableCodes.has(code)
    this.retryAfterMs = options.retryAfterMs
    this.currentVersion = options.currentVersion
    this.attempts = options.attempts
    this.details = options.details ?? {}
    this.effect = options.effect
  }
}

/** A {@link SafepointError} whose code is one of the engine's own, so that a misspelt one does not compile. */
export function engineError(
  code: ErrorCode,
  message: string,
  options?: SafepointErrorOptions,
): SafepointError<ErrorCode> {
  return new SafepointError(code, message, options)
}

/** Compared by name, so that an error of another copy of the package is recognised too. */
export function isSafepointError(error: unknown): error is SafepointError {
  return error instanceof Error && error.name === 'SafepointError' && 'code' in error
}

/**
 * Thrown by a handler that lost an optimistic race (a conditional update that met zero rows). The engine runs the whole
 * transaction again, bounded and with full jitter, unless `retryable: false` says that only the client can resolve it.
 */
export function conflict(message: string, options: SafepointErrorOptions = {}): SafepointError<'conflict'> {
  return new SafepointError('conflict', message, { retryable: true, ...options })
}
