import { AsyncLocalStorage } from 'node:async_hooks'

/** Told apart from a run outside: within an atomic handler another operation is called as a function with the same `tx`. */
export const insideAtomic = new AsyncLocalStorage<true>()
