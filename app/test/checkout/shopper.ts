import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import { uuidv7 } from 'safepoint'

/** Milliseconds of the host's monotonic clock, which the simulator's call log is written by too. */
export const now = (): number => Number(process.hrtime.bigint()) / 1e6

export interface Reply {
  readonly status: number
  readonly body: any
  readonly text: string
  readonly headers: Headers
}

/** One product that everybody buys. */
export interface Goods {
  readonly productId: string
  readonly variantId: string
  readonly price: number
}

export async function stockGoods(sql: pg.Pool, onHand: number, currency = 'INR'): Promise<Goods> {
  const goods = { productId: uuidv7(), variantId: uuidv7(), price: 12_500 }
  await sql.query(
    `with product as (
      insert into pantry.product (id, slug, name, description, category, image, price_amount, currency,
        energy_kcal, protein_g, carbohydrate_g, sugar_g, fat_g, fibre_g, salt_g)
      values ($1::uuid, $1::uuid::text, 'Rice', 'Long grain.', 'grains', '/images/grains.svg', $3::int, $5::text, 350, 7, 78, 0, 1, 1, 0)
      returning id
    ), variant as (
      insert into pantry.variant (id, product_id, sku, name, position, content_g)
      select $2::uuid, id, $2::uuid::text, '1 kg', 0, 1000 from product returning id
    ), stock as (
      insert into pantry.stock (variant_id, on_hand) select id, $4::int from variant returning variant_id
    )
    insert into pantry.stock_movement (id, variant_id, delta, reason) select gen_random_uuid(), variant_id, $4::int, 'delivery' from stock`,
    [goods.productId, goods.variantId, goods.price, onHand, currency],
  )
  return goods
}

/** Sends one request as somebody; nothing is retried. */
export async function send(
  url: string,
  token: string | undefined,
  method: string,
  path: string,
  body?: object,
  headers: Record<string, string> = {},
  signal?: AbortSignal,
): Promise<Reply> {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body && { body: JSON.stringify(body) }),
    ...(signal && { signal }),
  })
  const text = await response.text()
  const json = /json/.test(response.headers.get('content-type') ?? '')
  return { status: response.status, text, headers: response.headers, body: json ? JSON.parse(text) : undefined }
}

async function demand(reply: Promise<Reply>, status: number): Promise<any> {
  const { status: told, body, text } = await reply
  if (told !== status) throw new Error(`${told} instead of ${status}: ${text}`)
  return body
}

/** An account with an address and a token, over HTTP. The token works at every server of the same secret. */
export async function newShopper(url: string) {
  const email = `${randomUUID()}@example.com`
  const registered = await demand(
    send(url, undefined, 'POST', '/api/auth/register', { email, password: 'correct horse battery', name: 'Shopper' }),
    201,
  )
  const token = registered.accessToken as string
  const address = { name: 'Shopper', line1: '1 Road', city: 'Pune', postalCode: '411001', country: 'IN' }
  const { id: addressId } = await demand(send(url, token, 'POST', '/api/addresses', address), 201)
  return {
    token,
    scope: `user:${registered.user.id}`,
    /** An order of two, placed and not paid. */
    async placeOrder(at: string, { productId, variantId }: Goods): Promise<string> {
      const key = () => ({ 'idempotency-key': uuidv7() })
      await demand(
        send(at, token, 'POST', '/api/cart/add', { productId, variantId, quantity: quantityOfOrder }, key()),
        200,
      )
      return (await demand(send(at, token, 'POST', '/api/orders', { addressId }, key()), 201)).id
    },
  }
}

export const quantityOfOrder = 2

export type Shopper = Awaited<ReturnType<typeof newShopper>>
