import { expect, test } from 'vitest'
import { world } from '../test/world.ts'
import { drawnProducts, drawProduct } from './pictures/draw-product.ts'
import type { Product } from './catalog.ts'
import { product } from './catalog.schema.ts'
import { demoProducts } from './demo-products.ts'
import { multiplyMoney, sumMoney } from './money.ts'
import { demoPrice, seedCatalog } from './seed-catalog.ts'

const shop = await world()
const { database } = shop.composed.pantry

test('the demo catalogue is filled once, with stock that its ledger explains, and every product as the schema says', async () => {
  expect(demoProducts.length).toBeGreaterThanOrEqual(40)
  expect(await seedCatalog(database, 'INR')).toBe(demoProducts.length)
  expect(await seedCatalog(database, 'INR')).toBe(0)
  const unbalanced = await shop.sql(
    `select s.variant_id from pantry.stock s
    where s.on_hand <> (select coalesce(sum(delta), 0) from pantry.stock_movement m where m.variant_id = s.variant_id)`,
  )
  expect(unbalanced).toEqual([])
  const { body } = await shop.send('GET', '/api/products?limit=100')
  expect(body.items).toHaveLength(demoProducts.length)
  for (const item of body.items) {
    expect(product.safeParse(item)).toMatchObject({ success: true })
    expect(item.price).toEqual({ amount: expect.any(Number), currency: 'INR' })
    const image = await shop.send('GET', item.image)
    expect([image.status, image.headers['content-type']]).toEqual([200, 'image/svg+xml'])
    expect(
      Math.abs(
        item.nutrition.kcal - (4 * (item.nutrition.protein + item.nutrition.carbohydrate) + 9 * item.nutrition.fat),
      ),
    ).toBeLessThan(Math.max(25, item.nutrition.kcal * 0.25))
  }
})

test('the pages of a list are whole, without a gap or a double, whatever is added meanwhile', async () => {
  const seen: string[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const reply: { body: { items: Product[]; nextCursor: string | null } } = await shop.send(
      'GET',
      `/api/products?limit=7${cursor && `&cursor=${cursor}`}`,
    )
    seen.push(...reply.body.items.map(({ name }) => name))
    cursor = reply.body.nextCursor
    if (seen.length === 14) await shop.sql(`update pantry.product set archived_at = now() where name = 'Almonds'`)
  }
  expect(seen).toEqual(demoProducts.map(({ name }) => name).sort((a, b) => seen.indexOf(a) - seen.indexOf(b)))
  expect(new Set(seen).size).toBe(seen.length)
})

test('searches names, descriptions and categories, and takes no pattern for one', async () => {
  const names = async (search: string) =>
    (await shop.send('GET', `/api/products?search=${encodeURIComponent(search)}`)).body.items.map(
      (item: Product) => item.name,
    )
  expect(await names('RICE')).toEqual(['Basmati rice', 'Brown rice'])
  expect(await names('pulses')).toHaveLength(4)
  expect(await names('%')).toEqual(['Butter, unsalted', 'Dark chocolate, 70 %', 'Whole milk'])
  expect(await names('_')).toEqual([])
  expect(await names('\\')).toEqual([])
})

test('one product, with what can be ordered now; an archived or unknown one is not found', async () => {
  const { productId, variantIds } = await shop.newProduct({ stock: 9, price: 500, variants: 2 })
  await shop.sql('update pantry.stock set reserved = 4 where variant_id = $1', [variantIds[0]])
  await shop.sql(
    `insert into pantry.reservation (id, order_id, variant_id, quantity, expires_at)
    values (gen_random_uuid(), gen_random_uuid(), $1, 3, now() + interval '1 hour'), (gen_random_uuid(), gen_random_uuid(), $1, 1, now())`,
    [variantIds[0]],
  )
  const { body, headers } = await shop.send<Product>('GET', `/api/products/${productId}`)
  expect(body.variants.map(({ price, stock }) => [price.amount, stock])).toEqual([
    [500, 6],
    [600, 9],
  ])
  expect(headers.etag).toMatch(/^"1-[\w-]{11}"$/)
  const admin = await shop.newAdmin()
  await admin.send('DELETE', `/api/admin/products/${productId}`)
  for (const id of [productId, crypto.randomUUID(), 'x', "1' or '1'='1"]) {
    const reply = await shop.send('GET', `/api/products/${encodeURIComponent(id)}`)
    expect([id, reply.status, reply.body.code]).toEqual([id, 404, 'product_not_found'])
  }
})

test('refuses a query it does not understand', async () => {
  for (const query of [
    'limit=0',
    'limit=101',
    'limit=x',
    'limit=1.5',
    'cursor=x',
    'cursor=WyJhIl0',
    'page=2',
    'search=a%00b',
    'limit=1&limit=2',
  ]) {
    const reply = await shop.send('GET', `/api/products?${query}`)
    expect([query, reply.status, reply.body.code]).toEqual([query, 422, 'input_invalid'])
  }
})

test('every product of the demo has a picture of its own, and nothing else has one', async () => {
  expect(new Set(demoProducts.map(({ slug }) => slug))).toEqual(new Set(drawnProducts))
  expect(new Set(drawnProducts.map(drawProduct)).size).toBe(demoProducts.length)
  expect(drawProduct('constructor')).toBeUndefined()
  expect((await shop.send('GET', '/images/nothing.svg')).status).toBe(404)
})

test('prices are whole minor units in any currency, and money is exact or refused', () => {
  expect(demoPrice(84, 'USD')).toBe(100)
  expect(demoPrice(56, 'JPY')).toBe(100)
  expect(demoPrice(0.001, 'USD')).toBe(1)
  expect(multiplyMoney({ amount: 1999, currency: 'INR' }, 3)).toEqual({ amount: 5997, currency: 'INR' })
  expect(() => multiplyMoney({ amount: Number.MAX_SAFE_INTEGER, currency: 'INR' }, 2)).toThrow(RangeError)
  expect(() => sumMoney([{ amount: 1, currency: 'USD' }], 'INR')).toThrow(RangeError)
})
