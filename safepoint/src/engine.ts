import type { Answer } from './answer.ts'
import type { Database } from './database.ts'
import type { AnyOperation, DurableOperation } from './operation.ts'
import type { CancelAnswer } from './protocol.ts'
import type { CancelOptions, Log, RunOptions, TransactionRetry } from './options.ts'
import type { Run } from './run.ts'
import type { StepRow } from './sql/find-steps.ts'
import type { StopSource } from './stop-source.ts'
import type { SignalBus } from './signals/signal-bus.ts'

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

/**
 * A durable operation that this process may act for: it has the lease of one epoch. Modes: *going* (forward calls may
 * start), *stopping* (a cancel, a deadline or a shutdown was noticed: none starts any more), *lost* (the lease or the epoch
 * is somebody else's: nothing at all).
 */
export interface Hold {
  readonly engine: Engine
  readonly operation: DurableOperation<any, any, any, any>
  readonly scope: string
  readonly key: string
  readonly id: string
  readonly epoch: number
  readonly actor: string | undefined
  readonly fingerprint: Uint8Array
  readonly input: unknown
  readonly ifMatch: number | undefined
  /** The key whose undo this operation is. */
  readonly undoes: string | undefined
  /** Fires once, when the forward run is to stop; its reason is the error the handler sees. */
  readonly controller: AbortController
  /** Steps recorded before this epoch began. */
  recorded: StepRow[]
  /** `performance.now()` until which the lease is surely ours: counted from when its renewal was sent (I11). */
  leaseUntil: number
  /** Forward calls to the outside that have started and not settled. */
  readonly calls: Set<Promise<unknown>>
  acknowledged: boolean
  /** Ended or given away: nothing of it may be written any more. */
  over: boolean
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
