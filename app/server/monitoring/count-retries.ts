import type { TransactionRetry } from 'safepoint'

/** Further runs of transactions since this process began, by operation and cause (a SQLSTATE, or `conflict`). */
export type RetryCounts = Readonly<Record<string, Readonly<Record<string, number>>>>

export interface RetryCounter {
  count(retry: TransactionRetry): void
  read(): RetryCounts
}

/** Counts what the engine tells of retries. As many figures as there are operations and causes: both are closed sets. */
export function countRetries(): RetryCounter {
  const counts = new Map<string, Map<string, number>>()
  return {
    count({ operation, cause }) {
      const of = counts.get(operation) ?? new Map<string, number>()
      counts.set(operation, of.set(cause, (of.get(cause) ?? 0) + 1))
    },
    read: () => Object.fromEntries([...counts].map(([operation, of]) => [operation, Object.fromEntries(of)])),
  }
}
