import type { FastifyReply } from 'fastify'

/**
 * Fires when the client has gone before the answer was sent. Made of the response's `close`: `request.signal` of Fastify
 * 5.12 aborts healthy requests that have a body (fastify#6725). A client that only closes its sending half counts as gone
 * too, which is why a disconnect merely asks for what the operation's policy says.
 */
export function disconnectOf(reply: FastifyReply): AbortSignal {
  const { raw } = reply
  const controller = new AbortController()
  const socketGone = reply.request.raw.socket?.destroyed
  if (!raw.writableFinished && (raw.destroyed || socketGone)) controller.abort()
  else raw.once('close', () => raw.writableFinished || controller.abort())
  return controller.signal
}
