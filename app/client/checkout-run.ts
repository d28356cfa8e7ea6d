import type { Client, Verdict } from 'safepoint/client'
import { countUndone, type CheckoutStage, type CheckoutState, type PlacedOrder, type Told } from './checkout-state.ts'

/** Undefined: another tab has brought the request to its end. */
export type Sending<T> = Promise<Verdict<T> | undefined>

/** What a checkout shows, and the one operation it has under way. */
export interface CheckoutRun {
  readonly state: () => CheckoutState
  readonly subscribe: (listener: () => void) => () => void
  set(next: CheckoutState): void
  tell(told: Told, key: string, order?: PlacedOrder): void
  /** Of an operation that is sent now: what the client's write takes. */
  begin(stage: CheckoutStage, order?: PlacedOrder): { readonly signal: AbortSignal; onKey(key: string): void }
  /** An operation that an earlier page had sent: it has no signal here, so a cancel goes by `stopIt`. */
  join(stage: CheckoutStage, key: string, stopIt: () => void, order?: PlacedOrder): void
  /** The key of what was just begun: the client tells it before its first await. */
  key(): string
  /** Goes on until the verdict is one. */
  settle<T>(key: string, sending: Sending<T>, again?: () => Sending<T>, order?: PlacedOrder): Sending<T>
  cancelAsked(): boolean
  noteCancelAsked(): void
  /** Asks for the running operation to be cancelled. */
  cancel(): void
}

export interface CheckoutRunOptions {
  readonly client: Pick<Client, 'watch'>
  /** Milliseconds before an unanswered request is asked about again. */
  readonly askAgainAfter: number
}

export function createCheckoutRun({ client, askAgainAfter }: CheckoutRunOptions): CheckoutRun {
  const listeners = new Set<() => void>()
  let state: CheckoutState = { status: 'idle' }
  let cancelAsked = false
  let stop: () => void = () => {}

  const set = (next: CheckoutState) => {
    state = next
    for (const listener of listeners) listener()
  }
  const tell = (told: Told, key: string, order?: PlacedOrder) =>
    set({ status: 'told', told, key, ...(order && { order }) })
  const show = (stage: CheckoutStage, key: string, order?: PlacedOrder) =>
    set({ status: 'running', stage, key, cancelAsked: false, ...(order && { order }) })

  function noteCancelAsked(): void {
    cancelAsked = true
    if (state.status === 'running') set({ ...state, cancelAsked })
  }

  /** A picture of the steps as they go: it decides nothing, and its failure changes nothing. */
  async function follow(key: string, until: AbortSignal): Promise<void> {
    try {
      for await (const view of client.watch(key, { signal: until })) {
        if (until.aborted || !('key' in state) || state.key !== key) return
        if (state.status === 'running') set({ ...state, view })
        else if (state.told.kind === 'undoing') set({ ...state, told: { kind: 'undoing', ...countUndone(view) } })
      }
    } catch {
      // The verdict arrives without it.
    }
  }

  function untilAskedAgain(): Promise<void> {
    return new Promise((resolve) => {
      const askNow = () => {
        clearTimeout(timer)
        if (state.status === 'running') {
          const { askNow: _, ...rest } = state
          set(rest)
        }
        resolve()
      }
      const timer = setTimeout(askNow, askAgainAfter)
      if (state.status === 'running') set({ ...state, askNow })
    })
  }

  return {
    state: () => state,
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    set,
    tell,
    begin(stage, order) {
      cancelAsked = false
      const controller = new AbortController()
      stop = () => controller.abort('user_cancel')
      return { signal: controller.signal, onKey: (key) => show(stage, key, order) }
    },
    join(stage, key, stopIt, order) {
      cancelAsked = false
      stop = stopIt
      show(stage, key, order)
    },
    key() {
      if (state.status !== 'running') throw new Error('nothing was begun')
      return state.key
    },
    async settle(key, sending, again, order) {
      const ended = new AbortController()
      void follow(key, ended.signal)
      try {
        let verdict = await sending
        while (verdict?.outcome === 'undoing' || verdict?.outcome === 'unknown') {
          if (verdict.outcome === 'undoing') {
            tell({ kind: 'undoing', undone: 0, total: 0 }, key, order)
            verdict = await verdict.settled
            continue
          }
          await untilAskedAgain()
          verdict = await (again ?? verdict.retry)()
        }
        return verdict
      } finally {
        ended.abort()
      }
    },
    cancelAsked: () => cancelAsked,
    noteCancelAsked,
    cancel() {
      if (state.status !== 'running' || state.cancelAsked) return
      const { askNow } = state
      noteCancelAsked()
      stop()
      askNow?.()
    },
  }
}
