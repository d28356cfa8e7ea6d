import { uuidv7 } from 'safepoint'
import { expect, test } from 'vitest'
import { quantities, world, type Send } from '../test/world.ts'
import { lineLimit, quantityLimit, type Cart, type MergedCart } from './cart.ts'

const shop = await world()
const second = await shop.another()

const merge = (send: Send, items: readonly object[], key: string = uuidv7(), headers = {}) =>
  send<MergedCart>('POST', '/api/cart/merge', { items }, { 'idempotency-key': key, ...headers })

test("a guest's cart is added to the account's own, summed by variant; without a variant the first is meant", async () => {
  const { send } = await shop.newShopper()
  const one = await shop.newProduct({ variants: 3 })
  const other = await shop.newProduct()
  const [small, big, unnamed] = one.variantIds as [string, string, string]
  await send('POST', '/api/cart/add', { productId: one.productId, variantId: small, quantity: 2 })
  const { status, body, headers } = await merge(send, [
    { productId: one.productId, variantId: big, quantity: 4 },
    { productId: one.productId, quantity: 3 },
    { productId: one.productId, variantId: small, quantity: 1 },
    { productId: other.productId, quantity: 5 },
  ])
  expect([status, headers.etag]).toEqual([200, `"${body.version}"`])
  expect(quantities(body)).toEqual({ [small]: 6, [big]: 4, [other.variantIds[0]!]: 5 })
  expect(unnamed in quantities(body)).toBe(false)
  expect(body.notMerged).toEqual([])
  const { notMerged: _, ...cart } = body
  expect((await send('GET', '/api/cart')).body).toEqual(cart)
})

test('I1: ten tabs that log in at once, on two servers, merge the same cart once', async () => {
  const { send, accessToken } = await shop.newShopper()
  const elsewhere = shop.sendTo(second, accessToken)
  const { productId, variantIds } = await shop.newProduct()
  const replies = await Promise.all(
    Array.from({ length: 10 }, (_, tab) => merge(tab % 2 ? elsewhere : send, [{ productId, quantity: 2 }], 'guest')),
  )
  expect(replies.map(({ status }) => status)).toEqual(Array(10).fill(200))
  expect(new Set(replies.map(({ text }) => text)).size).toBe(1)
  expect(quantities((await send<Cart>('GET', '/api/cart')).body)).toEqual({ [variantIds[0]!]: 2 })
  const otherBody = await merge(send, [{ productId, quantity: 3 }], 'guest')
  expect([otherBody.status, otherBody.body]).toEqual([422, expect.objectContaining({ code: 'key_reused' })])
})

test('merges and adds at the same time lose nothing', async () => {
  const { send, accessToken } = await shop.newShopper()
  const elsewhere = shop.sendTo(second, accessToken)
  const { productId, variantIds } = await shop.newProduct({ variants: 2 })
  const items = variantIds.map((variantId) => ({ productId, variantId, quantity: 3 }))
  const replies = await Promise.all(
    Array.from({ length: 20 }, (_, n) =>
      n % 2 ? merge(elsewhere, items) : send('POST', '/api/cart/add', { productId, quantity: 1 }),
    ),
  )
  expect(replies.map(({ status }) => status)).toEqual(Array(20).fill(200))
  expect(quantities((await send<Cart>('GET', '/api/cart')).body)).toEqual({
    [variantIds[0]!]: 40,
    [variantIds[1]!]: 30,
  })
})

test('what cannot be had, is unknown or is too much comes back line by line, and does not hold up the rest', async () => {
  const { send } = await shop.newShopper()
  const { productId, variantIds } = await shop.newProduct({ variants: 3, stock: 1 })
  const [nearlyFull, twice, archivedVariant] = variantIds as [string, string, string]
  const gone = await shop.newProduct()
  await shop.sql('update pantry.product set archived_at = now() where id = $1', [gone.productId])
  await shop.sql('update pantry.variant set archived_at = now() where id = $1', [archivedVariant])
  await send('POST', '/api/cart/add', { productId, variantId: nearlyFull, quantity: quantityLimit - 4 })
  const unknown = uuidv7()
  const { status, body } = await merge(send, [
    { productId, variantId: nearlyFull, quantity: 10 },
    { productId: gone.productId, quantity: 1 },
    { productId, variantId: archivedVariant, quantity: 2 },
    { productId: unknown, quantity: 3 },
    { productId, variantId: unknown, quantity: 4 },
    { productId: gone.productId, variantId: nearlyFull, quantity: 1 },
    { productId: "'; drop table pantry.cart; --", quantity: 5 },
    { productId, variantId: twice, quantity: 600 },
    { productId, variantId: twice, quantity: 600 },
  ])
  expect(status).toBe(200)
  // More than is in stock is taken, as an add takes it, and shown as unavailable.
  expect(quantities(body)).toEqual({ [nearlyFull]: quantityLimit, [twice]: quantityLimit })
  expect(body.hasUnavailableItems).toBe(true)
  expect(body.notMerged).toEqual([
    { productId, variantId: nearlyFull, quantity: 6, reason: 'quantity_limit' },
    { productId: gone.productId, quantity: 1, reason: 'product_unavailable' },
    { productId, variantId: archivedVariant, quantity: 2, reason: 'product_unavailable' },
    { productId: unknown, quantity: 3, reason: 'product_not_found' },
    { productId, variantId: unknown, quantity: 4, reason: 'product_not_found' },
    { productId: gone.productId, variantId: nearlyFull, quantity: 1, reason: 'product_not_found' },
    { productId: "'; drop table pantry.cart; --", quantity: 5, reason: 'product_not_found' },
    { productId, variantId: twice, quantity: 201, reason: 'quantity_limit' },
  ])
  const again = await merge(send, [{ productId, variantId: twice, quantity: 7 }])
  expect(again.body.notMerged).toEqual([{ productId, variantId: twice, quantity: 7, reason: 'quantity_limit' }])
})

test('a cart takes as many lines as it has room for, the first ones first', async () => {
  const { send } = await shop.newShopper()
  const { productId, variantIds } = await shop.newProduct({ variants: lineLimit + 2 })
  const lines = variantIds.map((variantId) => ({ productId, variantId, quantity: 1 }))
  expect((await merge(send, lines.slice(0, lineLimit - 1))).body.itemsCount).toBe(lineLimit - 1)
  const { body } = await merge(send, [lines[lineLimit]!, lines[0]!, lines[lineLimit + 1]!])
  expect(body.itemsCount).toBe(lineLimit)
  expect(quantities(body)).toMatchObject({ [variantIds[0]!]: 2, [variantIds[lineLimit]!]: 1 })
  expect(body.notMerged).toEqual([{ ...lines[lineLimit + 1], reason: 'cart_full' }])
})

test('undoing a merge takes out exactly what it put in, whatever was added since', async () => {
  const { send } = await shop.newShopper()
  const { productId, variantIds } = await shop.newProduct({ variants: 3 })
  const [there, capped, fresh] = variantIds as [string, string, string]
  const add = (variantId: string, quantity: number) => send('POST', '/api/cart/add', { productId, variantId, quantity })
  await add(there, 2)
  await add(capped, quantityLimit - 1)
  const items = [there, capped, fresh].map((variantId) => ({ productId, variantId, quantity: 5 }))
  const merged = await merge(send, items, 'guest')
  expect(quantities(merged.body)).toEqual({ [there]: 7, [capped]: quantityLimit, [fresh]: 5 })
  await add(there, 10)
  const undone = await send<Cart>('POST', '/api/operations/guest/undo')
  expect([undone.status, quantities(undone.body)]).toEqual([200, { [there]: 12, [capped]: quantityLimit - 1 }])
  const empty = await merge(send, [], 'nothing')
  expect(empty.body).toMatchObject({ version: undone.body.version, notMerged: [] })
  expect((await send('POST', '/api/operations/nothing/undo')).status).toBe(200)
})

test('a merge needs a key and an account, takes If-Match, and has an end', async () => {
  const { send, user } = await shop.newShopper()
  const { productId } = await shop.newProduct()
  const item = { productId, quantity: 1 }
  const keyless = await send('POST', '/api/cart/merge', { items: [item] })
  expect([keyless.status, keyless.body.code]).toEqual([400, 'key_required'])
  expect((await merge(shop.send, [item])).status).toBe(401)
  const unread = await merge(send, [item], uuidv7(), { 'if-match': '"3"' })
  expect([unread.status, unread.body]).toEqual([412, expect.objectContaining({ code: 'precondition_failed' })])
  for (const items of [
    Array(lineLimit + 1).fill(item),
    [{ ...item, quantity: 0 }],
    [{ ...item, quantity: quantityLimit + 1 }],
    [{ ...item, price: 1 }],
    [{ quantity: 1 }],
  ])
    expect((await merge(send, items)).body).toMatchObject({ code: 'input_invalid' })
  expect(await shop.sql('select id from pantry.cart where account_id = $1', [user.id])).toEqual([])
  const { body } = await merge(send, [item])
  expect((await merge(send, [item], uuidv7(), { 'if-match': `"${body.version}"` })).body.totalItems).toBe(2)
  expect((await merge(send, [item], uuidv7(), { 'if-match': `"${body.version}"` })).status).toBe(412)
})
