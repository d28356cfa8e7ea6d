import http from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Passing {
  readonly method: string
  readonly path: string
  readonly headers: http.IncomingHttpHeaders
  readonly body: Buffer
}

/** A shop that has a flaw: what reaches the sound one at `target` is not quite what was sent. */
export async function startFlawedShop(target: string, flaw: (sent: Passing) => Passing) {
  const server = http.createServer(
    (incoming, outgoing) => void pass(incoming, outgoing).catch(() => outgoing.destroy()),
  )

  async function pass(incoming: http.IncomingMessage, outgoing: http.ServerResponse): Promise<void> {
    const body = Buffer.concat(await incoming.toArray())
    const { host: _, ...own } = incoming.headers
    const { path, ...sent } = flaw({ method: incoming.method!, path: incoming.url!, headers: own, body })
    const headers = { ...sent.headers, 'content-length': String(sent.body.length) }
    const answer = await new Promise<http.IncomingMessage>((resolve, reject) => {
      const request = http.request(target + path, { method: sent.method, headers }, resolve)
      request.once('error', reject)
      outgoing.once('close', () => request.destroy())
      request.end(sent.body)
    })
    outgoing.writeHead(answer.statusCode!, answer.headers)
    answer.pipe(outgoing)
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(resolve))
    },
  }
}
