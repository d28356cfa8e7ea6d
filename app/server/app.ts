import { existsSync } from 'node:fs'
import cors from '@fastify/cors'
import helmet from '@fastify/helmet'
import fastifyStatic, { type FastifyStaticOptions } from '@fastify/static'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify'
import { refuse, uuidv7 } from 'safepoint'
import { headers } from 'safepoint/protocol'
import { problemServerOptions, safepointFastify } from 'safepoint/fastify'
import { z } from 'zod'
import type { DemoAccount } from './accounts/accounts.ts'
import { accountsRoutes } from './accounts/accounts.routes.ts'
import { demoAccountsRoute } from './accounts/demo-accounts.routes.ts'
import { authenticate, caller, requireOwner } from './accounts/authenticate.ts'
import { addressesRoutes } from './addresses/addresses.routes.ts'
import { cartRoutes } from './cart/cart.routes.ts'
import { catalogAdminRoutes } from './catalog/catalog-admin.routes.ts'
import { catalogRoutes } from './catalog/catalog.routes.ts'
import type { Composed } from './compose.ts'
import { originTest } from './cors.ts'
import { endWithToken } from './events/end-with-token.ts'
import { eventsRoutes } from './events/events.routes.ts'
import { documentedRead, jsonSchema, readJsonBodies } from './http.ts'
import { inventoryRoutes } from './inventory/inventory.routes.ts'
import { answerKnownMethods } from './known-methods.ts'
import type { Logger } from './log.ts'
import { mailRoutes } from './mail/mail.routes.ts'
import { clientEventsRoutes } from './monitoring/client-events.routes.ts'
import { countRequests } from './monitoring/count-requests.ts'
import { metricsRoute } from './monitoring/metrics.routes.ts'
import { adminOrdersRoutes } from './orders/admin-orders.routes.ts'
import { ordersRoutes } from './orders/orders.routes.ts'
import { gatewaysRoute } from './payments/gateways.routes.ts'
import { paymentsRoutes } from './payments/payments.routes.ts'
import { webhooksAdminRoutes } from './payments/webhooks/webhooks-admin.routes.ts'
import { webhooksRoutes } from './payments/webhooks/webhooks.routes.ts'
import { problems } from './problems.ts'
import { limitRates, type RateLimits } from './rate-limits.ts'
import { wishlistRoutes } from './wishlist/wishlist.routes.ts'

export interface AppOptions {
  readonly composed: Composed
  readonly log: Logger
  readonly corsOrigins?: readonly string[]
  readonly corsSharedHosting?: 'allow' | 'refuse'
  /** Told to everybody: only where nobody else's data can be. */
  readonly demoAccounts?: readonly DemoAccount[]
  /** Absent: none. */
  readonly rateLimits?: RateLimits | undefined
  /** Lets others than this machine read `/metrics`. */
  readonly metricsToken?: string | undefined
  /** Why this process takes no more work; `undefined`: it does. */
  readonly refusing?: () => string | undefined
  /** The built pages, served at `/` where they are there. */
  readonly webRoot?: string
}

/** The application without its process: routes, hooks, documentation. Listening and closing the database are its caller's. */
export async function buildApp(options: AppOptions): Promise<FastifyInstance> {
  const { composed, log, corsOrigins = [], corsSharedHosting = 'refuse', webRoot } = options
  const { pantry, operations } = composed
  const app = Fastify({
    ...problemServerOptions,
    loggerInstance: log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: 256 * 1024,
    // Half-sent requests do not hold a connection.
    requestTimeout: 30_000,
    http: { headersTimeout: 15_000, connectionsCheckingInterval: 5000 },
    genReqId: (request) => acceptableId(request.headers['x-request-id']) ?? uuidv7(),
  })

  app.addHook('onRequest', async (request, reply) => {
    reply.header(headers.requestId, request.id)
  })
  app.addHook('onSend', async (request, reply) => {
    // What an account is told, tokens included, is nobody else's.
    if (!reply.hasHeader('cache-control') && request.url.startsWith('/api/')) reply.header('cache-control', 'no-store')
    // A 503 says when to come back, also one that was stored as an operation's last word (RFC 9110 section 15.6.4).
    if (reply.statusCode === 503 && !reply.hasHeader('retry-after')) reply.header('retry-after', 5)
    // RFC 9110 section 15.5.2.
    if (reply.statusCode === 401) reply.header('www-authenticate', 'Bearer')
  })
  answerKnownMethods(app)
  app.addHook('onResponse', async (request, reply) => {
    const { method, routeOptions } = request
    request.log.debug(
      { method, route: routeOptions.url, status: reply.statusCode, ms: Math.round(reply.elapsedTime) },
      'answered',
    )
  })

  await app.register(helmet, {
    contentSecurityPolicy: {
      directives: {
        defaultSrc: ["'self'"],
        imgSrc: ["'self'", 'data:'],
        styleSrc: ["'self'"],
        // A gateway whose page is opened by posting a form.
        formAction: ["'self'", ...formOrigins(composed)],
        // It would send a page opened over plain HTTP elsewhere for its own scripts.
        upgradeInsecureRequests: null,
      },
    },
  })
  const admits = originTest(corsOrigins, { allowSharedHosting: corsSharedHosting === 'allow' })
  const isOwn = (origin: string) => origin === new URL(composed.publicUrl()).origin
  await app.register(cors, {
    origin: (origin, done) => done(null, origin !== undefined && (isOwn(origin) || admits(origin))),
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    allowedHeaders: [
      'authorization',
      'content-type',
      'if-match',
      'if-none-match',
      'accept-language',
      ...own(['idempotencyKey', 'retryAttempt', 'requestId']),
    ],
    exposedHeaders: ['date', 'etag', 'location', ...own(['operationKey', 'replayed', 'retryAfter', 'requestId'])],
    maxAge: 600,
  })
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Pantry',
        version: '1',
        description: 'A grocery shop. Every write is an operation that is safe to cancel, to retry and to race.',
      },
      components: { securitySchemes: { accessToken: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } },
      security: [{ accessToken: [] }],
    },
  })
  await app.register(swaggerUi, { routePrefix: '/docs', staticCSP: true })

  const requests = countRequests(app)
  readJsonBodies(app)
  authenticate(app, pantry)
  if (options.rateLimits) await limitRates(app, options.rateLimits)
  await app.register(safepointFastify, {
    safepoint: pantry.safepoint,
    caller,
    problems,
    operationsRoute: { onRequest: [requireOwner, endWithToken] },
    toJsonSchema: (schema: z.ZodType, io) => jsonSchema(schema, io),
    notFoundHandler: false,
  })
  health(app, options)
  metricsRoute(app, {
    requests,
    retries: composed.retries.read,
    catalog: composed.catalog.figures,
    token: options.metricsToken,
  })
  app.get('/openapi.json', { schema: { hide: true } as object }, async () => app.swagger())
  accountsRoutes(app, pantry, operations.accounts)
  demoAccountsRoute(app, options.demoAccounts ?? [])
  addressesRoutes(app, pantry)
  wishlistRoutes(app, pantry)
  catalogRoutes(app, pantry, composed.catalog)
  catalogAdminRoutes(app, pantry, operations.catalog)
  inventoryRoutes(app, pantry)
  cartRoutes(app, pantry, operations.cart)
  eventsRoutes(app, pantry)
  clientEventsRoutes(app)
  ordersRoutes(app, pantry, operations.orders)
  adminOrdersRoutes(app, pantry, operations.orders)
  gatewaysRoute(app, composed.gateways)
  await paymentsRoutes(app, { pantry, gateways: composed.gateways, operations: operations.orders })
  const inbox = { pantry, gateways: composed.gateways, applier: composed.webhooks, ...operations.webhooks }
  await app.register(webhooksRoutes(inbox))
  webhooksAdminRoutes(app, inbox)
  mailRoutes(app, pantry, operations.mail, { shop: composed.publicUrl })
  await pages(app, webRoot)
  return app
}

function health(app: FastifyInstance, { composed, refusing }: AppOptions): void {
  const answer = z.strictObject({ status: z.literal('ok') })
  app.get(
    '/healthz',
    documentedRead({ summary: 'The process is alive', tags: ['health'], response: answer, open: true }),
    async () => ({ status: 'ok' }),
  )
  app.get(
    '/readyz',
    documentedRead({ summary: 'Database, migrations, not draining', tags: ['health'], response: answer, open: true }),
    async () => {
      const reason = refusing?.()
      if (reason !== undefined) throw refuse('unavailable', reason, { retryable: true })
      // Answers only where both sets of migrations have been run.
      await composed.pantry.database.query({
        name: 'ready',
        text: 'select from safepoint.operation o, pantry.account a limit 0',
      })
      return { status: 'ok' }
    },
  )
}

/** The built single-page application: its files, and its entry page for whatever a browser asks that is no route. */
async function pages(app: FastifyInstance, webRoot: string | undefined): Promise<void> {
  const built = webRoot !== undefined && existsSync(webRoot)
  if (built) {
    const files: FastifyStaticOptions = {
      root: webRoot,
      // The build lays them beside the files.
      preCompressed: true,
      // The names of built files change with their content; the entry page's does not.
      setHeaders: (reply, file) => {
        void reply.header(
          'cache-control',
          /[/\\]assets[/\\]/.test(file) ? 'public, max-age=31536000, immutable' : 'no-cache',
        )
      },
      cacheControl: false,
    }
    // For `reply.sendFile`.
    await app.register(fastifyStatic, { ...files, serve: false })
    await app.register(async (scope) => {
      // 403 is what it says of names that no file could have, such as `//` or 300 letters: they are as unknown as any other.
      scope.setErrorHandler<Error & { statusCode?: number }>((error, _request, reply) =>
        error.statusCode === 403 ? reply.callNotFound() : reply.problem(error),
      )
      await scope.register(fastifyStatic, { ...files, decorateReply: false })
    })
  }
  app.setNotFoundHandler((request, reply) => {
    const forBrowser = request.method === 'GET' && /\btext\/html\b/.test(request.headers.accept ?? '')
    if (built && forBrowser && !/^\/(api|docs|errors|images|assets)(\/|$)/.test(request.url))
      return reply.sendFile('index.html')
    return reply.problem(refuse('not_found', 'No such route.'))
  })
}

const formOrigins = ({ gateways }: Composed): string[] =>
  gateways.names.flatMap((name) => gateways.get(name).formOrigin ?? [])

const own = (names: ReadonlyArray<keyof typeof headers>): string[] => names.map((name) => headers[name].toLowerCase())

const acceptableId = (given: string | string[] | undefined): string | undefined =>
  typeof given === 'string' && /^[\w.:-]{1,100}$/.test(given) ? given : undefined
