export { createClient, type Client, type ClientOptions, type ReadOptions, type WriteOptions } from './create-client.ts'
export type { ClientEvent } from './events.ts'
export type { ServerEvent } from './event-stream.ts'
export type { Exclusively } from './exclusively.ts'
export { isProblemError, ProblemError } from './problem-error.ts'
export {
  browserStorage,
  memoryStorage,
  type PendingRequest,
  type RequestStorage,
  type WebStorage,
} from './request-storage.ts'
export type { RetryPolicy } from './retry.ts'
export type { Verdict } from './verdict.ts'
export type { CancelAnswer, OperationView, Problem, Progress, UndoOffer } from '../protocol.ts'
