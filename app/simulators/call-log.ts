/** One moment on two clocks, both in milliseconds. */
export interface Instant {
  /** Since the Unix epoch; may be stepped by NTP. */
  readonly wall: number
  /** CLOCK_MONOTONIC: never steps back and is the same for every process of one Linux host, so that logs can be merged. */
  readonly monotonic: number
}

export type CallOutcome = 'pending' | 'answered' | 'dropped' | 'aborted'

/** What a simulator saw of one API call. `executed` says that the vendor's book may have changed. */
export interface Call {
  readonly sequence: number
  readonly method: string
  readonly path: string
  readonly key: string | null
  /** Flat, as on the wire: `metadata[operation]`. */
  readonly params: Readonly<Record<string, string>>
  readonly arrivedAt: Instant
  answeredAt: Instant | null
  status: number | null
  /** `aborted`: the client had gone before the answer was written; the work stands all the same. */
  outcome: CallOutcome
  aborted: boolean
  executed: boolean
  replayed: boolean
  /** Kinds of the faults applied, in order. */
  readonly faults: string[]
}

export interface CallLog {
  open(call: Pick<Call, 'method' | 'path' | 'key' | 'params' | 'arrivedAt'>): Call
  /** The client has gone; the call goes on. */
  abort(call: Call): void
  close(call: Call, outcome: Exclude<CallOutcome, 'pending'>, status: number | null): void
  list(): readonly Call[]
  /** Resolves with the first call, past or future, that satisfies `predicate`; looked at whenever a call opens, is aborted or closes. */
  until(predicate: (call: Call) => boolean): Promise<Call>
  clear(): void
}

export function now(): Instant {
  return { wall: Date.now(), monotonic: Number(process.hrtime.bigint()) / 1e6 }
}

export function createCallLog(): CallLog {
  let sequence = 0
  let calls: Call[] = []
  const waiting = new Set<() => void>()
  const changed = () => {
    for (const look of waiting) look()
  }
  return {
    open(seen) {
      sequence += 1
      const call: Call = {
        ...seen,
        sequence,
        answeredAt: null,
        status: null,
        outcome: 'pending',
        aborted: false,
        executed: false,
        replayed: false,
        faults: [],
      }
      calls.push(call)
      changed()
      return call
    },
    abort(call) {
      call.aborted = true
      changed()
    },
    close(call, outcome, status) {
      call.outcome = outcome
      call.status = status
      call.answeredAt = now()
      changed()
    },
    list: () => calls,
    until(predicate) {
      return new Promise((resolve) => {
        const look = () => {
          const found = calls.find(predicate)
          if (!found) return
          waiting.delete(look)
          resolve(found)
        }
        waiting.add(look)
        look()
      })
    },
    clear() {
      calls = []
    },
  }
}
