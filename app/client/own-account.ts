import type { Client } from 'safepoint/client'
import { done } from './not-done.ts'
import { randomId } from './random-id.ts'
import { requestJson, RequestRefused } from './request-json.ts'
import type { Session } from './session.ts'

/** What a person does with the account itself. Throws RequestRefused, NotDone, or what the network threw. */
export interface OwnAccount {
  /** The same whether or not there is such an account. */
  readonly forgotPassword: (email: string) => Promise<void>
  /** By the token of a mail; ends every session of that account. */
  readonly resetPassword: (wish: { readonly token: string; readonly password: string }) => Promise<void>
  /** Ends the sessions of the other devices. */
  readonly changePassword: (wish: { readonly currentPassword: string; readonly newPassword: string }) => Promise<void>
  /** A document to keep, of the form that OpenAPI tells of `GET /api/me/export`. */
  readonly exportData: () => Promise<object>
  /** Erases the person; signs out, in every tab. */
  readonly close: () => Promise<void>
}

export interface OwnAccountOptions {
  readonly baseUrl: string
  readonly session: Session
  readonly client: Pick<Client, 'delete'>
}

export function createOwnAccount({ baseUrl, session, client }: OwnAccountOptions): OwnAccount {
  /** Of what was asked for and not answered: asked again it is the same request. In memory, because passwords are in it. */
  const keys = new Map<string, string>()

  async function post(path: string, body: object, headers: () => Record<string, string> = () => ({})): Promise<void> {
    const wish = JSON.stringify([path, body])
    const again = keys.has(wish)
    const key = keys.get(wish) ?? randomId()
    keys.set(wish, key)
    try {
      const given = { 'idempotency-key': key, ...(again && { 'retry-attempt': '1' }), ...headers() }
      await requestJson(baseUrl, 'POST', path, { body, headers: given })
      keys.delete(wish)
    } catch (error) {
      if (error instanceof RequestRefused && !error.problem.retryable) keys.delete(wish)
      throw error
    }
  }

  /** The access token may have ended since the last request. */
  async function signedIn<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask()
    } catch (error) {
      const ended = error instanceof RequestRefused && error.problem.code === 'unauthenticated'
      if (!ended || !(await session.refresh())) throw error
      return ask()
    }
  }

  return {
    forgotPassword: (email) => post('/api/auth/password/forgot', { email }),
    async resetPassword(wish) {
      await post('/api/auth/password/reset', wish)
      // Whoever was signed in here may have been that person: then they are no more.
      if (session.state().status === 'signed-in') await session.refresh().catch(() => {})
    },
    changePassword: (wish) => signedIn(() => post('/api/me/password', wish, session.headers)),
    exportData: () =>
      signedIn(() => requestJson<object>(baseUrl, 'GET', '/api/me/export', { headers: session.headers() })),
    async close() {
      done(await client.delete('/api/me'))
      await session.signOut()
    },
  }
}
