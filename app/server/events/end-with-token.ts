import type { FastifyReply, FastifyRequest } from 'fastify'
import { findIdentity } from '../accounts/authenticate.ts'

/**
 * A hook for the engine's own routes, whose stream knows nothing of tokens: the stream of an operation ends with the token that
 * it was opened with, as those of `accountStream` do. It is cut, so that the client comes back with a new one.
 */
export async function endWithToken(request: FastifyRequest, { raw }: FastifyReply): Promise<void> {
  const identity = findIdentity(request)
  if (!identity || !request.routeOptions.url?.endsWith('/events')) return
  const end = setTimeout(() => raw.destroy(), Math.max(0, identity.expiresAt * 1000 - Date.now()))
  raw.once('close', () => clearTimeout(end))
}
