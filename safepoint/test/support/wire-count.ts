import { startTcpProxy, type Link } from './tcp-proxy.ts'

/** What one client sent. */
export interface WireCount {
  /** Execute and simple Query messages. */
  statements: number
  /** Bursts of bytes, each sent after the server had said that it is ready. */
  flights: number
  /** Flush and Sync messages: requests for an answer. */
  syncs: number
}

/**
 * A proxy that reads PostgreSQL's frontend/backend protocol 3 (https://www.postgresql.org/docs/current/protocol-message-formats.html)
 * and counts what is sent through it. Start-up messages are not counted.
 */
export async function startWireCount(target: string) {
  let total: WireCount = { statements: 0, flights: 0, syncs: 0 }
  const sides = new WeakMap<Link, { client: Frames; server: Frames; ready: boolean }>()
  const proxy = await startTcpProxy(target, {
    intercept(from, bytes, link) {
      let side = sides.get(link)
      if (!side) sides.set(link, (side = { client: frames(true), server: frames(false), ready: false }))
      if (from === 'server') {
        for (const type of side.server(bytes)) if (type === 'Z') side.ready = true
        return 'forward'
      }
      if (side.ready) total.flights++
      side.ready = false
      for (const type of side.client(bytes)) {
        if (type === 'E' || type === 'Q') total.statements++
        if (type === 'S' || type === 'H') total.syncs++
      }
      return 'forward'
    },
  })
  return {
    ...proxy,
    /** What has been sent since the last call. */
    take(): WireCount {
      const taken = total
      total = { statements: 0, flights: 0, syncs: 0 }
      return taken
    },
  }
}

/** The types of the messages that end within the bytes given; the rest is kept for the next call. */
type Frames = (bytes: Buffer) => string[]

function frames(hasStartup: boolean): Frames {
  let kept = Buffer.alloc(0)
  let inStartup = hasStartup
  return (bytes) => {
    kept = Buffer.concat([kept, bytes])
    const types: string[] = []
    for (;;) {
      // The first message of a client has a length and no type.
      const head = inStartup ? 0 : 1
      if (kept.length < head + 4) return types
      const end = head + kept.readInt32BE(head)
      if (kept.length < end) return types
      if (!inStartup) types.push(String.fromCharCode(kept[0]!))
      inStartup = false
      kept = kept.subarray(end)
    }
  }
}
