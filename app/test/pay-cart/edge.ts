import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'

/** An event of a gateway, byte for byte as it came. */
export interface Delivery {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

/**
 * The shop's public address, which outlives its servers: customers, browsers and gateways find the server of now behind it,
 * and a broken connection where there is none. Events of gateways are taken in and kept: whoever holds the edge decides which
 * of them are delivered, when and how often, as the network between a gateway and a shop does.
 */
export async function startEdge() {
  let target: URL | undefined
  let kept: Delivery[] = []

  const server = http.createServer((request, response) => {
    if (/-webhook(\?|$)/.test(request.url ?? '')) return void keep(request, response)
    if (!target) return void request.socket.destroy()
    const { hostname, port } = target
    const onward = http.request(
      { hostname, port, method: request.method, path: request.url, headers: request.headers, agent: false },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(response)
        answer.on('error', () => response.destroy())
      },
    )
    onward.on('error', () => response.destroy())
    request.pipe(onward)
  })

  async function keep(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const named = Object.entries(request.headers).filter(([name]) => /^content-type$|signature$|^x-/.test(name))
    const headers = Object.fromEntries(named.map(([name, value]) => [name, String(value)]))
    kept.push({ method: request.method ?? 'POST', path: request.url ?? '', headers, body: Buffer.concat(chunks) })
    response.end()
  }

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url,
    /** Who answers from now on; undefined: nobody. */
    pointTo(server: { readonly url: string } | undefined) {
      target = server && new URL(server.url)
    },
    /** What gateways have sent since the last call. */
    take(): Delivery[] {
      const taken = kept
      kept = []
      return taken
    },
    get waiting(): number {
      return kept.length
    },
    /** One attempt. The status; 0 where the connection broke. */
    async deliver({ method, path, headers, body }: Delivery): Promise<number> {
      if (!target) return 0
      try {
        const answer = await fetch(new URL(path, target), {
          method,
          headers,
          ...(method !== 'GET' && { body: new Uint8Array(body) }),
        })
        await answer.arrayBuffer()
        return answer.status
      } catch {
        return 0
      }
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export type Edge = Awaited<ReturnType<typeof startEdge>>
