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
  /** Puts what `change` makes of it, where it is still there, and answers with that. Never rejects. */
  change(
    account: string,
    key: string,
    change: (request: PendingRequest) => PendingRequest,
  ): Promise<PendingRequest | undefined>
  /** Those that the storage has refused, oldest first. */
  kept(account: string): PendingRequest[]
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

  const ofAccount = (account: string, requests: Iterable<PendingRequest>) =>
    [...requests]
      .filter((request) => request.account === account)
      .sort((a, b) => (a.createdAt < b.createdAt ? -1 : a.createdAt > b.createdAt ? 1 : 0))
  const list = async (account: string) => {
    const stored = await storage.list()
    const requests = new Map(stored.map((request) => [idOf(request), request]))
    for (const [id, request] of unstored) requests.set(id, request)
    return ofAccount(account, requests.values())
  }
  const find = async (account: string, key: string) =>
    unstored.get(idOf({ account, key })) ?? (await list(account)).find((request) => request.key === key)
  const store = async (request: PendingRequest): Promise<boolean> => {
    try {
      await storage.set(idOf(request), request)
      unstored.delete(idOf(request))
      return true
    } catch (cause) {
      unstored.set(idOf(request), request)
      report({ type: 'storage_failed', key: request.key, action: 'set', cause })
      return false
    }
  }

  return {
    put: (request) => inTurn(idOf(request), () => store(request)),
    change: (account, key, change) =>
      inTurn(idOf({ account, key }), async () => {
        const request = await find(account, key).catch(() => undefined)
        const changed = request && change(request)
        if (changed) await store(changed)
        return changed
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
    find,
    kept: (account) => ofAccount(account, unstored.values()),
    list,
  }
}

function idOf({ account, key }: Pick<PendingRequest, 'key' | 'account'>): string {
  return `${encodeURIComponent(account)}|${key}`
}
