import type { FastifySchema, RouteShorthandOptions } from 'fastify'
import { headers } from '../protocol.ts'

/** A JSON Schema of OpenAPI 3.1. */
export type JsonSchema = Readonly<Record<string, unknown>>

/**
 * Route options of a route whose schema documents and does not validate: the operation validates its own input, and bodies
 * are sent as stored bytes. That it may answer with a problem is said by itself. Per route, so that an application's compilers (which may speak another schema language) stay
 * out of it.
 */
export function documented(schema: Record<string, unknown>): RouteShorthandOptions {
  const response = { ...(schema.response as object | undefined), default: anyProblem }
  return {
    schema: { ...schema, response } as FastifySchema,
    validatorCompiler: () => () => true,
    serializerCompiler: () => (data) => JSON.stringify(data),
  }
}

/** Of a route the library itself serves. `params`: name and description. */
export function ownSchema(options: {
  readonly summary: string
  readonly tags: readonly string[]
  /** `[]`: needs no account. */
  readonly security?: readonly []
  readonly params?: Readonly<Record<string, string>>
  readonly headers?: JsonSchema
  readonly body?: JsonSchema
  readonly response?: Readonly<Record<string | number, unknown>>
}): RouteShorthandOptions {
  const { params, ...rest } = options
  return documented({ ...rest, ...(params && { params: stringParams(Object.keys(params), params) }) })
}

export function stringParams(
  names: readonly string[],
  descriptions: Readonly<Record<string, string>> = {},
): JsonSchema {
  const properties = names.map((name) => [
    name,
    { type: 'string', ...(descriptions[name] !== undefined && { description: descriptions[name] }) },
  ])
  return { type: 'object', properties: Object.fromEntries(properties), required: [...names] }
}

/** The body of every error. */
export const problemSchema: JsonSchema = {
  type: 'object',
  required: ['type', 'title', 'status', 'code', 'retryable'],
  properties: {
    type: { type: 'string', format: 'uri-reference' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code: { type: 'string' },
    retryable: { type: 'boolean', description: 'Whether the same request may be sent again under the same key.' },
    retryAfterMs: { type: 'integer' },
    currentVersion: { type: 'integer' },
    attempts: { type: 'integer' },
    operation: {
      type: 'object',
      required: ['key'],
      properties: { key: { type: 'string' }, href: { type: 'string', format: 'uri-reference' } },
    },
    errors: {
      type: 'array',
      items: {
        type: 'object',
        required: ['path', 'message'],
        properties: { path: { type: 'string' }, message: { type: 'string' } },
      },
    },
  },
}

/** What any route may answer besides what it says itself: no account, too many requests, a body that is too large. */
const anyProblem: JsonSchema = {
  description: 'A problem; its `code` says which.',
  content: { 'application/problem+json': { schema: problemSchema } },
}

/** Response of a route that answers with `eventStream`. */
export const eventStreamResponse: Readonly<Record<200, JsonSchema>> = {
  200: { description: 'Server-sent events.', content: { 'text/event-stream': { schema: { type: 'string' } } } },
}

/** A response of problems: `meanings` by code. */
export function problemResponse(meanings: Readonly<Record<string, string>>): JsonSchema {
  const description = Object.entries(meanings).map(([code, meaning]) => `\`${code}\`: ${meaning}`)
  return { description: description.join('\n\n'), content: { 'application/problem+json': { schema: problemSchema } } }
}

/** Request headers of a route; where the key is derived or ignored its header is not read, and not documented. */
export function keyHeaders(key: 'required' | 'optional' | 'ignored' | 'derived', withVersion: boolean): JsonSchema {
  const taken = key === 'required' || key === 'optional'
  return {
    type: 'object',
    properties: {
      ...(taken && {
        [headers.idempotencyKey]: {
          type: 'string',
          description: 'Chosen by the client, 1 to 255 bytes; the same request under the same key is done once.',
        },
        [headers.retryAttempt]: { type: 'integer', minimum: 0, description: 'This is the n-th retry.' },
      }),
      ...(withVersion && {
        'If-Match': { type: 'string', description: 'The version that was read, as its ETag: `"3"`.' },
      }),
    },
    ...(key === 'required' && { required: [headers.idempotencyKey] }),
  }
}
