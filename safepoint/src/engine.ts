import type { Answer } from './answer.ts'
import type { Database } from './database.ts'
import { engineError } from './errors.ts'
import type { AnyOperation } from './operation.ts'
import type { Hold } from './hold.ts'
import { maxKeyBytes, type CancelAnswer } from './protocol.ts'
import type { CancelOptions, Log, RunOptions, TransactionRetry } from './options.ts'
import type { Run } from './run.ts'
import type { StopSource } from './stop-source.ts'
import type { SignalBus } from './signals/signal-bus.ts'
import type { SchemaIssue, SchemaResult, StandardSchema } from './standard-schema.ts'

/** One run of a key in this process; duplicates attach to it. */
export interface Flight {
  readonly operation: AnyOperation
  readonly run: Run
  readonly stop: StopSource
  /** `performance.now()` at its start. */
  readonly startedAt: number
  promise: Promise<Answer<any>>
  /** Callers that still wait. */
  attached: number
  /** `performance.now()` when the last of them gives up. */
  deadlineAt: number
}

/** What the parts of one engine share. */
export interface Engine<Tx = any> {
  readonly database: Database<Tx>
  readonly operations: ReadonlyMap<string, AnyOperation<Tx>>
  readonly bus: SignalBus
  readonly log: Log
  /** Names this process in leases. */
  readonly holder: string
  readonly lease: number
  readonly poll: number
  readonly stopWait: number
  readonly retention: number
  /** Runs of an atomic operation's transaction in all. */
  readonly attempts: number
  readonly onRetry: ((retry: TransactionRetry) => void) | undefined
  /** Runs in this process, by scope and key. */
  readonly flights: Map<string, Flight>
  /** The poll runs. */
  watched: boolean
  /** Fires when it is being stopped, and gives back what it holds. */
  readonly closing: AbortSignal
  /** Durable operations this process has the lease of. */
  readonly holds: Map<string, Hold>
  run(operation: AnyOperation<Tx>, input: unknown, options: RunOptions): Promise<Answer<any>>
  cancel(scope: string, key: string, options?: CancelOptions): Promise<CancelAnswer>
  undo(scope: string, key: string, options?: { readonly actor?: string | undefined }): Promise<Answer>
  /** Waits for a terminal state, or for the signal. */
  untilEnded(scope: string, key: string, signal?: AbortSignal): Promise<void>
}

/** One word for scope and key; no two pairs share it. */
export const nameOf = (scope: string, key: string): string => `${scope.length}:${scope}:${key}`

/** Topics of the bus. */
export const topics = {
  /** Data: `[scope, key]`. A cancel has been committed. */
  cancel: 'sp:cancel',
  /** Data: `[scope, key]`. The holder's call is aborted or settled and it begins none. */
  stopped: 'sp:stopped',
  /** An operation's row or progress has changed. */
  changed: (scope: string, key: string) => `sp:op:${nameOf(scope, key)}`,
} as const

/** Keys that the engine derives begin with this; a client's key may not. */
export const derivedPrefix = '~'

/** Throws `key_invalid` unless a key is 1 to 255 bytes of UTF-8 without control characters. */
export function checkKey(key: string): void {
  if (key === '' || Buffer.byteLength(key) > maxKeyBytes || /[\u0000-\u001f\u007f]/.test(key) || !key.isWellFormed()) {
    throw engineError(
      'key_invalid',
      `An idempotency key has 1 to ${maxKeyBytes} bytes of UTF-8 and no control characters.`,
    )
  }
}

export function checkClientKey(key: string): void {
  checkKey(key)
  if (key.startsWith(derivedPrefix)) {
    throw engineError('key_invalid', `Keys that begin with "${derivedPrefix}" are derived by the server.`)
  }
}

/** PostgreSQL's text has no NUL; what a human decides must not fail for how it was explained. */
export const storable = (text: string): string => text.replaceAll('\0', '\uFFFD')

/** Throws `input_invalid`, one entry a field. */
export function parseInput<Output>(schema: StandardSchema<any, Output>, input: unknown): Output | Promise<Output> {
  const result = schema['~standard'].validate(input)
  return result instanceof Promise ? result.then(valueOf) : valueOf(result)
}

function valueOf<Output>(result: SchemaResult<Output>): Output {
  if (!result.issues) return result.value
  throw engineError('input_invalid', 'The input is not valid.', { details: { errors: result.issues.map(issueOf) } })
}

/** What is made of an input by writing it as JSON. Throws `input_invalid` where that is not possible, as of a cycle. */
export function inJson<T>(write: () => T): T {
  try {
    return write()
  } catch (cause) {
    throw engineError('input_invalid', 'The input cannot be said in JSON.', { cause })
  }
}

function issueOf(issue: SchemaIssue): { path: string; message: string } {
  const path = (issue.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part)).join('.')
  return { path, message: issue.message }
}
