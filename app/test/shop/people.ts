import { randomUUID } from 'node:crypto'
import { uuidv7 } from 'safepoint'
import { send, type Reply } from '../checkout/shopper.ts'
import { until } from '../../../safepoint/test/support/until.ts'

/** Somebody who is logged in. */
export interface Person {
  readonly email: string
  readonly accountId: string
  /** Of the keys of what they do. */
  readonly scope: string
  /** Those of a request of theirs. */
  readonly headers: () => Record<string, string>
  /** Sends one request as them; nothing is retried but what their access token was too old for. */
  send(at: string, method: string, path: string, body?: object, options?: SendOptions): Promise<Reply>
}

export interface SendOptions {
  readonly key?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

export interface Customer extends Person {
  readonly addressId: string
}

export const password = 'correct horse battery'

export const address = { name: 'Shopper', line1: '1 Road', city: 'Pune', postalCode: '411001', country: 'IN' }

export async function demand<Body = any>(reply: Promise<Reply>, ...statuses: number[]): Promise<Body> {
  const { status, body, text } = await reply
  if (!statuses.includes(status)) throw new Error(`${status} instead of ${statuses.join(' or ')}: ${text}`)
  return body as Body
}

/** What prepares a check, under one key: a server that has too much to do (503, nothing was done) is asked again. */
export async function prepare<Body = any>(ask: (key: string) => Promise<Reply>, status: number): Promise<Body> {
  const key = uuidv7()
  const answer = await until(
    async () => {
      const reply = await ask(key)
      return reply.status !== 503 && reply
    },
    { timeoutMs: 30_000, intervalMs: 500, message: 'a server with time for it' },
  )
  return demand<Body>(Promise.resolve(answer), status)
}

/** An account with an address. */
export async function newCustomer(at: string): Promise<Customer> {
  const email = `${randomUUID()}@example.com`
  const account = { email, password, name: 'Shopper' }
  const register = (key: string) =>
    send(at, undefined, 'POST', '/api/auth/register', account, { 'idempotency-key': key })
  const person = personOf({ email, password }, await prepare(register, 201))
  const { id } = await prepare((key) => person.send(at, 'POST', '/api/addresses', address, { key }), 201)
  return { ...person, addressId: id as string }
}

export async function logIn(at: string, { email, password }: { readonly email: string; readonly password: string }) {
  const credentials = { email, password }
  return personOf(credentials, await demand(send(at, undefined, 'POST', '/api/auth/login', credentials), 200))
}

interface SignedIn {
  readonly accessToken: string
  readonly user: { readonly id: string }
}

function personOf(credentials: { readonly email: string; readonly password: string }, signedIn: SignedIn): Person {
  let { accessToken } = signedIn
  let renewing: Promise<unknown> | undefined
  /** Access tokens are good for a quarter of an hour. */
  const renew = async (at: string) => {
    ;({ accessToken } = await demand<SignedIn>(send(at, undefined, 'POST', '/api/auth/login', credentials), 200))
  }
  const accountId = signedIn.user.id
  return {
    email: credentials.email,
    accountId,
    scope: `user:${accountId}`,
    headers: () => ({ authorization: `Bearer ${accessToken}` }),
    async send(at, method, path, body, { key, headers, signal } = {}) {
      const all = { ...(method !== 'GET' && { 'idempotency-key': key ?? uuidv7() }), ...headers }
      const reply = await send(at, accessToken, method, path, body, all, signal)
      if (reply.status !== 401) return reply
      await (renewing ??= renew(at).finally(() => (renewing = undefined)))
      return send(at, accessToken, method, path, body, all, signal)
    },
  }
}
