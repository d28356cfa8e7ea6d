import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'

/**
 * Lets an application close although clients keep connections. Those on which nothing was asked yet (browsers and undici open
 * such in advance) Node does not count as idle, so that closing would wait for the headers time-out of a minute. Those whose
 * request is answered while the application closes become idle too late for `server.closeIdleConnections`, and would be waited
 * for until their keep-alive ends: they are told `Connection: close`, and closed where that could not be said any more.
 */
export function closeSilentConnections(app: FastifyInstance): void {
  const silent = new Set<Socket>()
  let closing = false
  // Over TLS a request's socket is the secured one.
  app.server.on('setSecureContext' in app.server ? 'secureConnection' : 'connection', (socket: Socket) => {
    silent.add(socket)
    socket.once('close', () => silent.delete(socket))
  })
  app.server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    silent.delete(request.socket)
    response.once('close', () => closing && request.socket.destroySoon())
  })
  app.addHook('onSend', async (_request, reply) => {
    if (closing) reply.header('connection', 'close')
  })
  app.addHook('preClose', async () => {
    closing = true
    for (const socket of silent) socket.destroy()
  })
}
