import pg from 'pg'
import { expect, test } from 'vitest'
import { until } from '../../../safepoint/test/support/until.ts'
import type { Cart } from '../cart/cart.ts'
import { world } from '../test/world.ts'
import type { Product } from './catalog.ts'
import type { AdminProduct } from './view-stored-product.ts'

const shop = await world()
const second = await shop.another()
const admin = await shop.newAdmin()
const elsewhere = shop.sendTo(second, admin.accessToken)

const nutrition = { per: '100 g', kcal: 350, protein: 8, carbohydrate: 78, sugar: 0.5, fat: 1, fibre: 1.25, salt: 0 }
const lentils = (sku = crypto.randomUUID()) => ({
  name: 'Red lentils',
  description: 'Cook in ten minutes.',
  category: 'pulses',
  image: '/images/red-lentils.svg',
  price: { amount: 9900, currency: 'INR' },
  nutrition,
  variants: [
    { name: '500 g', sku, contentG: 500 },
    { name: '1 kg', sku: `${sku}-large`, contentG: 1000, priceDifference: 8000 },
  ],
})
const create = async (product: object = lentils()) => {
  const reply = await admin.send<AdminProduct>('POST', '/api/admin/products', product)
  if (reply.status !== 201) throw new Error(reply.text)
  return reply
}
const path = (product: { readonly id: string }) => `/api/admin/products/${product.id}`
const read = async (product: { readonly id: string }) => (await admin.send<AdminProduct>('GET', path(product))).body
const undo = (reply: { readonly headers: Record<string, unknown> }) =>
  admin.send('POST', `/api/operations/${String(reply.headers['operation-key'])}/undo`)
const shown = (product: { readonly id: string }, send = shop.send) =>
  send<Product>('GET', `/api/products/${product.id}`)

test('a product is made once a key, with its variants, prices with their differences, and empty shelves', async () => {
  const key = { 'idempotency-key': crypto.randomUUID() }
  const wanted = lentils()
  const replies = await Promise.all(
    [admin.send, elsewhere, admin.send].map((send) => send<AdminProduct>('POST', '/api/admin/products', wanted, key)),
  )
  expect(replies.map(({ status }) => status)).toEqual([201, 201, 201])
  expect(new Set(replies.map(({ text }) => text)).size).toBe(1)
  const [{ body, headers }] = replies as [(typeof replies)[0]]
  expect([headers.location, headers.etag]).toEqual([`/api/admin/products/${body.id}`, '"1"'])
  const { variants, ...fields } = wanted
  const none = { stock: 0, onHand: 0, reserved: 0 }
  expect(body).toEqual({
    id: body.id,
    version: 1,
    archived: false,
    ...fields,
    variants: [
      {
        ...variants[0],
        id: expect.any(String),
        position: 0,
        priceDifference: 0,
        archived: false,
        ...none,
        price: { amount: 9900, currency: 'INR' },
      },
      {
        ...variants[1],
        id: expect.any(String),
        position: 1,
        archived: false,
        ...none,
        price: { amount: 17_900, currency: 'INR' },
      },
    ],
  })
  expect(await read(body)).toEqual(body)
  const product = (await shown(body)).body
  expect(product.variants.map(({ name, price, stock }) => [name, price.amount, stock])).toEqual([
    ['500 g', 9900, 0],
    ['1 kg', 17_900, 0],
  ])
  expect(product).not.toHaveProperty('version')
})

test('a product is made as the catalogue shows one: each variant with its price and stock; what else there is may be left out', async () => {
  const inr = (amount: number) => ({ amount, currency: 'INR' })
  const { body: made } = await create({
    name: 'Tea',
    price: inr(500),
    variants: [
      { name: 'small', price: inr(500), stock: 3 },
      { name: 'large', price: inr(900), stock: 0 },
    ],
  })
  const product = (await shown(made)).body
  expect(product).toMatchObject({ name: 'Tea', description: '', category: 'other', image: '', price: inr(500) })
  expect(product.nutrition).toMatchObject({ per: '100 g', kcal: 0 })
  expect(product.variants.map(({ name, price, stock }) => [name, price, stock])).toEqual([
    ['small', inr(500), 3],
    ['large', inr(900), 0],
  ])
  expect(made.variants.map(({ stock, onHand }) => [stock, onHand])).toEqual([
    [3, 3],
    [0, 0],
  ])
  const movements = await admin.send('GET', `/api/admin/stock/${made.variants[0]!.id}/movements`)
  expect(movements.body.items).toMatchObject([{ delta: 3, kind: 'delivery', actor: admin.user.id }])
  // Named by the list of them too, and with a price of its own: the difference is what is stored.
  const [small, large] = made.variants as [AdminProduct['variants'][0], AdminProduct['variants'][0]]
  const changed = await admin.send<AdminProduct>('PATCH', path(made), {
    price: inr(600),
    variants: [{ id: large.id, price: inr(1000) }],
  })
  expect(changed.body.variants.map(({ price, priceDifference }) => [price.amount, priceDifference])).toEqual([
    [600, 0],
    [1000, 400],
  ])
  const added = await admin.send<AdminProduct>('PATCH', path(made), {
    variants: { add: [{ name: 'huge', price: inr(2000), stock: 7 }], archive: [small.id] },
  })
  expect(added.body.variants.map(({ name, stock, archived }) => [name, stock, archived])).toEqual([
    ['small', 3, true],
    ['large', 0, false],
    ['huge', 7, false],
  ])
  const dollars = { amount: 100, currency: 'USD' }
  const wrong = await admin.send('PATCH', path(made), { variants: [{ id: large.id, price: dollars }] })
  expect([wrong.status, wrong.body.code]).toEqual([422, 'currency_mismatch'])
})

test('fields are changed in parts; If-Match takes the tag of either read, and an old one is 412 with the version there is', async () => {
  const { body: made } = await create()
  const etag = String((await shown(made)).headers.etag)
  expect(etag).toMatch(/^"1-/)
  const changed = await admin.send<AdminProduct>('PATCH', path(made), { name: 'Lentils, red' }, { 'if-match': etag })
  expect([changed.status, changed.headers.etag]).toEqual([200, '"2"'])
  expect(changed.body).toEqual({ ...made, version: 2, name: 'Lentils, red' })
  for (const method of ['PATCH', 'DELETE'] as const) {
    const stale = await admin.send(method, path(made), method === 'PATCH' ? { name: 'X' } : undefined, {
      'if-match': etag,
    })
    expect([method, stale.status, stale.body.code, stale.body.currentVersion, stale.body.retryable]).toEqual([
      method,
      412,
      'precondition_failed',
      2,
      false,
    ])
  }
  expect((await read(made)).name).toBe('Lentils, red')
})

test('variants are added, changed, archived and brought back; there is always one', async () => {
  const { body: made } = await create()
  const [small, large] = made.variants as [AdminProduct['variants'][0], AdminProduct['variants'][0]]
  const changed = await admin.send<AdminProduct>('PATCH', path(made), {
    price: { amount: 10_000, currency: 'INR' },
    variants: {
      // Takes the SKU of the one that goes in the same change.
      add: [{ name: '250 g', sku: small.sku, contentG: 250, priceDifference: -4000 }],
      change: [{ id: large.id, priceDifference: 9000, name: '1 kg bag' }],
      archive: [small.id],
    },
  })
  expect(changed.status).toBe(200)
  expect(
    changed.body.variants.map(({ name, price, archived, position }) => [name, price.amount, archived, position]),
  ).toEqual([
    ['500 g', 10_000, true, 0],
    ['1 kg bag', 19_000, false, 1],
    ['250 g', 6000, false, 2],
  ])
  expect((await shown(made)).body.variants.map(({ name }) => name)).toEqual(['1 kg bag', '250 g'])
  const taken = await admin.send('PATCH', path(made), { variants: { restore: [small.id] } })
  expect([taken.status, taken.body.code]).toEqual([409, 'sku_taken'])
  const back = await admin.send<AdminProduct>('PATCH', path(made), {
    variants: { restore: [small.id], change: [{ id: small.id, sku: crypto.randomUUID() }] },
  })
  expect(back.body.variants.filter(({ archived }) => archived)).toEqual([])
  const all = back.body.variants.map(({ id }) => id)
  const none = await admin.send('PATCH', path(made), { variants: { archive: all } })
  expect([none.status, none.body.code]).toEqual([422, 'variant_required'])
  const foreign = (await create()).body.variants[0]!.id
  for (const id of [foreign, crypto.randomUUID(), 'x']) {
    const reply = await admin.send('PATCH', path(made), { variants: { change: [{ id, name: 'Mine' }] } })
    expect([id, reply.status, reply.body.code]).toEqual([id, 404, 'variant_not_found'])
  }
  expect(await read(made)).toEqual(back.body)
})

test('deleting archives: the catalogue and orders are without it, cart lines stay as unavailable, and undo brings it back', async () => {
  const { body: made } = await create()
  const shopper = await shop.newShopper()
  await admin.send('POST', `/api/admin/stock/${made.variants[0]!.id}`, { delta: 5, reason: 'delivery' })
  await shopper.send('POST', '/api/cart/add', { productId: made.id, quantity: 2 })
  const gone = await admin.send('DELETE', path(made))
  expect([gone.status, gone.body]).toEqual([200, { id: made.id, archived: true, version: 2 }])
  expect((await admin.send('DELETE', path(made))).body).toEqual(gone.body)
  expect((await shown(made)).body).toMatchObject({ code: 'product_not_found' })
  const { body: cart } = await shopper.send<Cart>('GET', '/api/cart')
  expect([cart.hasUnavailableItems, cart.items.map(({ available }) => available)]).toEqual([true, [false]])
  const add = await shopper.send('POST', '/api/cart/add', { productId: made.id, quantity: 1 })
  expect([add.status, add.body.code]).toEqual([409, 'product_unavailable'])

  const page = (query: string) => admin.send('GET', `/api/admin/products?search=${made.variants[0]!.sku}&${query}`)
  expect((await page('')).body.items).toMatchObject([{ id: made.id, archived: true }])
  expect((await page('archived=true')).body.items).toHaveLength(1)
  expect((await page('archived=false')).body.items).toEqual([])

  expect((await undo(gone)).body).toMatchObject({ archived: false, version: 3 })
  expect((await shown(made)).status).toBe(200)
  expect((await shopper.send<Cart>('GET', '/api/cart')).body.hasUnavailableItems).toBe(false)
  // Archived anew, then brought back by hand: the first undo has had its time.
  const second = await admin.send('DELETE', path(made))
  await admin.send('PATCH', path(made), { archived: false })
  expect((await undo(second)).body.code).toBe('undo_outdated')
})

test('undo of a change puts fields and variants back, what was added is archived, and a later change is not lost', async () => {
  const { body: made } = await create()
  const [small, large] = made.variants as [AdminProduct['variants'][0], AdminProduct['variants'][0]]
  const change = {
    name: 'Y',
    price: { amount: 1, currency: 'INR' },
    variants: {
      add: [{ name: 'New', contentG: 1, sku: small.sku }],
      archive: [small.id],
      change: [{ id: large.id, name: 'Z' }],
    },
  }
  const changed = await admin.send<AdminProduct>('PATCH', path(made), change)
  const undone = await undo(changed)
  expect(undone.status).toBe(200)
  const now = await read(made)
  expect({ ...now, version: 1, variants: now.variants.filter(({ archived }) => !archived) }).toEqual(made)
  expect(now.variants.filter(({ archived }) => archived).map(({ name }) => name)).toEqual(['New'])

  const again = await admin.send('PATCH', path(made), { name: 'A' })
  await admin.send('PATCH', path(made), { name: 'B' })
  const late = await undo(again)
  expect([late.status, late.body.code, (await read(made)).name]).toEqual([409, 'undo_outdated', 'B'])
})

test('undo of a product frees its SKUs for the next attempt', async () => {
  const wanted = lentils()
  const first = await create(wanted)
  const twice = await admin.send('POST', '/api/admin/products', wanted)
  expect([twice.status, twice.body.code]).toEqual([409, 'sku_taken'])
  expect((await undo(first)).status).toBe(200)
  expect((await shown(first.body)).status).toBe(404)
  expect((await create(wanted)).body.id).not.toBe(first.body.id)
})

test('a change is seen at once on its own server, and on another as fast as a signal', async () => {
  const { body: made } = await create()
  const there = shop.sendTo(second)
  const priceOf = async (send = shop.send) => (await shown(made, send)).body.price.amount
  expect([await priceOf(), await priceOf(there)]).toEqual([9900, 9900])
  // The signal of its making may come between two reads.
  const fromMemory = async () => {
    const { hits } = second.composed.catalog.figures()
    return (await priceOf(there)) === 9900 && second.composed.catalog.figures().hits === hits + 1
  }
  await until(fromMemory, { message: 'the other server answers from memory' })
  await admin.send('PATCH', path(made), { price: { amount: 5000, currency: 'INR' } })
  expect(await priceOf()).toBe(5000)
  const began = performance.now()
  await until(async () => (await priceOf(there)) === 5000, { message: 'the other server hears of the price' })
  // Far below the 5 s after which it would have read afresh by itself.
  expect(performance.now() - began).toBeLessThan(2000)
})

test('stock is never remembered: it is of the moment, whatever the catalogue keeps', async () => {
  const { body: made } = await create()
  const { id } = made.variants[0]!
  const stockOf = async () => {
    const page = await shop.send('GET', `/api/products?search=Red%20lentils&limit=100`)
    const one = page.body.items.find((item: Product) => item.id === made.id)
    return [(await shown(made)).body.variants[0]!.stock, one.variants[0].stock]
  }
  expect(await stockOf()).toEqual([0, 0])
  await shop.sql('update pantry.stock set on_hand = 7 where variant_id = $1', [id])
  const before = shop.composed.catalog.figures()
  expect(await stockOf()).toEqual([7, 7])
  const { hits, misses } = shop.composed.catalog.figures()
  expect([hits - before.hits, misses - before.misses]).toEqual([2, 0])
})

test('the tag of a read says when its content changes, stock without a new version too', async () => {
  const { body: made } = await create()
  const tagOf = async (known?: string) => {
    const reply = await shop.send('GET', `/api/products/${made.id}`, undefined, known ? { 'if-none-match': known } : {})
    return [reply.status, String(reply.headers.etag), reply.headers['cache-control'], reply.text.length > 0] as const
  }
  const [, first, caching] = await tagOf()
  expect(caching).toBe('no-cache')
  expect(await tagOf(first)).toEqual([304, first, 'no-cache', false])
  await shop.sql('update pantry.stock set on_hand = 3 where variant_id = $1', [made.variants[0]!.id])
  const [status, other] = await tagOf(first)
  expect([status, other === first, other.startsWith('"1-')]).toEqual([200, false, true])
  const list = await shop.send('GET', '/api/products?limit=2')
  const again = await shop.send('GET', '/api/products?limit=2', undefined, {
    'if-none-match': String(list.headers.etag),
  })
  expect([list.status, again.status]).toEqual([200, 304])
})

test('parallel changes of one product are all kept or told as a conflict that can be tried again', async () => {
  const { body: made } = await create()
  const changes = [{ name: 'N' }, { description: 'D' }, { category: 'C' }]
  const replies = await Promise.all(
    changes.map((change, n) => (n % 2 ? elsewhere : admin.send)('PATCH', path(made), change)),
  )
  const now = await read(made)
  for (const [n, { status, body }] of replies.entries()) {
    if (status === 200) expect(now).toMatchObject(changes[n]!)
    else expect([status, body.code, body.retryable, body.attempts]).toEqual([409, 'conflict', true, 3])
  }
  expect(now.version).toBe(1 + replies.filter(({ status }) => status === 200).length)
  expect(now.version).toBeGreaterThan(1)
})

test('a change that loses to another one is made again: three times in all, then 409 says so', async () => {
  const { body: made } = await create()
  const [one, other] = await Promise.all(
    ['one', 'other'].map(async () => {
      const client = new pg.Client({ connectionString: shop.url })
      await client.connect()
      return client
    }),
  )
  const waiting = async (query: string) => {
    const rows = await shop.sql(
      `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like $1`,
      [query],
    )
    return rows.length > 0
  }
  const overtaking = `update pantry.product set version = version + 1 where id = '${made.id}'`
  /** The next run of a change reads only when this has been granted, which is when the run before it is over. */
  const fence = 'begin; savepoint fence; lock table pantry.product in access exclusive mode'
  /** Sends a change that finds the row changed under its hands, `times` times. */
  const overtaken = async (times: number, headers?: Record<string, string>) => {
    let [now, next] = [one!, other!]
    await now.query(`begin; ${overtaking}`)
    const reply = admin.send('PATCH', path(made), { category: `overtaken ${times} times` }, headers)
    for (let n = 1; n <= times; n++) {
      await until(() => waiting('%archived_at = case%'), { message: `run ${n} of the change waits for the row` })
      let queued: Promise<unknown> | undefined
      if (n < times) {
        queued = next.query(fence)
        await until(() => waiting('begin; savepoint%'), { message: 'the next one stands in the queue' })
      }
      await now.query('commit')
      await queued
      // The row is this one's before the run that has read it now can come back with its change.
      if (queued) await next.query(`rollback to savepoint fence; ${overtaking}`)
      ;[now, next] = [next, now]
    }
    return reply
  }
  const before = shop.composed.retries.read()['product.change']?.conflict ?? 0
  const retried = () => (shop.composed.retries.read()['product.change']?.conflict ?? 0) - before
  try {
    const once = await overtaken(1)
    expect([once.status, once.body.category, once.body.version, retried()]).toEqual([200, 'overtaken 1 times', 3, 1])
    const key = { 'idempotency-key': crypto.randomUUID() }
    const lost = await overtaken(3, key)
    expect([lost.status, lost.body, retried()]).toEqual([
      409,
      expect.objectContaining({ code: 'conflict', retryable: true, attempts: 3, currentVersion: 6 }),
      3,
    ])
    expect(lost.body.retryAfterMs).toBeGreaterThan(0)
    expect(lost.body.retryAfterMs).toBeLessThanOrEqual(3000)
    expect(Number(lost.headers['retry-after'])).toBeGreaterThanOrEqual(1)
    // Nothing is stored under the key: the same request again is done.
    const again = await admin.send('PATCH', path(made), { category: 'overtaken 3 times' }, key)
    expect([again.status, again.body.version]).toEqual([200, 7])
  } finally {
    await Promise.all([one!.end(), other!.end()])
  }
})

test('a deadlock is one run that is made again, and nobody is told', async () => {
  const { body: made } = await create()
  const [variant] = made.variants as [AdminProduct['variants'][0]]
  const other = new pg.Client({ connectionString: shop.url })
  await other.connect()
  try {
    // The change waits first and so looks for a deadlock first; this side would look much later.
    await other.query(`set deadlock_timeout = '30s'`)
    await other.query('begin')
    await other.query('select from pantry.variant where id = $1 for update', [variant.id])
    const reply = admin.send('PATCH', path(made), {
      name: 'After all',
      variants: { change: [{ id: variant.id, name: 'V' }] },
    })
    await until(
      async () =>
        (
          await shop.sql(
            `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%insert into pantry.variant%'`,
          )
        ).length > 0,
      { message: 'the change has the product and waits for the variant' },
    )
    await other.query('update pantry.product set updated_at = now() where id = $1', [made.id])
    await other.query('commit')
    expect((await reply).status).toBe(200)
  } finally {
    await other.end()
  }
  expect((await read(made)).name).toBe('After all')
  // One, or more where the next run was at the product before the other one had woken up.
  expect(shop.composed.retries.read()['product.change']?.['40P01']).toBeGreaterThanOrEqual(1)
})

test('refuses what no product can be', async () => {
  const good = lentils()
  const [variant] = good.variants
  for (const wrong of [
    { ...good, variants: [] },
    { ...good, price: { amount: 0, currency: 'INR' } },
    { ...good, price: { amount: 1.5, currency: 'INR' } },
    { ...good, image: 'javascript:alert(1)//x.svg' },
    { ...good, image: '//elsewhere.example/x.svg' },
    { ...good, variants: [{ ...variant, price: good.price, priceDifference: 1 }] },
    { ...good, variants: [{ ...variant, stock: -1 }] },
    { ...good, image: '/images/../x.svg' },
    { ...good, variants: [{ ...variant, priceDifference: -9900 }] },
    { ...good, variants: [{ ...variant, contentG: 0 }] },
    { ...good, nutrition: { ...nutrition, sugar: 79 } },
    { ...good, nutrition: { ...nutrition, protein: 50 } },
    { ...good, nutrition: { ...nutrition, salt: 0.001 } },
    { ...good, slug: 'x' },
    { ...good, name: ' ' },
  ]) {
    const reply = await admin.send('POST', '/api/admin/products', wrong)
    expect([wrong, reply.status, reply.body.code]).toEqual([wrong, 422, 'input_invalid'])
  }
  const dollars = await admin.send('POST', '/api/admin/products', { ...good, price: { amount: 100, currency: 'USD' } })
  expect([dollars.status, dollars.body.code]).toEqual([422, 'currency_mismatch'])
  expect(dollars.body.detail).toBe('No payment in USD is taken here.')
  for (const id of [crypto.randomUUID(), 'x']) {
    for (const [method, body] of [
      ['PATCH', { name: 'X' }],
      ['DELETE', undefined],
      ['GET', undefined],
    ] as const) {
      const reply = await admin.send(method, `/api/admin/products/${id}`, body)
      expect([method, reply.status, reply.body.code]).toEqual([method, 404, 'product_not_found'])
    }
  }
})
