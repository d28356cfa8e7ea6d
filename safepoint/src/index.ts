export { createSafepoint, type Safepoint, type SafepointOptions } from './safepoint.ts'
export type { Caller, CancelOptions, Log, RunOptions, TransactionRetry } from './options.ts'
export type { Answer, StoredResponse } from './answer.ts'
export {
  defineOperation,
  operationsOn,
  operationStep,
  outsideStep,
  transactionStep,
  refuse,
  isDurable,
  Failure,
  type AnyOperation,
  type AtomicContext,
  type AtomicOperation,
  type CallContext,
  type DisconnectPolicy,
  type DurableContext,
  type DurableOperation,
  type InputOf,
  type OperationContext,
  type ResponseHead,
  type ResultOf,
  type Settling,
  type Step,
} from './operation.ts'
export { SafepointError, conflict, isSafepointError, type SafepointErrorOptions } from './errors.ts'
export { fingerprint, canonicalJson } from './fingerprint.ts'
export { uuidv7 } from './uuid.ts'
export { migrate } from './migrate.ts'
export { expectVersion } from './version.ts'
export type {
  Database,
  Isolation,
  Result,
  SqlTransaction,
  StopSignal,
  Statement,
  Subscription,
  TransactionEnd,
  TransactionOptions,
} from './database.ts'
export type { SignalBus } from './signals/signal-bus.ts'
export type { StandardSchema } from './standard-schema.ts'
export type { CancelAnswer, ErrorCode, OperationView, Outcome, Problem, Progress, State } from './protocol.ts'
export { isAway, sqlState } from './database.ts'
