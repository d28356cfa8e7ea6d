import { once } from 'node:events'
import pg from 'pg'
import pino from 'pino'
import { uuidv7 } from 'safepoint'
import type { FastifyInstance } from 'fastify'
import { afterAll } from 'vitest'
import { testDatabase } from '../../../safepoint/test/support/database.ts'
import { buildApp } from '../app.ts'
import { compose, jobNames, type Composed } from '../compose.ts'
import { openDatabase } from '../database.ts'
import { createJobs } from '../jobs.ts'
import type { Relay } from '../mail/smtp-relay.ts'
import { readOfferedGateways, type OfferedGateways } from '../payments/offered-gateways.ts'
import type { Cart } from '../cart/cart.ts'
import type { SignedIn } from '../accounts/accounts.schema.ts'

export interface Reply<Body = any> {
  readonly status: number
  readonly headers: Record<string, string | string[] | number | undefined>
  readonly body: Body
  readonly text: string
}

export interface Send {
  <Body = any>(method: string, url: string, body?: unknown, headers?: Record<string, string>): Promise<Reply<Body>>
}

export interface Shopper extends SignedIn {
  readonly email: string
  readonly password: string
  /** As this account. */
  readonly send: Send
}

export interface Server {
  readonly app: FastifyInstance
  readonly composed: Composed
}

export interface World extends Server {
  readonly url: string
  readonly sql: <Row = Record<string, any>>(text: string, values?: readonly unknown[]) => Promise<Row[]>
  /** To `server` (default: the first one), as nobody. */
  readonly send: Send
  /** Another server on the same database, as another process would be; its work goes over `url`, where one is given. */
  another(options?: { readonly url?: string; readonly relay?: Relay }): Promise<Server>
  sendTo(server: Server, token?: string): Send
  newShopper(): Promise<Shopper>
  /** An account with the role, logged in since it has it. */
  newAdmin(): Promise<Shopper>
  newProduct(product?: { readonly stock?: number; readonly price?: number; readonly variants?: number }): Promise<{
    readonly productId: string
    readonly variantIds: string[]
  }>
}

/** Pantry on a database of the test file's own: real PostgreSQL, the real application, no network. */
export async function world({
  gateways = readOfferedGateways({}),
}: { readonly gateways?: OfferedGateways } = {}): Promise<World> {
  const { url } = await testDatabase({ template: 'app' })
  const outside = new pg.Pool({ connectionString: url, max: 4 })
  const closing: Array<() => Promise<unknown>> = [() => outside.end()]
  afterAll(async () => {
    for (const close of closing.reverse()) await close()
  })
  const sql: World['sql'] = async (text, values = []) => (await outside.query(text, values as unknown[])).rows

  const open: World['another'] = async (options = {}) => {
    const log = pino({ level: 'silent' })
    const { database, announcements } = openDatabase({ url: options.url ?? url, max: 20 })
    const jobs = createJobs({ url, names: jobNames, log })
    await jobs.start()
    const composed = compose({
      database,
      announcements,
      currency: 'INR',
      jwtSecret: 'a secret for tests that is long enough to be one',
      gateways,
      enqueue: jobs.enqueue,
      publicUrl: () => 'http://127.0.0.1:43501',
      relay: options.relay,
      log,
      engine: { poll: 100, lease: 2000 },
    })
    const app = await buildApp({ composed, log })
    await composed.pantry.safepoint.start()
    closing.push(async () => {
      await app.close()
      await jobs.stop(0)
      await composed.pantry.safepoint.stop({ grace: 1000 })
      await database.close()
    })
    return { app, composed }
  }

  const sendTo: World['sendTo'] =
    ({ app }, token) =>
    async (method, path, body, headers = {}) => {
      const reply = await app.inject({
        method: method as 'GET',
        url: path,
        headers: { ...(token !== undefined && { authorization: `Bearer ${token}` }), ...headers },
        ...(body !== undefined && { payload: body as object }),
      })
      const json = /json/.test(String(reply.headers['content-type'] ?? ''))
      return {
        status: reply.statusCode,
        headers: reply.headers,
        text: reply.body,
        body: json ? reply.json() : (undefined as any),
      }
    }

  const first = await open()
  const send = sendTo(first)
  return {
    ...first,
    url,
    sql,
    send,
    sendTo,
    another: open,
    async newShopper() {
      const email = `${uuidv7()}@example.com`
      const password = 'correct horse battery'
      const { status, body, text } = await send<SignedIn>('POST', '/api/auth/register', {
        email,
        password,
        name: 'Shopper',
      })
      if (status !== 201) throw new Error(`No account was made: ${text}`)
      return { ...body, email, password, send: sendTo(first, body.accessToken) }
    },
    async newAdmin(this: World) {
      const shopper = await this.newShopper()
      await sql(`update pantry.account set role = 'admin' where id = $1`, [shopper.user.id])
      const { email, password } = shopper
      const { body } = await send<SignedIn>('POST', '/api/auth/login', { email, password })
      return { ...shopper, ...body, send: sendTo(first, body.accessToken) }
    },
    async newProduct({ stock = 100, price = 1000, variants = 1 } = {}) {
      const productId = uuidv7()
      const variantIds = Array.from({ length: variants }, () => uuidv7())
      await sql(
        `insert into pantry.product (id, slug, name, description, category, image, price_amount, currency,
          energy_kcal, protein_g, carbohydrate_g, sugar_g, fat_g, fibre_g, salt_g)
        values ($1::uuid, $1::uuid::text, 'Rice', 'Long grain.', 'grains', '/images/grains.svg', $2::int, 'INR', 350, 8, 78, 0, 1, 1, 0)`,
        [productId, price],
      )
      await sql(
        `with made as (
          insert into pantry.variant (id, product_id, sku, name, position, price_difference, content_g)
          select v.id, $1::uuid, v.id::text, 'Size ' || v.n, v.n - 1, (v.n - 1) * 100, 500 from unnest($2::uuid[]) with ordinality as v (id, n)
        )
        insert into pantry.stock (variant_id, on_hand) select unnest($2::uuid[]), $3::int`,
        [productId, variantIds, stock],
      )
      await sql(
        `insert into pantry.stock_movement (id, variant_id, delta, reason)
        select gen_random_uuid(), unnest($1::uuid[]), $2::int, 'delivery' where $2::int > 0`,
        [variantIds, stock],
      )
      return { productId, variantIds }
    },
  }
}

/** What the cart's lines come to, by variant. */
export const quantities = (cart: Cart): Record<string, number> =>
  Object.fromEntries(cart.items.map((item) => [item.variantId, item.quantity]))

/** Reads server-sent events of a real connection; `next` resolves with the data of each. */
export async function openEvents(url: string, token: string): Promise<{ next(): Promise<any>; close(): void }> {
  const controller = new AbortController()
  const response = await fetch(url, { headers: { authorization: `Bearer ${token}` }, signal: controller.signal })
  if (!response.ok || !response.body) throw new Error(`No event stream: ${response.status}`)
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  let buffered = ''
  return {
    async next() {
      for (;;) {
        const end = buffered.indexOf('\n\n')
        if (end >= 0) {
          const block = buffered.slice(0, end)
          buffered = buffered.slice(end + 2)
          const data = /^data: (.*)$/m.exec(block)?.[1]
          if (data !== undefined) return JSON.parse(data)
          continue
        }
        const { value, done } = await reader.read()
        if (done) throw new Error('The event stream has ended.')
        buffered += value
      }
    },
    close: () => controller.abort(),
  }
}

/** Listens on a free port, for what `inject` cannot do. */
export async function listen(app: FastifyInstance): Promise<string> {
  if (!app.server.listening) {
    await app.listen({ port: 0, host: '127.0.0.1' })
    if (!app.server.listening) await once(app.server, 'listening')
  }
  const { port } = app.server.address() as { port: number }
  return `http://127.0.0.1:${port}`
}
