import type { Socket } from 'node:net'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest, FastifyServerOptions } from 'fastify'
import { SafepointError } from '../errors.ts'
import { headers, type OperationReference, type Problem } from '../protocol.ts'
import { uuidv7 } from '../uuid.ts'
import { faultOf, languageOf, problemOf } from './problem.ts'
import { problemTable, type Language, type ProblemTable } from './problem-table.ts'

export interface ProblemOptions {
  /** The application's own codes; they may also say the engine's in its own words. */
  readonly problems?: ProblemTable
  /** Where the pages of the codes are, and prefix of a problem's `type`. Default `/errors`. */
  readonly errorsPath?: string
  /** Told of each problem that is sent, for error logs and metrics. What it throws is logged and goes no further. */
  readonly onProblem?: (problem: Problem, request: FastifyRequest, error: unknown) => void
  /** Whether thrown errors become problems. Default true. */
  readonly errorHandler?: boolean
  /** Whether unknown routes answer a problem. Default true; false for an application that serves pages there. */
  readonly notFoundHandler?: boolean
}

declare module 'fastify' {
  interface FastifyReply {
    /**
     * Sends `error` as `application/problem+json` (RFC 9457), `title` and `detail` in the language of `Accept-Language`.
     * An error without a code of the table is answered 500 `internal`, tells nothing, and is logged.
     */
    problem(error: unknown, operation?: OperationReference): FastifyReply
  }
}

/**
 * Makes every error of an instance a problem: `reply.problem(error)`, the error handler and the handler of unknown routes.
 * {@link safepointFastify} calls it; call it alone where no operations are served. Returns the whole table of codes.
 */
export function installProblems(app: FastifyInstance, options: ProblemOptions = {}): ProblemTable {
  const table: ProblemTable = { ...problemTable, ...options.problems }
  const typePath = app.prefix + (options.errorsPath ?? '/errors')

  app.decorateReply('problem', function (this: FastifyReply, error: unknown, operation?: OperationReference) {
    const { request } = this
    const language = languageOf(request.headers['accept-language'])
    const problem = problemOf(withRetryAfter(error, this), {
      language,
      table,
      typePath,
      ...(operation && { operation }),
    })
    logProblem(request, problem, error)
    try {
      options.onProblem?.(problem, request, error)
    } catch (failure) {
      request.log.error({ err: failure }, 'onProblem failed')
    }
    if (problem.retryAfterMs !== undefined)
      this.header('retry-after', Math.max(1, Math.ceil(problem.retryAfterMs / 1000)))
    return this.code(problem.status)
      .header('content-language', language)
      .header('vary', withVary(this.getHeader('vary')))
      .type('application/problem+json')
      .send(Buffer.from(JSON.stringify(problem)))
  })
  if (options.errorHandler !== false) {
    app.setErrorHandler((error, request, reply) =>
      reply.problem(
        // Its error looks like one of a database's connection.
        request.raw.errored && error === request.raw.errored
          ? new SafepointError('malformed_request', 'The request was not sent whole.', { cause: error })
          : error,
      ),
    )
  }
  if (options.notFoundHandler !== false) {
    app.setNotFoundHandler((_request, reply) => reply.problem(new SafepointError('not_found', 'No such route.')))
  }
  // What Node would refuse with an empty 417 may be ignored as well (RFC 9110 section 10.1.1).
  if (app.server.listenerCount('checkExpectation') === 0)
    app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response))
  return table
}

/** A limiter has already told when to come back: the body says the same as its header. */
function withRetryAfter(error: unknown, reply: FastifyReply): unknown {
  const seconds = Number(reply.getHeader('retry-after') ?? NaN)
  const fault = faultOf(error)
  if (!fault || fault.retryAfterMs !== undefined || !Number.isFinite(seconds)) return error
  const { code, message, retryable, currentVersion, attempts, details } = fault
  return new SafepointError(code, message, {
    cause: error,
    retryable,
    retryAfterMs: seconds * 1000,
    details,
    ...(currentVersion !== undefined && { currentVersion }),
    ...(attempts !== undefined && { attempts }),
  })
}

function withVary(present: unknown): string {
  const fields = [present ?? []].flat().join(', ')
  if (/\baccept-language\b|\*/i.test(fields)) return fields
  return fields ? `${fields}, Accept-Language` : 'Accept-Language'
}

function logProblem(request: FastifyRequest, problem: Problem, error: unknown): void {
  if (problem.status < 500) return
  const fields = { err: error, code: problem.code, status: problem.status, operationKey: problem.operation?.key }
  if (problem.code === 'internal') request.log.error(fields, 'request failed')
  else request.log.warn(fields, 'request could not be served')
}

/**
 * What an application has to say when it makes its instance, because no plugin can:
 *
 *     const app = Fastify({ ...problemServerOptions, logger: true })
 *
 * A trailing slash is ignored; a key of 255 bytes fits into a path percent-encoded; a malformed URL, a request that is not
 * HTTP and headers that are too large are answered with a problem too. Where an application has router options of its own,
 * it merges them with these.
 */
export const problemServerOptions = {
  routerOptions: { ignoreTrailingSlash: true, maxParamLength: 1024 },
  frameworkErrors(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
    const language = languageOf(request.headers['accept-language'])
    const problem = plainProblem(error, language)
    // No hook of the application has run.
    reply
      .code(problem.status)
      .header(headers.requestId, request.id)
      .header('content-language', language)
      .type('application/problem+json')
      .send(Buffer.from(JSON.stringify(problem)))
  },
  clientErrorHandler(error: Error & { code?: string }, socket: Socket): void {
    // The client is gone, or an answer is already under way: there is nobody to tell.
    if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
    const problem = plainProblem(
      new SafepointError(clientErrorCodes[error.code ?? ''] ?? 'malformed_request', ''),
      'en',
    )
    const body = JSON.stringify(problem)
    const head = [
      `HTTP/1.1 ${problem.status} ${problem.title}`,
      'Content-Type: application/problem+json',
      'Content-Language: en',
      `${headers.requestId}: ${uuidv7()}`,
      `Content-Length: ${Buffer.byteLength(body)}`,
      'Connection: close',
    ]
    socket.write(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy())
  },
} satisfies FastifyServerOptions

const clientErrorCodes: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
}

/** A problem from outside any route, where the application's table does not reach. */
function plainProblem(error: unknown, language: Language): Problem {
  return problemOf(error, { language, table: problemTable, typePath: '/errors' })
}
