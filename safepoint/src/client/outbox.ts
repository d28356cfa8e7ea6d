import type { Report } from './events.ts'
import type { PendingRequest, RequestStorage } from './request-storage.ts'

/**
 * Requests without a final verdict. What the storage refuses is kept in memory, so that a full storage costs the
 * protection against a reload and nothing else; whoever asked is told (`persisted: false`, event `storage_failed`).
 */
export interface Outbox {
  /** Whether the storage has it. Never rejects. */
  put(request: PendingRequest): Promise<boolean>
  /** Never rejects: what stays behind is asked about once more after a reload, which is harmless. */
  remove(request: Pick<PendingRequest, 'key' | 'account'>): Promise<void>
  find(account: string, key: string): Promise<PendingRequest | undefined>
  /** Oldest first. Rejects with what the storage threw: an empty list would be a lie. */
  list(account: string): Promise<PendingRequest[]>
}

export function createOutbox(storage: RequestStorage, report: Report): Outbox {
  const unstored = new Map<string, PendingRequest>()
  const underWay = new Map<string, Promise<unknown>>()

  /** One change of a request after the other, or a slow `set` could bring back what was deleted meanwhile. */
  function inTurn<T>(id: string, work: () => Promise<T>): Promise<T> {
    const before = underWay.get(id)
    const turn = before ? before.then(work) : work()
    underWay.set(id, turn)
    return turn.finally(() => {
      if (underWay.get(id) === turn) underWay.delete(id)
    })
  }

  const list = async (account: string) => {
    const stored = await storage.list()
    const requests = new Map(stored.map((request) => [idOf(request), request]))
    for (const [id, request] of unstored) requests.set(id, request)
    return [...requests.values()]
      .filter((request) => request.account === account)
      .sort((a, b) => (a.createdAt < b.createdAt ? -1 : a.createdAt > b.createdAt ? 1 : 0))
  }

  return {
    put: (request) =>
      inTurn(idOf(request), async () => {
        try {
          await storage.set(idOf(request), request)
          unstored.delete(idOf(request))
          return true
        } catch (cause) {
          unstored.set(idOf(request), request)
          report({ type: 'storage_failed', key: request.key, action: 'set', cause })
          return false
        }
      }),
    remove: (request) =>
      inTurn(idOf(request), async () => {
        unstored.delete(idOf(request))
        try {
          await storage.delete(idOf(request))
        } catch (cause) {
          report({ type: 'storage_failed', key: request.key, action: 'delete', cause })
        }
      }),
    find: async (account, key) => (await list(account)).find((request) => request.key === key),
    list,
  }
}

function idOf({ account, key }: Pick<PendingRequest, 'key' | 'account'>): string {
  return `${encodeURIComponent(account)}|${key}`
}
