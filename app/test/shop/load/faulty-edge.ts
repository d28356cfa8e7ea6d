import { Agent, createServer, request as send, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What becomes of a request on its way. */
export type OnTheWay =
  | 'pass'
  /** The connection breaks before the request arrives. */
  | 'cut'
  /** The server has done it, and the connection breaks before its answer arrives. */
  | 'lose answer'
  /** What a proxy says whose server is away. */
  | '503'

/** One request, as seen from the network. */
export interface Exchange {
  readonly method: string
  readonly path: string
  readonly way: OnTheWay
  /** 0: there was no answer. */
  readonly status: number
  readonly milliseconds: number
  readonly body: string
}

/**
 * The network between one browser and the shop: measures each request, and breaks those that `rule` says. Requests go on over
 * connections that are kept, as a proxy's do.
 */
export async function startFaultyEdge(target: string, tell: (exchange: Exchange) => void) {
  const agent = new Agent({ keepAlive: true })
  const edge = { rule: (_method: string, _path: string): OnTheWay => 'pass' }
  const streams = new Set<ServerResponse>()
  const server = createServer((incoming, outgoing) => void forward(incoming, outgoing).catch(() => outgoing.destroy()))

  async function forward(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const began = performance.now()
    const method = incoming.method!
    const path = incoming.url!
    const body = await textOf(incoming)
    const way = edge.rule(method, path)
    let status = 0
    const told = () => tell({ method, path, way, status, milliseconds: performance.now() - began, body })
    if (way === 'cut') {
      told()
      return void outgoing.destroy()
    }
    if (way === '503') {
      status = 503
      outgoing.writeHead(503, { 'retry-after': '0', 'content-type': 'text/plain' }).end('The server is away.')
      return told()
    }
    let upstream: ReturnType<typeof send> | undefined
    outgoing.once('close', () => outgoing.writableFinished || upstream?.destroy())
    try {
      const answer = await new Promise<IncomingMessage>((resolve, reject) => {
        const { host: _, connection: __, ...headers } = incoming.headers
        upstream = send(target + path, { method, headers, agent }, resolve)
        upstream.once('error', reject)
        upstream.end(body)
      })
      status = answer.statusCode!
      if (way === 'lose answer') {
        await textOf(answer)
        told()
        return void outgoing.destroy()
      }
      const isStream = /event-stream/.test(answer.headers['content-type'] ?? '')
      if (isStream) {
        streams.add(outgoing)
        outgoing.once('close', () => streams.delete(outgoing))
      } else answer.once('end', told)
      outgoing.writeHead(status, answer.headers)
      answer.pipe(outgoing)
    } catch (error) {
      // Who has left is told nothing, and that is nobody's fault.
      if (!outgoing.destroyed) told()
      throw error
    }
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    edge,
    /** What is being told on open streams is heard no more. */
    cutStreams() {
      for (const stream of streams) stream.destroy()
    },
    async close() {
      server.closeAllConnections()
      agent.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export type FaultyEdge = Awaited<ReturnType<typeof startFaultyEdge>>

async function textOf(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}
