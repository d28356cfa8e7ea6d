import type { FastifyRequest } from 'fastify'
import { engineError } from '../errors.ts'

/**
 * The input of an operation as it was received: path parameters, query and the members of a JSON body in one object. Throws
 * `input_invalid` where a body is not an object or where two of the three name the same field, so that none silently wins.
 */
export function mergedInput(request: FastifyRequest): Record<string, unknown> {
  const body = request.body ?? {}
  if (typeof body !== 'object' || Array.isArray(body) || Buffer.isBuffer(body)) {
    throw invalid([{ path: '', message: 'The body must be a JSON object.' }])
  }
  const merged = new Map<string, unknown>()
  const clashes: { path: string; message: string }[] = []
  for (const part of [request.params, request.query, body]) {
    for (const [name, value] of Object.entries(part ?? {})) {
      if (merged.has(name)) clashes.push({ path: name, message: 'Given twice: in the path, the query or the body.' })
      merged.set(name, value)
    }
  }
  if (clashes.length > 0) throw invalid(clashes)
  return Object.fromEntries(merged)
}

/** What the fingerprint is made of where an application derives the input: the request as it was received. */
export function receivedRequest(request: FastifyRequest): unknown {
  const { params, query, body } = request
  return { params, query, body: Buffer.isBuffer(body) ? body.toString('base64') : body }
}

const invalid = (errors: readonly { path: string; message: string }[]) =>
  engineError('input_invalid', 'The input is not valid.', { details: { errors } })
