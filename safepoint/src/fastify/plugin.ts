import type { FastifyInstance, FastifyPluginAsync, FastifyRequest } from 'fastify'
import type { AnyOperation } from '../operation.ts'
import { maxKeyBytes } from '../protocol.ts'
import type { Caller } from '../options.ts'
import type { Safepoint } from '../safepoint.ts'
import { errorPages } from './error-pages.ts'
import { endEventStreams } from './event-stream.ts'
import { operationRoute, type OperationRoute, type RouteExtras } from './operation-route.ts'
import { operationsRoutes } from './operations-routes.ts'
import { installProblems, type ProblemOptions } from './problem-handlers.ts'
import { closeSilentConnections } from './silent-connections.ts'

export interface SafepointFastifyOptions extends ProblemOptions {
  readonly safepoint: Safepoint<any>
  /**
   * On whose behalf a request is. What it throws is answered (an error with the application's own code, such as
   * `unauthenticated`), and nothing is stored.
   */
  readonly caller: (request: FastifyRequest) => Caller | Promise<Caller>
  /** Default `/api/operations`. */
  readonly operationsPath?: string
  /** Hooks and `config` (a rate limit, say) of the routes under `operationsPath`. */
  readonly operationsRoute?: RouteExtras
  /**
   * Makes the OpenAPI of a route from the schema that validates its operation's input; for zod 4:
   * `(schema, io) => z.toJSONSchema(schema, { io })`. Without it routes are documented without their input.
   */
  readonly toJsonSchema?: (schema: any, io: 'input' | 'output') => object
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Registers an operation as a route: see {@link OperationRoute}. */
    operation<O extends AnyOperation>(route: OperationRoute<O>): void
  }
}

/**
 * Serves operations over HTTP. Decorates the instance with `app.operation(route)`; makes every error a problem+json; serves
 * the routes about operations and the pages of error codes; ends event streams when the application closes.
 *
 *     const app = Fastify({ ...problemServerOptions, logger: true })
 *     await app.register(safepointFastify, { safepoint, caller: (request) => ({ scope: request.user.id }) })
 *     app.operation({ method: 'POST', url: '/api/cart/add', operation: addItem, key: 'optional' })
 *
 * It applies to the instance it is registered on, not to a child of it. Starting and stopping the engine stays with whoever
 * made it.
 */
export const safepointFastify: FastifyPluginAsync<SafepointFastifyOptions> = async (app, options) => {
  checkServerOptions(app)
  const path = options.operationsPath ?? '/api/operations'
  const table = installProblems(app, options)
  const context = {
    safepoint: options.safepoint,
    caller: options.caller,
    operationsPath: app.prefix + path,
    table,
    toJsonSchema: options.toJsonSchema,
  }
  // A route of a child instance belongs to that instance, with its prefix and hooks.
  app.decorate('operation', function (this: FastifyInstance, route: OperationRoute<any>) {
    operationRoute(this, route, context)
  })
  operationsRoutes(app, path, context, options.operationsRoute ?? {})
  errorPages(app, options.errorsPath ?? '/errors', table)
  app.addHook('preClose', async () => endEventStreams(app))
  closeSilentConnections(app)
}

// What the package fastify-plugin does: the decorations reach the instance that registers.
Object.assign(safepointFastify, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: 'safepoint',
  [Symbol.for('plugin-meta')]: { name: 'safepoint', fastify: '5.x' },
})

/** Three characters for each byte that is percent-encoded. */
const neededParamLength = maxKeyBytes * 3

function checkServerOptions(app: FastifyInstance): void {
  const { routerOptions, maxParamLength } = app.initialConfig as {
    routerOptions?: { maxParamLength?: number }
    maxParamLength?: number
  }
  const length = routerOptions?.maxParamLength ?? maxParamLength ?? 100
  if (length < neededParamLength) {
    throw new TypeError(
      `A key of ${maxKeyBytes} bytes does not fit into a path: make the instance with \`Fastify({ ...problemServerOptions })\`, or set routerOptions.maxParamLength to at least ${neededParamLength}.`,
    )
  }
}
