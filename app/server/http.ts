import { createHash } from 'node:crypto'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { refuse, SafepointError } from 'safepoint'
import { documented, type JsonSchema } from 'safepoint/fastify'
import { z } from 'zod'

const utf8 = new TextDecoder('utf-8', { fatal: true })

/**
 * Bodies are JSON, and JSON is UTF-8 (RFC 8259 section 8.1): other bytes are refused, where they would else be stored as
 * something that nobody sent. An empty body is none, whatever its type says: clients send the type with everything.
 */
export function readJsonBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeContentTypeParser(['application/json', 'text/plain'])
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    if (body.byteLength === 0) return done(null)
    let text: string
    try {
      text = utf8.decode(body)
    } catch (cause) {
      return done(refuse('malformed_request', 'The body is not UTF-8.', { cause }))
    }
    void parse(request, text, done)
  })
}

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
  /** Of what is no JSON. */
  readonly media?: string
  /** Needs no account. */
  readonly open?: true
  /** Is sent with a tag, by `sendTagged` or `sendHashed`. */
  readonly tagged?: true
}

/** Route options of a read: what OpenAPI says about it. The handler validates with the same schemas. */
export function documentedRead(read: ReadDocumentation) {
  const { summary, tags, params, querystring, response, media, open, tagged } = read
  const schema = media ? { type: 'string' } : response && jsonSchema(response, 'output')
  return documented({
    summary,
    tags,
    ...(params && { params: jsonSchema(params, 'input') }),
    ...(querystring && { querystring: jsonSchema(querystring, 'input') }),
    ...(open && { security: [] }),
    ...(schema && {
      response: {
        200: { description: 'As asked.', content: { [media ?? 'application/json']: { schema } } },
        ...(tagged && { 304: { description: 'As it was with the tag in If-None-Match.', type: 'null' } }),
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

/** Throws `input_invalid` for what was not made by {@link writeCursor} of as many parts, of which the last is an id. */
export function readCursor(cursor: string | undefined, parts: number): string[] | undefined {
  if (cursor === undefined || cursor === '') return undefined
  try {
    const place: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString())
    const whole =
      Array.isArray(place) &&
      place.length === parts &&
      place.every((part) => typeof part === 'string' && !part.includes('\0')) &&
      isId(place.at(-1))
    if (whole) return place as string[]
  } catch {
    // Falls through: it is not one of ours.
  }
  throw badCursor()
}

const badCursor = () =>
  new SafepointError('input_invalid', 'The cursor is not valid.', {
    details: { errors: [{ path: 'cursor', message: 'is not a cursor of this list' }] },
  })

/** Of a list that is short by its nature and read whole: all of it, unless less is asked for. */
export const shortQuery = pageQuery.extend({ limit: z.coerce.number().int().min(1).max(200).optional() })

/** A page of such a list. What the cursor names may have left the list since: then the page begins where that had stood. */
export function pageOf<Item>(
  all: readonly Item[],
  { limit = all.length, cursor }: z.output<typeof shortQuery>,
  idOf: (item: Item) => string,
): { readonly items: readonly Item[]; readonly nextCursor: string | null } {
  const [place, id] = readCursor(cursor, 2) ?? []
  const found = all.findIndex((item) => idOf(item) === id)
  const begin = id === undefined ? 0 : found >= 0 ? found + 1 : Number(place)
  if (!Number.isSafeInteger(begin) || begin < 0) throw badCursor()
  const items = all.slice(begin, begin + limit)
  const end = begin + items.length
  const last = items.at(-1)
  return {
    items,
    nextCursor: last !== undefined && end < all.length ? writeCursor([String(end - 1), idOf(last)]) : null,
  }
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
  return sendUnder(reply, version === undefined ? `"${hash}"` : `"${version}-${hash}"`, body)
}

/** The same under a tag that says it all, such as the version of what changes with it only. `body` is JSON. */
export function sendUnder(reply: FastifyReply, tag: string, body: string): FastifyReply {
  reply.header('etag', tag)
  const known = reply.request.headers['if-none-match']
  const tags = known?.split(',').map((one) => one.trim().replace(/^W\//, '')) ?? []
  if (tags.includes(tag) || tags.includes('*')) return reply.code(304).send()
  return reply.type('application/json; charset=utf-8').send(body)
}
