/**
 * The wire contract: states, outcomes, header names, answers and the closed set of the engine's error codes.
 * Shared by the engine, the HTTP adapters and the browser; imports nothing.
 */

/** Where an operation stands (SPEC.md section 5). `succeeded`, `failed` and `cancelled` are absorbing. */
export type State = 'running' | 'undoing' | 'succeeded' | 'failed' | 'cancelled' | 'needs_attention'

export type Outcome = 'succeeded' | 'failed' | 'cancelled'

/** Every code the engine itself answers with; an operation declares its own besides (`errors` of its definition). */
export const errorCodes = [
  'key_required',
  'key_invalid',
  'key_reused',
  'key_expired',
  'in_progress',
  'not_cancellable',
  'not_undoable',
  'cancelled',
  'conflict',
  'precondition_failed',
  'input_invalid',
  'unavailable',
  'indeterminate',
  'timeout',
  'interrupted',
  'unknown_operation',
  'internal',
] as const

export type ErrorCode = (typeof errorCodes)[number]

/** Codes for which the same request under the same key may be sent again. */
export const retryableCodes: ReadonlySet<string> = new Set<ErrorCode>([
  'in_progress',
  'unavailable',
  'indeterminate',
  'timeout',
  'interrupted',
])

export const headers = {
  /** Chosen by the client; quoted (RFC 8941 string, as the IETF draft has it) or bare, 1 to 255 bytes of UTF-8. */
  idempotencyKey: 'Idempotency-Key',
  /** `n >= 1`: this is the n-th retry; the server looks the key up before it runs anything. */
  retryAttempt: 'Retry-Attempt',
  /** The key under which the operation can be found, cancelled and undone; on every answer to a write. */
  operationKey: 'Operation-Key',
  /** `true` on an answer sent from stored bytes. */
  replayed: 'Idempotent-Replayed',
  retryAfter: 'Retry-After',
  requestId: 'X-Request-Id',
} as const

/** Longest key, in bytes of UTF-8. */
export const maxKeyBytes = 255

/** RFC 9457 problem details, with the members every error of Safepoint carries. */
export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail?: string
  readonly code: string
  /** Whether the same request under the same key may be sent again. */
  readonly retryable: boolean
  /** Milliseconds to wait before the next attempt. */
  readonly retryAfterMs?: number
  /** The version now stored, on a conflict about one. */
  readonly currentVersion?: number
  /** How often the engine tried before it gave up. */
  readonly attempts?: number
  readonly operation?: OperationReference
  /** What is wrong with the input, one entry a field. */
  readonly errors?: ReadonlyArray<{ readonly path: string; readonly message: string }>
  readonly [member: string]: unknown
}

export interface OperationReference {
  readonly key: string
  readonly href?: string
}

/** How to undo what has happened: call `POST href`, or say why it stays. */
export interface UndoOffer {
  readonly available: boolean
  readonly href?: string
  /** Why there is no undo, as the operation's definition says it. */
  readonly keep?: string
}

export interface Progress {
  readonly done?: number
  readonly total?: number
  readonly message?: string
  readonly [member: string]: unknown
}

/** The truth about a cancel (SPEC.md section 6). Nothing else is ever answered to one. */
export type CancelAnswer = { readonly eventId: string } & (
  | {
      /** Nothing is committed, and nothing will be; or all of it was undone. */
      readonly outcome: 'cancelled'
      /** Whether running work was interrupted, where that is known. */
      readonly interrupted?: boolean
      /** It had been cancelled before. */
      readonly repeat?: true
      /** Where a step had begun that stays or is swept: as of `undoing`. Absent: nothing had begun, or nothing of it can still start. */
      readonly stopped?: boolean
      readonly step?: string
      readonly cleanup?: 'pending' | 'done' | 'needs_attention'
      readonly reason?: string
    }
  | {
      /** The cancel has won; what was done so far is being undone. Not final. */
      readonly outcome: 'undoing'
      readonly target: 'cancelled' | 'failed'
      /** `false`: the call already recorded as begun, of `step`, may still start; no later one. */
      readonly stopped: boolean
      readonly step?: string
      readonly progress: { readonly undone: number; readonly total: number }
      /** Steps that stay done, with the reason their definition gives. */
      readonly kept: ReadonlyArray<{ readonly step: string; readonly why: string }>
      readonly repeat?: true
    }
  | {
      /** It had ended well: here it is, and how to undo it. */
      readonly outcome: 'too_late'
      readonly state: 'succeeded'
      /** Absent when the response was stripped by retention. */
      readonly result?: unknown
      readonly undo: UndoOffer
      readonly undone?: { readonly key: string; readonly at: string }
    }
  | {
      /** It had ended with a refusal: nothing was done. */
      readonly outcome: 'too_late'
      readonly state: 'failed'
      readonly error?: { readonly code: string; readonly [member: string]: unknown }
    }
  | {
      /** An undo failed for good; a human must look. */
      readonly outcome: 'needs_attention'
      readonly step?: string
    }
)

/** What `GET …/operations/:key` answers. Absence is never final: only a cancel makes it so. */
export type OperationView =
  | { readonly state: 'none'; readonly inFlight?: true }
  | {
      readonly state: State
      readonly key: string
      readonly id: string
      /** Absent on a key that was cancelled before its operation arrived. */
      readonly name?: string
      readonly result?: unknown
      readonly error?: { readonly code: string; readonly [member: string]: unknown }
      readonly undo?: UndoOffer
      readonly undone?: { readonly key: string; readonly at: string }
      readonly reason?: string
      readonly target?: 'cancelled' | 'failed'
      readonly progress?: Progress
      readonly steps?: ReadonlyArray<{ readonly step: string; readonly state: string }>
      readonly cleanup?: 'pending' | 'done' | 'needs_attention'
      readonly startedAt?: string
      readonly endedAt?: string
      /** Its response was stripped by retention. */
      readonly stripped?: true
    }
