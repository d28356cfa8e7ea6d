import type { RecoveryWindow } from '../../client/cart-recovery.ts'

type Listener = Parameters<RecoveryWindow['addEventListener']>[1]

/** As much of a window as the recovery uses, with what an earlier program has left in both of its storages. */
export function pretendWindow(left: Readonly<Record<string, string>>) {
  const listeners = new Set<Listener>()
  const window: RecoveryWindow = {
    localStorage: storage(left),
    sessionStorage: storage(left),
    addEventListener: (_, listener) => void listeners.add(listener),
    removeEventListener: (_, listener) => void listeners.delete(listener),
  }
  return {
    ...window,
    /** A promise was rejected, and nobody listened. */
    reject(reason: unknown): 'caught' | 'left alone' {
      let caught = false
      for (const listener of listeners) listener({ reason, preventDefault: () => (caught = true) })
      return caught ? 'caught' : 'left alone'
    },
  }
}

function storage(left: Readonly<Record<string, string>>): RecoveryWindow['localStorage'] {
  const items = new Map(Object.entries(left))
  return {
    getItem: (name) => items.get(name) ?? null,
    setItem: (name, value) => void items.set(name, value),
    removeItem: (name) => void items.delete(name),
  }
}
