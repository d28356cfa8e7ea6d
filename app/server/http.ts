import { createHash } from 'node:crypto'
import type { FastifyReply } from 'fastify'
import { SafepointError } from 'safepoint'
import { documented, type JsonSchema } from 'safepoint/fastify'
import { z } from 'zod'

/** Validates what a route reads itself; throws `input_invalid`, one entry a field. */
export function parseRequest<Schema extends z.ZodType>(schema: Schema, received: unknown): z.output<Schema> {
  const parsed = schema.safeParse(received ?? {})
  if (parsed.success) return parsed.data
  const errors = parsed.error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message }))
  throw new SafepointError('input_invalid', 'The input is not valid.', { details: { errors } })
}

export interface ReadDocumentation {
  readonly summary: string
  readonly tags: readonly string[]
  readonly params?: z.ZodType
  readonly querystring?: z.ZodType
  readonly response?: z.ZodType
  /** Needs no account. */
  readonly open?: true
}

/** Route options of a read: what OpenAPI says about it. The handler validates with the same schemas. */
export function documentedRead({ summary, tags, params, querystring, response, open }: ReadDocumentation) {
  return documented({
    summary,
    tags,
    ...(params && { params: jsonSchema(params, 'input') }),
    ...(querystring && { querystring: jsonSchema(querystring, 'input') }),
    ...(open && { security: [] }),
    ...(response && {
      response: {
        200: { description: 'As asked.', content: { 'application/json': { schema: jsonSchema(response, 'output') } } },
      },
    }),
  })
}

export function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io, unrepresentable: 'any' })
  return json
}

/** Of a path. What is no id names nothing, so that it is as unknown as any other: the caller answers 404. */
export function isId(value: string): boolean {
  return /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value)
}

/** Page size and place of a list. */
export const pageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: z.string().max(500).optional(),
})

export const writeCursor = (place: readonly string[]): string =>
  Buffer.from(JSON.stringify(place)).toString('base64url')

/** Throws `input_invalid` for what was not made by {@link writeCursor} of as many parts. */
export function readCursor(cursor: string | undefined, parts: number): string[] | undefined {
  if (cursor === undefined) return undefined
  try {
    const place: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString())
    const whole =
      Array.isArray(place) &&
      place.length === parts &&
      place.every((part) => typeof part === 'string' && !part.includes('\0'))
    if (whole) return place as string[]
  } catch {
    // Falls through: it is not one of ours.
  }
  throw new SafepointError('input_invalid', 'The cursor is not valid.', {
    details: { errors: [{ path: 'cursor', message: 'is not a cursor of this list' }] },
  })
}

/**
 * Sends what was read under a tag of its version and its content, or 304 where `If-None-Match` has that tag (RFC 9110 section
 * 13.1.2). The content is in the tag because more than the version may change, such as today's prices of a cart.
 */
export function sendTagged(reply: FastifyReply, read: { readonly version: number }): FastifyReply {
  return sendHashed(reply, read, read.version)
}

/** The same of what does not say its version; where there is one, the tag begins with it, so that If-Match may be given it. */
export function sendHashed(reply: FastifyReply, read: object, version?: number): FastifyReply {
  const body = JSON.stringify(read)
  const hash = createHash('sha256').update(body).digest('base64url').slice(0, 11)
  const tag = version === undefined ? `"${hash}"` : `"${version}-${hash}"`
  reply.header('etag', tag)
  const known = reply.request.headers['if-none-match']
  const tags = known?.split(',').map((one) => one.trim().replace(/^W\//, '')) ?? []
  if (tags.includes(tag) || tags.includes('*')) return reply.code(304).send()
  return reply.type('application/json; charset=utf-8').send(body)
}
