import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { Cart } from '../../client/model.ts'
import { send, type Reply } from '../checkout/shopper.ts'
import type { Goods } from './goods.ts'
import { waitTurn } from './wait-turn.ts'

export interface SendOptions {
  /** Default: a new one for each write. `null`: none. */
  readonly key?: string | null
  readonly headers?: Readonly<Record<string, string>>
  /** Which of the servers. Default: the next one, in turn. */
  readonly at?: number
}

/** Somebody with an account, logged in. */
export interface Shopper {
  readonly id: string
  readonly email: string
  readonly password: string
  readonly token: string
  /** One request; nothing is retried. */
  send(method: string, path: string, body?: object, options?: SendOptions): Promise<Reply>
  /** As `send`, and again under the same key as long as the answer says that this may be done. */
  persist(method: string, path: string, body?: object, options?: SendOptions): Promise<Reply>
  /** The cart as it is now. */
  cart(): Promise<Cart>
  /** The cart with `quantity` more of it. */
  add(goods: Pick<Goods, 'productId' | 'variantId'>, quantity?: number): Promise<Cart>
}

interface SignedIn {
  readonly accessToken: string
  readonly user: { readonly id: string }
}

export interface Account {
  readonly email: string
  readonly password: string
}

export const newAccount = (): Account => ({ email: `${randomUUID()}@example.com`, password: 'correct horse battery' })

export async function register(urls: readonly string[]): Promise<Shopper> {
  const account = newAccount()
  const body = { ...account, name: 'Shopper' }
  return shopperOf(urls, account, await openSession(urls[0]!, '/api/auth/register', body, 201))
}

/** In a session of its own. */
export async function logIn(urls: readonly string[], { email, password }: Account): Promise<Shopper> {
  const account = { email, password }
  return shopperOf(urls, account, await openSession(urls[0]!, '/api/auth/login', account, 200))
}

async function openSession(url: string, path: string, body: object, status: number): Promise<SignedIn> {
  for (let tries = 1; ; tries++) {
    const reply = await send(url, undefined, 'POST', path, body)
    if (reply.status !== 429 || tries === 3) return answered(reply, status)
    await waitTurn(reply.body)
  }
}

/** The body of an answer that has to be of this status. */
export function answered<Body = any>({ status, body, text }: Reply, wanted: number | readonly number[]): Body {
  const statuses = [wanted].flat()
  assert.ok(statuses.includes(status), `answered ${status} instead of ${statuses.join(' or ')}: ${text}`)
  return body as Body
}

/** The problem of an answer that has to be this refusal. */
export function refused(reply: Reply, status: number, code: string): any {
  const { body } = reply
  assert.deepEqual([reply.status, body?.code], [status, code], `answered ${reply.status}: ${reply.text}`)
  assert.match(reply.headers.get('content-type') ?? '', /^application\/problem\+json/)
  return body
}

let turn = 0

function shopperOf(urls: readonly string[], account: Account, { accessToken: token, user }: SignedIn): Shopper {
  const shopper: Shopper = {
    ...account,
    id: user.id,
    token,
    send(method, path, body, { key = randomUUID(), headers, at = turn++ } = {}) {
      const all = { ...(method !== 'GET' && key !== null && { 'idempotency-key': key }), ...headers }
      return send(urls[at % urls.length]!, token, method, path, body, all)
    },
    async persist(method, path, body, options) {
      const same = { key: randomUUID(), ...options }
      for (let tries = 1; ; tries++) {
        const reply = await shopper.send(method, path, body, same)
        if (reply.status < 400 || reply.body?.retryable !== true || tries === 8) return reply
        await pause(reply.body.retryAfterMs ?? 200)
      }
    },
    cart: async () => answered<Cart>(await shopper.send('GET', '/api/cart'), 200),
    async add({ productId, variantId }, quantity = 1) {
      return answered<Cart>(await shopper.send('POST', '/api/cart/add', { productId, variantId, quantity }), 200)
    },
  }
  return shopper
}
