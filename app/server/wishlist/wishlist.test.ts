import { expect, test } from 'vitest'
import { world } from '../test/world.ts'
import { wishLimit } from './wishlist.ts'

const shop = await world()
const second = await shop.another()

const path = (productId: string) => `/api/wishlist/${productId}`
const listed = async (send: typeof shop.send) =>
  (await send('GET', '/api/wishlist')).body.items.map((item: { productId: string }) => item.productId)

test('a product is put on the list once, by ten tabs on two servers at once, and taken off once', async () => {
  const { send, accessToken } = await shop.newShopper()
  const elsewhere = shop.sendTo(second, accessToken)
  const { productId } = await shop.newProduct({ price: 900 })
  const replies = await Promise.all(
    Array.from({ length: 10 }, (_, n) => (n % 2 ? elsewhere : send)('PUT', path(productId))),
  )
  expect(replies.map(({ status }) => status).sort()).toEqual([...Array(9).fill(200), 201])
  expect(new Set(replies.map(({ text }) => text)).size).toBe(1)
  expect((await send('GET', '/api/wishlist')).body).toEqual({
    items: [{ ...replies[0]!.body, productId, name: 'Rice', price: { amount: 900, currency: 'INR' }, available: true }],
    nextCursor: null,
  })
  const removals = await Promise.all([send('DELETE', path(productId)), elsewhere('DELETE', path(productId))])
  for (const { status, body } of [...removals, await send('DELETE', path(productId))])
    expect([status, body]).toEqual([200, { productId, removed: true }])
  expect(await listed(send)).toEqual([])
})

test('a wish that is undone is off the list, unless it was there before or was made again since', async () => {
  const { send } = await shop.newShopper()
  const { productId } = await shop.newProduct()
  const put = (key: string) => send('PUT', path(productId), undefined, { 'idempotency-key': key })
  const undo = (key: string) => send('POST', `/api/operations/${key}/undo`)
  await put('first')
  await put('again')
  expect((await undo('again')).status).toBe(200)
  expect(await listed(send)).toEqual([productId])
  expect((await undo('first')).status).toBe(200)
  expect(await listed(send)).toEqual([])
  await put('second')
  await send('DELETE', path(productId), undefined, { 'idempotency-key': 'off' })
  await put('third')
  for (const key of ['second', 'off']) expect((await undo(key)).status).toBe(200)
  expect(await listed(send)).toEqual([productId])
})

test('what is no longer sold stays on the list as unavailable, and cannot be put there; the list has an end', async () => {
  const { send, user } = await shop.newShopper()
  const { productId } = await shop.newProduct()
  await send('PUT', path(productId))
  await shop.sql('update pantry.product set archived_at = now() where id = $1', [productId])
  expect((await send('GET', '/api/wishlist')).body.items).toMatchObject([{ productId, available: false }])
  expect((await send('PUT', path(productId))).body.code).toBe('product_not_found')
  for (const id of ['nonsense', crypto.randomUUID(), 'a%00b'])
    expect([id, (await send('PUT', path(id))).status]).toEqual([id, 404])

  const many = await Promise.all(Array.from({ length: wishLimit }, () => shop.newProduct()))
  await shop.sql('insert into pantry.wish (account_id, product_id) select $1::uuid, unnest($2::uuid[])', [
    user.id,
    many.slice(1).map((one) => one.productId),
  ])
  const full = await send('PUT', path(many[0]!.productId))
  expect([full.status, full.body.code, full.body.limit]).toEqual([422, 'wishlist_full', wishLimit])
  expect((await send('PUT', path(many[1]!.productId))).status).toBe(200)
})

test('lists are of one account, and need one', async () => {
  const [one, other] = [await shop.newShopper(), await shop.newShopper()]
  const { productId } = await shop.newProduct()
  await one.send('PUT', path(productId))
  expect(await listed(other.send)).toEqual([])
  await other.send('DELETE', path(productId))
  expect(await listed(one.send)).toEqual([productId])
  for (const [method, url] of [
    ['GET', '/api/wishlist'],
    ['PUT', path(productId)],
    ['DELETE', path(productId)],
  ] as const)
    expect([method, (await shop.send(method, url)).status]).toEqual([method, 401])
})
