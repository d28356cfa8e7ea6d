import net from 'node:net'

/** One connection through the proxy. */
export interface Link {
  /** Breaks it, on both sides, as a dead host would: without a goodbye. */
  cut(): void
}

/** What becomes of bytes that arrived. */
export type Verdict = 'forward' | 'cut' | 'forward, then cut'

export interface TcpProxyOptions {
  /** Decides about each burst of bytes, before it is passed on. */
  readonly intercept?: (from: 'client' | 'server', bytes: Buffer, link: Link) => Verdict
}

/**
 * A proxy before the server of a PostgreSQL URL that can be cut, that can refuse, and that can swallow everything without a
 * word, as a network does whose packets are dropped.
 */
export async function startTcpProxy(target: string, options: TcpProxyOptions = {}) {
  const { intercept = () => 'forward' as const } = options
  const url = new URL(target)
  const destination = { host: url.hostname, port: Number(url.port) }
  const links = new Set<Link>()
  let swallowing = false

  const server = net.createServer({ noDelay: true }, (client) => {
    const upstream = net.connect({ ...destination, noDelay: true })
    const link: Link = {
      cut() {
        links.delete(link)
        client.resetAndDestroy()
        upstream.resetAndDestroy()
      },
    }
    links.add(link)
    const pass = (from: 'client' | 'server', bytes: Buffer, to: net.Socket) => {
      if (swallowing) return
      const verdict = intercept(from, bytes, link)
      if (verdict === 'cut') link.cut()
      else if (verdict === 'forward') to.write(bytes)
      // What was passed on still arrives: only then is the connection gone.
      else to.end(bytes, () => setImmediate(() => link.cut()))
    }
    client.on('data', (bytes) => pass('client', bytes, upstream))
    upstream.on('data', (bytes) => pass('server', bytes, client))
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on('error', () => other.destroy())
      one.on('close', () => {
        links.delete(link)
        other.destroy()
      })
    }
  })
  const listen = (port: number) =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, '127.0.0.1', () => {
        server.off('error', reject)
        resolve()
      })
    })
  await listen(0)
  const { port } = server.address() as net.AddressInfo
  url.hostname = '127.0.0.1'
  url.port = String(port)
  const cut = () => [...links].forEach((link) => link.cut())

  return {
    /** The given URL, through the proxy. */
    url: url.href,
    /** How many connections stand. */
    links: () => links.size,
    cut,
    /** From now on new connections are refused; `cut` breaks the ones that stand. */
    refuse: () => new Promise<void>((resolve) => (server.close(() => resolve()), cut())),
    /** From now on nothing is passed on, and nothing is refused. */
    swallow: () => void (swallowing = true),
    /** The way is free again. What was swallowed is gone, so the connections that stand are useless. */
    async restore() {
      if (swallowing) cut()
      swallowing = false
      if (!server.listening) await listen(port)
    },
    async close() {
      cut()
      if (server.listening) await new Promise((resolve) => server.close(resolve))
    },
  }
}

export type TcpProxy = Awaited<ReturnType<typeof startTcpProxy>>
