import type { User } from './model.ts'
import { requestJson, RequestRefused } from './request-json.ts'

/** Where the refresh token lives between visits: `localStorage` fits. */
export interface TokenStore {
  getItem(name: string): string | null
  setItem(name: string, value: string): void
  removeItem(name: string): void
}

/** Runs `work` while nobody else on this device does; the Web Locks API fits. */
export type Exclusively = <T>(name: string, work: () => Promise<T>) => Promise<T>

/** What the tabs of one browser tell each other; a `BroadcastChannel` stands behind it. */
export interface TabChannel {
  send(message: unknown): void
  listen(listener: (message: unknown) => void): void
}

export interface SessionOptions {
  readonly baseUrl: string
  readonly store: TokenStore
  readonly exclusively: Exclusively
  readonly tabs?: TabChannel
}

export type SessionState =
  /** A refresh token is there, and nobody has said yet whose it is. */
  { readonly status: 'opening' } | { readonly status: 'guest' } | { readonly status: 'signed-in'; readonly user: User }

export interface Credentials {
  readonly email: string
  readonly password: string
}

export interface Session {
  readonly state: () => SessionState
  readonly subscribe: (listener: () => void) => () => void
  /** Resolves the signed-in user from the kept refresh token; a network failure leaves the state `opening`. */
  open(): Promise<void>
  /** Throws RequestRefused with the server's problem. */
  readonly signIn: (credentials: Credentials) => Promise<User>
  readonly register: (input: Credentials & { readonly name: string }) => Promise<User>
  signOut(): Promise<void>
  /** The `Authorization` header of a request, none for a guest. */
  readonly headers: () => Record<string, string>
  /**
   * A new access token, by the rotating refresh token: one request at a time over all tabs, as a token that two tabs
   * present would look like a stolen one. `false`: the session is over.
   */
  readonly refresh: () => Promise<boolean>
}

interface Tokens {
  readonly user: User
  readonly accessToken: string
  readonly refreshToken: string
}

type TabMessage = { readonly type: 'renewed'; readonly tokens: Tokens } | { readonly type: 'signed-out' }

const storeKey = 'pantry:refresh-token'
const lockName = 'pantry:session'

/** The access token is kept in memory only; the refresh token in `store`, shared by the tabs of one browser. */
export function createSession({ baseUrl, store, exclusively, tabs }: SessionOptions): Session {
  let accessToken: string | undefined
  let state: SessionState = { status: store.getItem(storeKey) === null ? 'guest' : 'opening' }
  let refreshing: Promise<boolean> | undefined
  const listeners = new Set<() => void>()

  const set = (next: SessionState) => {
    state = next
    for (const listener of listeners) listener()
  }
  const take = (tokens: Tokens) => {
    accessToken = tokens.accessToken
    const same = state.status === 'signed-in' && state.user.id === tokens.user.id
    if (!same) set({ status: 'signed-in', user: tokens.user })
  }
  const keep = (tokens: Tokens): User => {
    store.setItem(storeKey, tokens.refreshToken)
    take(tokens)
    tabs?.send({ type: 'renewed', tokens } satisfies TabMessage)
    return tokens.user
  }
  const drop = () => {
    accessToken = undefined
    if (state.status !== 'guest') set({ status: 'guest' })
  }
  tabs?.listen((data) => {
    const message = data as TabMessage
    if (message.type === 'renewed') take(message.tokens)
    else drop()
  })

  /** Signed out here whatever the server says; the token it could not be told about ends by its own expiry. */
  const endSession = async (ended: Pick<Tokens, 'refreshToken'> & { readonly accessToken: string | undefined }) => {
    const { refreshToken, accessToken } = ended
    await requestJson(baseUrl, 'POST', '/api/auth/logout', {
      body: { refreshToken },
      headers: headersOf(accessToken),
    }).catch(() => {})
  }

  /** Somebody has signed out, or in, while it was under way: what they said last is what holds. */
  const isLate = (presented: string) => store.getItem(storeKey) !== presented

  /** `stale` is the access token that was refused: if another tab has brought a newer one meanwhile, that one is used. */
  const renew = (stale: string | undefined) =>
    exclusively(lockName, async () => {
      if (accessToken !== undefined && accessToken !== stale) return true
      const refreshToken = store.getItem(storeKey)
      if (refreshToken === null) {
        drop()
        return false
      }
      try {
        const tokens = await requestJson<Tokens>(baseUrl, 'POST', '/api/auth/refresh', { body: { refreshToken } })
        if (isLate(refreshToken)) {
          if (store.getItem(storeKey) === null) await endSession(tokens)
          return accessToken !== undefined
        }
        keep(tokens)
        return true
      } catch (error) {
        if (!(error instanceof RequestRefused) || error.problem.retryable || error.problem.status !== 401) throw error
        if (isLate(refreshToken)) return accessToken !== undefined
        store.removeItem(storeKey)
        drop()
        return false
      }
    })

  const headersOf = (token: string | undefined): Record<string, string> =>
    token === undefined ? {} : { authorization: `Bearer ${token}` }
  const headers = () => headersOf(accessToken)
  const refresh = () => {
    refreshing ??= renew(accessToken).finally(() => {
      refreshing = undefined
    })
    return refreshing
  }

  return {
    state: () => state,
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async open() {
      if (state.status === 'opening') await refresh()
    },
    async signIn(credentials) {
      return keep(await requestJson<Tokens>(baseUrl, 'POST', '/api/auth/login', { body: credentials }))
    },
    async register(input) {
      return keep(await requestJson<Tokens>(baseUrl, 'POST', '/api/auth/register', { body: input }))
    },
    async signOut() {
      const refreshToken = store.getItem(storeKey)
      const ended = accessToken
      store.removeItem(storeKey)
      drop()
      tabs?.send({ type: 'signed-out' } satisfies TabMessage)
      if (refreshToken !== null) await endSession({ refreshToken, accessToken: ended })
    },
    headers,
    refresh,
  }
}
