import type { FastifyReply } from 'fastify'
import type { Answer } from '../answer.ts'
import { isSafepointError, SafepointError } from '../errors.ts'
import { headers, type OperationReference } from '../protocol.ts'
import { entityTagOf } from './entity-tag.ts'
import { operationHref, writeKey } from './idempotency-key.ts'

/** Told with a 202, in seconds: when it is worth asking again without a stream. */
const askAgainAfter = 1

/**
 * Sends how a run ended: the stored bytes exactly as they are, a problem for a refusal (its declared code) and for
 * `cancelled` (409), 202 with the operation's address for what has not ended.
 */
export function sendAnswer(reply: FastifyReply, answer: Answer, operationsPath: string): FastifyReply {
  const operation = referenceTo(answer.key, operationsPath)
  reply.header(headers.operationKey, writeKey(answer.key))
  if (answer.replayed) reply.header(headers.replayed, 'true')
  switch (answer.outcome) {
    case 'succeeded': {
      const { status, body, headers: stored } = answer.response
      reply.code(status).headers(stored)
      const tag = entityTagOf(answer.result)
      if (tag !== undefined && !reply.hasHeader('etag')) reply.header('etag', tag)
      if (body.byteLength === 0) return reply.send()
      if (!reply.hasHeader('content-type')) reply.type('application/json; charset=utf-8')
      return reply.send(Buffer.from(body.buffer, body.byteOffset, body.byteLength))
    }
    case 'failed': {
      const { code, message, details } = answer.error
      const stored = (name: string) => (typeof details[name] === 'number' ? { [name]: details[name] } : {})
      const told = { ...stored('retryAfterMs'), ...stored('currentVersion'), ...stored('attempts') }
      return reply.problem(new SafepointError(code, message, { details, retryable: false, ...told }), operation)
    }
    case 'cancelled':
      return reply.problem(
        new SafepointError('cancelled', 'It was cancelled.', {
          retryable: false,
          details: answer.reason === undefined ? {} : { reason: answer.reason },
        }),
        operation,
      )
    case 'pending':
      return reply
        .code(202)
        .header('location', operation.href)
        .header(headers.retryAfter, askAgainAfter)
        .type('application/json; charset=utf-8')
        .send(Buffer.from(JSON.stringify({ state: answer.state, operation })))
  }
}

/**
 * Sends what a run threw. The operation is named where one can be found under the key: the caller's, or the one that the
 * engine made and tells in the error's details.
 */
export function sendRunError(
  reply: FastifyReply,
  error: unknown,
  key: string | undefined,
  operationsPath: string,
): FastifyReply {
  const told = isSafepointError(error)
    ? (error.details.operation as Partial<OperationReference> | undefined)?.key
    : undefined
  const known = told ?? key
  if (known === undefined) return reply.problem(error)
  reply.header(headers.operationKey, writeKey(known))
  return reply.problem(error, referenceTo(known, operationsPath))
}

const referenceTo = (key: string, operationsPath: string) => ({ key, href: operationHref(operationsPath, key) })
