import type { SignalBus, SqlTransaction } from 'safepoint'
import { announce } from '../announce.ts'
import type { Reader } from '../database.ts'
import { listEndedSessions } from './ended-sessions.queries.ts'
import { longestAccess } from './tokens.ts'

/** What this process knows of sessions that have ended before their access tokens. */
export interface EndedSessions {
  has(sessionId: string): Promise<boolean>
  /** Calls `listener` when it ends. Answers how to stop listening. */
  onEnd(sessionId: string, listener: () => void): () => void
}

export interface EndedSessionsOptions {
  readonly database: Reader
  readonly bus: SignalBus
  /** Milliseconds after which they are read afresh without having been told: signals may be lost. Default 5000. */
  readonly ttl?: number
}

const topic = 'sessions.ended'

/** Tells every process once this transaction has committed. */
export function announceEnded(tx: SqlTransaction, sessionIds: readonly string[]): void {
  for (const id of sessionIds) announce(tx, topic, id)
}

/**
 * An access token says nothing of its session's end, and a look at the session with every request would double what a read costs.
 * So each process keeps the few that ended while their tokens may live: told by a signal as it commits (in the process that ended
 * it before the answer is out), and read afresh at the first request after `ttl`, so that a lost signal delays by no more.
 */
export function rememberEndedSessions({ database, bus, ttl = 5000 }: EndedSessionsOptions): EndedSessions {
  /** Until when each has to be known. */
  const ended = new Map<string, number>()
  const listeners = new Map<string, Set<() => void>>()
  let freshUntil = Number.NEGATIVE_INFINITY
  let gaps = 0
  let reading: Promise<void> | undefined

  const note = (id: string) => {
    const isNew = !ended.has(id)
    ended.set(id, performance.now() + longestAccess)
    if (isNew) for (const listener of listeners.get(id) ?? []) listener()
  }
  bus.subscribe(topic, note)
  bus.onGap(() => {
    gaps++
    freshUntil = Number.NEGATIVE_INFINITY
  })

  async function read(): Promise<void> {
    const [began, gap] = [performance.now(), gaps]
    for (const id of await listEndedSessions(database, longestAccess)) note(id)
    for (const [id, until] of ended) if (until < began) ended.delete(id)
    if (gap === gaps) freshUntil = began + ttl
  }

  return {
    async has(sessionId) {
      if (ended.has(sessionId)) return true
      if (performance.now() >= freshUntil) {
        reading ??= read().finally(() => (reading = undefined))
        await reading
      }
      return ended.has(sessionId)
    },
    onEnd(sessionId, listener) {
      const own = listeners.get(sessionId) ?? new Set()
      listeners.set(sessionId, own.add(listener))
      return () => {
        own.delete(listener)
        if (own.size === 0 && listeners.get(sessionId) === own) listeners.delete(sessionId)
      }
    },
  }
}
