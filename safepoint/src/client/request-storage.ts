import { isKey, isPath } from './transport.ts'

/**
 * A write that was asked for and has no final verdict yet. It may or may not have been sent: the key makes that harmless.
 * Headers other than If-Match are not kept, as they may hold credentials; they are made anew when it is sent again.
 */
export interface PendingRequest {
  readonly key: string
  readonly method: 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  /** The JSON text as sent, byte for byte. Absent: no body, or one that cannot be kept (`bodyLost`). */
  readonly body?: string
  /** The body is no JSON (a form, a file): after a reload it can be asked about and cancelled, but not sent again. */
  readonly bodyLost?: true
  readonly ifMatch?: string
  /** Whose request it is, as the `account` option said when it was made. */
  readonly account: string
  /** ISO 8601. */
  readonly createdAt: string
  /** It was cancelled, and no answer came: it will be cancelled again, never sent again. */
  readonly cancel?: { readonly key: string; readonly reason?: string }
}

/**
 * Where requests wait for their verdict. `id` is opaque and unique per account and key. Writes must be durable when the
 * call returns (or its promise resolves): the request is sent right after. Values are plain JSON.
 */
export interface RequestStorage {
  set(id: string, request: PendingRequest): void | Promise<void>
  /** Deleting what is not there is no error. */
  delete(id: string): void | Promise<void>
  list(): readonly PendingRequest[] | Promise<readonly PendingRequest[]>
}

/** Lives as long as the process or page: the default where there is no `localStorage`. */
export function memoryStorage(): RequestStorage {
  const requests = new Map<string, PendingRequest>()
  return {
    set: (id, request) => void requests.set(id, request),
    delete: (id) => void requests.delete(id),
    list: () => [...requests.values()],
  }
}

/** The part of the DOM's `Storage` that is used, so that nothing here needs the DOM to compile. */
export interface WebStorage {
  readonly length: number
  key(index: number): string | null
  getItem(name: string): string | null
  setItem(name: string, value: string): void
  removeItem(name: string): void
}

/**
 * Requests in `localStorage` (or another web storage), one item each under `safepoint:<name>|<account>|<key>`; `name` is
 * the base URL by default, so that two servers never see each other's requests. Shared by the tabs of one origin.
 * `set` throws what the storage throws (`QuotaExceededError`, `SecurityError`); the client tells it.
 */
export function browserStorage(name: string, storage: () => WebStorage = () => globalLocalStorage()): RequestStorage {
  const prefix = `safepoint:${name}|`
  return {
    set: (id, request) => storage().setItem(prefix + id, JSON.stringify(request)),
    delete: (id) => storage().removeItem(prefix + id),
    list() {
      const items = storage()
      const requests: PendingRequest[] = []
      for (let index = 0; index < items.length; index++) {
        const item = items.key(index)
        const text = item?.startsWith(prefix) ? items.getItem(item) : null
        const request = text === null ? undefined : parseRequest(text)
        if (request) requests.push(request)
      }
      return requests
    },
  }
}

/** `localStorage` in a page; elsewhere memory (Node's own experiment of that name is not what a server wants). */
export function defaultStorage(name: string): RequestStorage {
  return 'document' in globalThis ? browserStorage(name) : memoryStorage()
}

function globalLocalStorage(): WebStorage {
  const storage = (globalThis as { localStorage?: WebStorage }).localStorage
  if (!storage) throw new Error('there is no localStorage here')
  return storage
}

/** An item damaged by something else must not hide the others, nor be sent: its path might lead elsewhere. */
function parseRequest(text: string): PendingRequest | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isPending(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isPending(value: unknown): value is PendingRequest {
  const { key, method, path, account, createdAt, body, ifMatch, cancel } = (value ?? {}) as Record<string, unknown>
  const isText = (each: unknown) => typeof each === 'string'
  return (
    [key, method, path, account, createdAt, body ?? '', ifMatch ?? ''].every(isText) &&
    isKey(key as string) &&
    isPath(path as string) &&
    /^(POST|PUT|PATCH|DELETE)$/.test(method as string) &&
    (cancel === undefined || isText((cancel as { key?: unknown } | null)?.key))
  )
}
