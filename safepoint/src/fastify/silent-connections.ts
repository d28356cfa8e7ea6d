import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'

/**
 * Lets an application close although clients keep connections. Those on which nothing was asked yet (browsers and undici open
 * such in advance), and those on which a request has come in part only, Node does not count as idle, and once it closes it
 * ends none of them for being slow: they are cut, as nothing has begun for them. Those whose request is answered while the
 * application closes become idle too late for `server.closeIdleConnections`, and would be waited for until their keep-alive
 * ends: they are told `Connection: close`, and closed where that could not be said any more.
 */
export function closeSilentConnections(app: FastifyInstance): void {
  /** What was asked last on each connection, and is not answered yet. */
  const connections = new Map<Socket, IncomingMessage | undefined>()
  let closing = false
  // Over TLS a request's socket is the secured one.
  app.server.on('setSecureContext' in app.server ? 'secureConnection' : 'connection', (socket: Socket) => {
    connections.set(socket, undefined)
    socket.once('close', () => connections.delete(socket))
  })
  app.server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request
    connections.set(socket, request)
    response.once('close', () => {
      if (connections.get(socket) === request) connections.set(socket, undefined)
      if (closing) socket.destroySoon()
    })
  })
  app.addHook('onSend', async (_request, reply) => {
    if (closing) reply.header('connection', 'close')
  })
  app.addHook('preClose', async () => {
    closing = true
    for (const [socket, request] of connections) if (!request?.complete) socket.destroy()
  })
}
