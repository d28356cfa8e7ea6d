import type { Client } from 'safepoint/client'
import type { Exclusively, TabChannel } from './session.ts'

/** `data` as the server sent it. `leading`: this tab is the one that reads the stream, so that one of all tabs may act for all. */
export type LiveListener = (data: unknown, told: { readonly leading: boolean }) => void

/** What the server tells, in one stream for all tabs of a browser. */
export interface LiveEvents {
  /** Hears of `topic` (`cart`, `order:<id>`, …) until the returned function is called. */
  listen(topic: string, listener: LiveListener): () => void
  /** Takes part: of the tabs that do, one reads. */
  start(): void
  stop(): void
  leading(): boolean
}

export interface LiveEventsOptions {
  readonly client: Pick<Client, 'events'>
  readonly exclusively: Exclusively
  readonly tabs?: TabChannel | undefined
  /** Milliseconds after the first failure; it doubles up to 30 000. Default 500. */
  readonly backoff?: number
}

type TabMessage =
  | { readonly type: 'event'; readonly topic: string; readonly data: unknown }
  | { readonly type: 'wants'; readonly tab: string; readonly topics: readonly string[] }
  /** Asked by who begins to lead. */
  | { readonly type: 'who-wants-what' }

const lockName = 'pantry:events'
/** The server's own limit of one stream. */
const topicLimit = 20

/**
 * The tab that holds the lock connects, for the topics of every tab, and passes on what it hears. When it is closed the
 * browser gives the lock to the next, which connects anew and so misses nothing: a stream begins with how things stand.
 */
export function createLiveEvents(options: LiveEventsOptions): LiveEvents {
  const { client, exclusively, tabs, backoff = 500 } = options
  const own = Math.random().toString(36).slice(2)
  const listeners = new Map<string, Set<LiveListener>>()
  const others = new Map<string, readonly string[]>()
  let run: AbortController | undefined
  let connection: AbortController | undefined
  let leads = false
  let failures = 0

  const topics = (): string[] =>
    [...new Set([...listeners.keys(), ...[...others.values()].flat()])].sort().slice(0, topicLimit)
  const tell = (topic: string, data: unknown) => {
    for (const listener of listeners.get(topic) ?? []) listener(data, { leading: leads })
  }
  const announce = () => {
    if (run) tabs?.send({ type: 'wants', tab: own, topics: [...listeners.keys()] } satisfies TabMessage)
  }
  let connected = ''
  const reconnectIfOther = () => {
    if (leads && topics().join() !== connected) connection?.abort()
  }

  tabs?.listen((data) => {
    const message = data as TabMessage
    if (message.type === 'event') tell(message.topic, message.data)
    else if (message.type === 'who-wants-what') announce()
    else {
      others.set(message.tab, message.topics)
      reconnectIfOther()
    }
  })

  async function lead(stopped: AbortSignal): Promise<void> {
    if (stopped.aborted) return
    leads = true
    others.clear()
    tabs?.send({ type: 'who-wants-what' } satisfies TabMessage)
    failures = 0
    while (!stopped.aborted) {
      connection = new AbortController()
      const drop = () => connection?.abort()
      stopped.addEventListener('abort', drop)
      const asked = (connected = topics().join())
      try {
        if (asked !== '') await read(connection.signal)
      } catch {
        failures++
      } finally {
        stopped.removeEventListener('abort', drop)
      }
      if (stopped.aborted) break
      // Other topics are wanted: at once. None are: until some are.
      if (connection.signal.aborted) continue
      if (asked === '' && topics().length === 0) await quiet(connection.signal)
      // Ended (its token had, or the server): not all browsers come back in the same moment.
      else await pause(Math.random() * Math.min(30_000, backoff * 2 ** failures), stopped)
    }
    leads = false
  }

  /** The event's type is its topic. */
  async function read(signal: AbortSignal): Promise<void> {
    const path = `/api/events?topics=${encodeURIComponent(connected)}`
    for await (const { event: topic, data: text } of client.events(path, { signal })) {
      failures = 0
      const data: unknown = JSON.parse(text)
      tell(topic, data)
      tabs?.send({ type: 'event', topic, data } satisfies TabMessage)
    }
  }

  return {
    listen(topic, listener) {
      const hearing = listeners.get(topic) ?? new Set()
      listeners.set(topic, hearing.add(listener))
      if (hearing.size === 1) {
        announce()
        reconnectIfOther()
      }
      return () => {
        hearing.delete(listener)
        if (hearing.size > 0) return
        listeners.delete(topic)
        announce()
        reconnectIfOther()
      }
    },
    start() {
      if (run) return
      const { signal } = (run = new AbortController())
      announce()
      void exclusively(lockName, () => lead(signal)).catch(() => {})
    },
    stop() {
      run?.abort()
      run = undefined
      tabs?.send({ type: 'wants', tab: own, topics: [] } satisfies TabMessage)
    },
    leading: () => leads,
  }
}

/** Until `signal` fires. */
function quiet(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end)
    if (signal.aborted) end()
  })
}
