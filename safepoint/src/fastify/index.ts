export { safepointFastify, type SafepointFastifyOptions } from './plugin.ts'
export type { OperationRoute, RouteExtras } from './operation-route.ts'
export type { RouteSchema } from './operation-schema.ts'
export { installProblems, problemServerOptions, type ProblemOptions } from './problem-handlers.ts'
export {
  problemTable,
  type HttpCode,
  type Language,
  type Localized,
  type ProblemKind,
  type ProblemTable,
} from './problem-table.ts'
export { faultOf, languageOf, problemOf, type ProblemContext } from './problem.ts'
export { errorsMarkdown } from './error-pages.ts'
export { eventStream, type EventStreamOptions, type StreamEvent } from './event-stream.ts'
export { disconnectOf } from './disconnect.ts'
export { entityTagOf, readIfMatch } from './entity-tag.ts'
export { operationHref, readIdempotencyKey, readPathKey, writeKey } from './idempotency-key.ts'
export { documented, eventStreamResponse, problemResponse, type JsonSchema } from './route-schema.ts'
