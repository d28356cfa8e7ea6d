import type { DisconnectPolicy } from './operation.ts'

/** Structured log lines; `pino` fits as it is. */
export interface Log {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** A transaction that is about to be run again, whole. */
export interface TransactionRetry {
  /** Name of the operation. */
  readonly operation: string
  readonly key: string
  /** The attempt that failed: 1 is the first. */
  readonly attempt: number
  /** Milliseconds until the next one. */
  readonly delay: number
  /** A SQLSTATE (40001, 40P01, or 23505 at the gate), or `conflict` for a lost optimistic race. */
  readonly cause: string
}

/** On whose behalf. */
export interface Caller {
  /** Whose key it is: tenant and account, never a login session. */
  readonly scope: string
  /** Who did it, for the audit. */
  readonly actor?: string | undefined
}

export interface RunOptions extends Caller {
  /** The idempotency key; without one the engine makes a UUIDv7, with which the operation can be found and cancelled. */
  readonly key?: string | undefined
  /** Fires when the caller has gone; what that means is the operation's disconnect policy. */
  readonly disconnect?: AbortSignal
  readonly onDisconnect?: DisconnectPolicy
  /** What the fingerprint is made of besides the operation's name, as received. Default: the input. */
  readonly fingerprintOf?: unknown
  /** The version the caller saw. */
  readonly ifMatch?: number
  /** `Retry-Attempt`: with n >= 1 the key is looked up before anything runs. */
  readonly retryAttempt?: number
  /** Overrides the operation's `wait`, in milliseconds. */
  readonly wait?: number
}

export interface CancelOptions {
  readonly actor?: string | undefined
  readonly reason?: string
  /** The cancel's own idempotency key: repeated under it, it is the same call and leaves one event. */
  readonly requestKey?: string
  /** The call's payload as it was sent, kept with the event. */
  readonly payload?: unknown
}
