import type { FastifyInstance, FastifyReply, FastifyRequest, RouteShorthandOptions } from 'fastify'
import { checkKey } from '../keys.ts'
import { engineError, isSafepointError } from '../errors.ts'
import type { AnyOperation, DisconnectPolicy, InputOf } from '../operation.ts'
import type { Caller, RunOptions } from '../options.ts'
import type { Safepoint } from '../safepoint.ts'
import { disconnectOf } from './disconnect.ts'
import { readIfMatch } from './entity-tag.ts'
import { readIdempotencyKey, readRetryAttempt } from './idempotency-key.ts'
import { operationSchema, type RouteSchema } from './operation-schema.ts'
import type { ProblemTable } from './problem-table.ts'
import { mergedInput, receivedRequest } from './request-input.ts'
import { documented } from './route-schema.ts'
import { sendAnswer, sendRunError } from './send-answer.ts'

/** Fastify's own route options that an operation's route may set. A 401 or 429 in a hook leaves no row (I13). */
export type RouteExtras = Pick<
  RouteShorthandOptions,
  | 'onRequest'
  | 'preParsing'
  | 'preValidation'
  | 'preHandler'
  | 'onSend'
  | 'onResponse'
  | 'config'
  | 'bodyLimit'
  | 'constraints'
>

/** An operation as a route. */
export interface OperationRoute<O extends AnyOperation> extends RouteExtras {
  readonly method: 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly url: string
  readonly operation: O
  /**
   * `required`: 400 `key_required` without an `Idempotency-Key`. `optional`: the server makes one, told in `Operation-Key`.
   * `ignored`: the header is not read (open routes). A function derives the key (a webhook's event id), which outranks the
   * header.
   */
  readonly key: 'required' | 'optional' | 'ignored' | ((request: FastifyRequest) => string)
  /** Default: params, query and the members of the body; a name given twice is 422. */
  readonly input?: (request: FastifyRequest) => InputOf<O> | Promise<InputOf<O>>
  /**
   * What tells the same request from another one (I5). Default: the input, or where `input` derives it params, query and
   * body as received.
   */
  readonly fingerprintOf?: (request: FastifyRequest) => unknown
  /** On whose behalf, instead of the plugin's `caller`: open routes derive it from the request. */
  readonly scope?: (request: FastifyRequest) => Caller | Promise<Caller>
  readonly schema?: RouteSchema
  /** Overrides the operation's policy. */
  readonly onDisconnect?: DisconnectPolicy
  /** Overrides the operation's `wait`, in milliseconds, after which 202 is answered. */
  readonly wait?: number
}

/** What the plugin hands to its routes. */
export interface OperationRouteContext {
  readonly safepoint: Safepoint<any>
  readonly caller: (request: FastifyRequest) => Caller | Promise<Caller>
  /** As clients see it, prefix included. */
  readonly operationsPath: string
  readonly table: ProblemTable
  readonly toJsonSchema: ((schema: any, io: 'input' | 'output') => object) | undefined
}

/** Registers an operation as a route. Throws a TypeError for a definition whose answers could not all be told. */
export function operationRoute<O extends AnyOperation>(
  app: FastifyInstance,
  route: OperationRoute<O>,
  context: OperationRouteContext,
): void {
  checkRoute(route, context)
  const { method, url, operation, key, input, fingerprintOf, scope, schema = {}, onDisconnect, wait, ...extras } = route
  const documentation = operationSchema({
    method,
    url,
    operation,
    key: typeof key === 'function' ? 'derived' : key,
    onDisconnect,
    derivesInput: input !== undefined,
    given: schema,
    table: context.table,
    toJsonSchema: context.toJsonSchema,
  })
  const asReceived = fingerprintOf ?? (input && receivedRequest)

  app.route({
    ...extras,
    ...documented(documentation),
    method,
    url,
    handler: async (request, reply) => {
      const disconnect = disconnectOf(reply)
      const caller = await (scope ?? context.caller)(request)
      const given = keyOf(route.key, request)
      try {
        const retryAttempt = readRetryAttempt(request.raw)
        const ifMatch = readIfMatch(request.headers['if-match'])
        const options: RunOptions = {
          scope: caller.scope,
          disconnect,
          ...(caller.actor !== undefined && { actor: caller.actor }),
          ...(given !== undefined && { key: given }),
          ...(retryAttempt !== undefined && { retryAttempt }),
          ...(ifMatch !== undefined && { ifMatch }),
          ...(onDisconnect && { onDisconnect }),
          ...(wait !== undefined && { wait }),
          ...(asReceived && { fingerprintOf: asReceived(request) }),
        }
        const received = input ? await input(request) : mergedInput(request)
        const answer = await context.safepoint.run(operation, received as InputOf<O>, options)
        return sendAnswer(reply, answer, context.operationsPath)
      } catch (error) {
        if (operation.inbox && isSafepointError(error) && error.code === 'key_reused')
          return acknowledgeConflict(reply, error, operation)
        return sendRunError(reply, error, given, context.operationsPath)
      }
    },
  })
}

/**
 * A sender that repeats an event id with another payload would only send it again: it is told 2xx, nothing takes effect, and
 * the conflict is logged for a human.
 */
function acknowledgeConflict(reply: FastifyReply, error: unknown, operation: AnyOperation): FastifyReply {
  reply.log.error({ err: error, operation: operation.name }, 'another payload under an event id already received')
  return reply.code(200).send({ conflict: true })
}

function keyOf(policy: OperationRoute<AnyOperation>['key'], request: FastifyRequest): string | undefined {
  if (policy === 'ignored') return undefined
  if (typeof policy === 'function') {
    const key = policy(request)
    checkKey(key)
    return key
  }
  const key = readIdempotencyKey(request.raw)
  if (key === undefined && policy === 'required')
    throw engineError('key_required', 'This request needs an Idempotency-Key.')
  return key
}

function checkRoute(
  { operation, method, url }: OperationRoute<AnyOperation>,
  { safepoint, table }: OperationRouteContext,
): void {
  if (safepoint.operations.get(operation.name) !== operation) {
    throw new TypeError(`${method} ${url}: ${operation.name} is not among the operations of this engine.`)
  }
  const untold = Object.keys(operation.errors ?? {}).filter((code) => !Object.hasOwn(table, code))
  if (untold.length > 0) {
    throw new TypeError(`${method} ${url}: no entry in \`problems\` for ${untold.join(', ')} of ${operation.name}.`)
  }
}
