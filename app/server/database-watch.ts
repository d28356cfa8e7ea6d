import net from 'node:net'
import pg from 'pg'

/** Milliseconds that a call may wait before the server is asked whether it is there at all. */
const patience = 700
/** Milliseconds that the server has for saying anything on a connection of its own. */
const probeTimeout = 600
/** Milliseconds from one look at what waits to the next. */
const interval = { late: 1000, silent: 200 }
/** A timer that comes later than this was held up by this process, and says nothing about the server. */
const lateness = 200

export interface DatabaseWatch {
  /** `pg`, whose connections are cut, and refused, while the server says nothing. */
  readonly driver: typeof pg
  /** Watches a call for as long as it waits. */
  watched<T>(call: () => Promise<T>): Promise<T>
  stop(): void
}

/**
 * A host that dies without a goodbye leaves connections on which nothing ever comes, and TCP finds out after minutes. So
 * where an answer is late the server is asked on a new connection. If it says anything, the answer is merely slow (a lock, a
 * long statement) and is waited for. If not, what stands is cut, and until it speaks again nobody waits for a connection: every
 * request is told `unavailable` within 2 s of the silence, and at once after that.
 */
export function watchDatabase(url: string): DatabaseWatch {
  const clients = new Set<pg.PoolClient>()
  const waiting = new Set<{ readonly since: number }>()
  let silent = false
  let timer: NodeJS.Timeout | undefined
  let stopped = false

  class WatchedPool extends pg.Pool {
    constructor(config?: pg.PoolConfig) {
      super(config)
      this.on('connect', (client) => clients.add(client))
      this.on('remove', (client) => clients.delete(client))
    }

    override connect(): Promise<pg.PoolClient>
    override connect(callback: (error: Error | undefined, client: any, done: any) => void): void
    override connect(callback?: (error: Error | undefined, client: any, done: any) => void): any {
      if (!silent) return callback ? super.connect(callback) : super.connect()
      if (!callback) return Promise.reject(silence())
      callback(silence(), undefined, () => {})
    }
  }

  const lookIn = (milliseconds: number) => setTimeout(() => void look(), milliseconds).unref()
  const look = async () => {
    // A set keeps the order of its additions.
    const [oldest] = waiting
    let next = oldest ? oldest.since + patience - performance.now() : undefined
    if (silent || (next !== undefined && next <= 0)) {
      const speaks = await probe(url)
      if (stopped) return
      if (speaks) silent = false
      else if (speaks === false && !silent) {
        silent = true
        for (const client of clients) streamOf(client)?.destroy(silence())
      }
      next = speaks ? interval.late : interval.silent
    }
    timer = next === undefined ? undefined : lookIn(next)
  }

  return {
    driver: { ...pg, Pool: WatchedPool } as unknown as typeof pg,
    async watched(call) {
      const one = { since: performance.now() }
      waiting.add(one)
      timer ??= lookIn(patience)
      try {
        return await call()
      } finally {
        waiting.delete(one)
      }
    },
    stop() {
      stopped = true
      clearTimeout(timer)
    },
  }
}

/** Asks whether it speaks TLS: a server answers that at once, before it asks who we are. */
const greeting = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])

/** Whether the server says anything; `undefined`: this process was too busy to tell. */
async function probe(url: string): Promise<boolean | undefined> {
  const { host, port } = new pg.Client({ connectionString: url })
  const socket = net.connect(host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port })
  const since = performance.now()
  try {
    return await new Promise<boolean | undefined>((resolve) => {
      socket.on('connect', () => socket.write(greeting))
      socket.on('data', () => resolve(true))
      socket.on('error', () => resolve(false))
      socket.on('close', () => resolve(false))
      setTimeout(
        () => resolve(performance.now() - since > probeTimeout + lateness ? undefined : false),
        probeTimeout,
      ).unref()
    })
  } finally {
    socket.destroy()
  }
}

/** A code that the engine knows for a database that is away. */
const silence = () => Object.assign(new Error('PostgreSQL does not answer.'), { code: 'ETIMEDOUT' })

/** The socket of a connection; `pg` has no other way to break one at once. */
const streamOf = (client: pg.ClientBase) =>
  (client as unknown as { connection?: { stream?: { destroy(error?: Error): void } } }).connection?.stream
