import type { SignalBus } from './signal-bus.ts'

type Listener = (data: string, origin: 'here' | 'elsewhere') => void

/** The subscribers of one process. Every bus delivers through one of these; alone it serves a single process. */
export function localBus(): SignalBus & {
  deliver(topic: string, data: string, origin: 'here' | 'elsewhere'): void
  gap(): void
} {
  const listeners = new Map<string, Set<Listener>>()
  const gapListeners = new Set<() => void>()
  const deliver = (topic: string, data: string, origin: 'here' | 'elsewhere') => {
    for (const listener of listeners.get(topic) ?? []) {
      try {
        listener(data, origin)
      } catch (error) {
        // What was decided is decided, and is told; and one listener must not keep the news from the others.
        process.emitWarning(error instanceof Error ? error : String(error))
      }
    }
  }
  return {
    deliver,
    gap: () => gapListeners.forEach((listener) => listener()),
    publish: (topic, data = '') => deliver(topic, data, 'here'),
    subscribe(topic, listener) {
      let set = listeners.get(topic)
      if (!set) listeners.set(topic, (set = new Set()))
      set.add(listener)
      return () => {
        set.delete(listener)
        if (set.size === 0 && listeners.get(topic) === set) listeners.delete(topic)
      }
    },
    onGap(listener) {
      gapListeners.add(listener)
      return () => gapListeners.delete(listener)
    },
    start: async () => {},
    close: async () => {},
  }
}
