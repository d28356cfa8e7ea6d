import net from 'node:net'

/** A request as bytes, by a client that knows nothing of us. */
export interface RawRequest {
  readonly origin: string
  readonly method: 'POST' | 'PUT' | 'DELETE'
  readonly path: string
  readonly token: string
  readonly key: string
  readonly body?: object
}

/** How much of a request is sent before the client does something else. */
export type Part = 'half of the head' | 'half of the body' | 'all of it'

/** Sends part of a request over a connection of its own. Resolves when the kernel has taken the bytes. */
export async function sendPart(request: RawRequest, part: Part): Promise<net.Socket> {
  const { origin, method, path, token, key, body } = request
  const { hostname, port, host } = new URL(origin)
  const text = body === undefined ? '' : JSON.stringify(body)
  const head = [
    `${method} ${path} HTTP/1.1`,
    `host: ${host}`,
    `authorization: Bearer ${token}`,
    `idempotency-key: ${key}`,
    ...(body === undefined ? [] : ['content-type: application/json', `content-length: ${Buffer.byteLength(text)}`]),
    '',
    '',
  ].join('\r\n')
  const bytes = {
    'half of the head': head.slice(0, head.length / 2),
    'half of the body': head + text.slice(0, text.length / 2),
    'all of it': head + text,
  }[part]
  const socket = net.connect({ host: hostname, port: Number(port), noDelay: true })
  // It leaves before it is answered; what it is told then is of no interest to it.
  socket.on('error', () => {})
  socket.resume()
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
    socket.write(bytes, (error) => (error ? reject(error) : resolve()))
  })
  return socket
}

/** How a client leaves: with a goodbye, without one, or closing its sending half only. */
export type Leaving = 'close' | 'reset' | 'half-close'

/** Resolves when the connection is gone, which after a half-close is when the server has ended it. */
export async function leave(socket: net.Socket, how: Leaving): Promise<void> {
  if (socket.closed) return
  const gone = new Promise((resolve) => socket.once('close', resolve))
  if (how === 'half-close') socket.end()
  else if (how === 'reset') socket.resetAndDestroy()
  else socket.destroy()
  await gone
}
