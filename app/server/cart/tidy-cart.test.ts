import { uuidv7 } from 'safepoint'
import { describe, expect, test } from 'vitest'
import { listen, openEvents, quantities, world } from '../test/world.ts'
import { lineLimit, quantityLimit, type Cart } from './cart.ts'
import { tidyCarts, type TidiedAccount } from './tidy-carts.ts'

const shop = await world()
const second = await shop.another()

/** What an import does: carts beside the active one, of which there may be none. Those of the past come first. */
async function importCarts(accountId: string, ...carts: ReadonlyArray<Record<string, number>>) {
  const ids = carts.map(() => uuidv7())
  for (const [place, lines] of carts.entries()) {
    await shop.sql(
      `insert into pantry.cart (id, account_id, state, created_at)
        values ($1, $2, 'imported', timestamptz '2020-01-01' + $3::int * interval '1 day')`,
      [ids[place], accountId, place],
    )
    await shop.sql(
      `insert into pantry.cart_item (id, cart_id, variant_id, quantity)
        select gen_random_uuid(), $1, l.key::uuid, l.value::int from jsonb_each_text($2::jsonb) as l`,
      [ids[place], JSON.stringify(lines)],
    )
  }
  return ids
}

const standing = (accountId: string) =>
  shop.sql(
    `select state, count(*)::int, max(version) as version from pantry.cart where account_id = $1 group by state order by state`,
    [accountId],
  )

describe('after an import', () => {
  test('the first look folds what was brought into the active cart, summed, and the next one writes nothing', async () => {
    const { send, user } = await shop.newShopper()
    const { productId, variantIds } = await shop.newProduct({ variants: 3 })
    const [a, b, c] = variantIds as [string, string, string]
    await send('POST', '/api/cart/add', { productId, variantId: a, quantity: 1 })
    const imported = await importCarts(user.id, { [a]: 2, [b]: 3 }, { [b]: 4, [c]: 5 }, {})
    const { body } = await send<Cart>('GET', '/api/cart')
    expect(quantities(body)).toEqual({ [a]: 3, [b]: 7, [c]: 5 })
    expect(await standing(user.id)).toEqual([
      { state: 'active', count: 1, version: 2 },
      { state: 'merged', count: 3, version: 2 },
    ])
    // What was in them can still be told.
    const kept = 'select count(*)::int from pantry.cart_item where cart_id = any ($1::uuid[])'
    expect(await shop.sql(kept, [imported])).toEqual([{ count: 4 }])
    const mark = 'select id, xmin::text, ctid::text from pantry.cart where account_id = $1 order by id'
    const before = await shop.sql(mark, [user.id])
    expect((await send<Cart>('GET', '/api/cart')).body).toEqual(body)
    expect(await shop.sql(mark, [user.id])).toEqual(before)
  })

  test('ten tabs at once, on two servers, of somebody who has no active cart, fold once', async () => {
    const { send, accessToken, user } = await shop.newShopper()
    const elsewhere = shop.sendTo(second, accessToken)
    const { variantIds } = await shop.newProduct({ variants: 2 })
    const [a, b] = variantIds as [string, string]
    await importCarts(user.id, { [a]: 2 }, { [a]: 3, [b]: 1 })
    const replies = await Promise.all(
      Array.from({ length: 10 }, (_, tab) => (tab % 2 ? elsewhere : send)<Cart>('GET', '/api/cart')),
    )
    expect(replies.map(({ status }) => status)).toEqual(Array(10).fill(200))
    for (const { body } of replies) expect(quantities(body)).toEqual({ [a]: 5, [b]: 1 })
    expect(await standing(user.id)).toEqual([
      { state: 'active', count: 1, version: expect.any(Number) },
      { state: 'merged', count: 2, version: 2 },
    ])
  })

  test('a write means what it says: it folds nothing, and the look after it does', async () => {
    const { send, user } = await shop.newShopper()
    const { productId, variantIds } = await shop.newProduct()
    const added = await send<Cart>('POST', '/api/cart/add', { productId, quantity: 1 })
    await importCarts(user.id, { [variantIds[0]!]: 4 })
    const set = await send<Cart>('PATCH', `/api/cart/items/${added.body.items[0]!.id}`, { quantity: 2 })
    expect(set.body.totalItems).toBe(2)
    expect((await send<Cart>('GET', '/api/cart')).body.totalItems).toBe(6)
  })

  test('every device is told of what was folded in', async () => {
    const { accessToken, send, user } = await shop.newShopper()
    const { variantIds } = await shop.newProduct()
    const { body } = await send<Cart>('GET', '/api/cart')
    const events = await openEvents(`${await listen(second.app)}/api/cart/events`, accessToken)
    try {
      expect(await events.next()).toEqual({ version: body.version, cartId: body.id })
      await importCarts(user.id, { [variantIds[0]!]: 4 })
      await send('GET', '/api/cart')
      expect(await events.next()).toEqual({ version: body.version + 1, cartId: body.id })
    } finally {
      events.close()
    }
  })

  test('the command folds account after account, or one, tells what did not fit, and finds nothing the second time', async () => {
    const { productId, variantIds } = await shop.newProduct({ variants: lineLimit + 1 })
    const shoppers = await Promise.all([1, 2, 3].map(() => shop.newShopper()))
    const [one, two, three] = shoppers as [(typeof shoppers)[0], (typeof shoppers)[0], (typeof shoppers)[0]]
    await importCarts(one.user.id, { [variantIds[0]!]: 1 })
    await importCarts(two.user.id, { [variantIds[1]!]: 600 }, { [variantIds[1]!]: 600 })
    await shop.sql('update pantry.variant set archived_at = now() where id = $1', [variantIds[1]])
    // One line more than a cart may have: those of the youngest cart get in.
    const [old, , ...young] = variantIds as [string, string, ...string[]]
    const last = (await shop.newProduct()).variantIds[0]!
    await importCarts(three.user.id, { [old]: 7 }, Object.fromEntries([...young, last].map((id) => [id, 1])))

    const tidy = async (email?: string) => {
      const done: TidiedAccount[] = []
      for await (const account of tidyCarts(shop.composed.pantry, { email })) done.push(account)
      return done
    }
    const { id, email } = one.user
    expect(await tidy(` ${email.toUpperCase()}`)).toEqual([{ accountId: id, email, carts: 1, lines: 1, notMerged: [] }])
    expect(await tidy('nobody@example.com')).toEqual([])
    const all = await tidy()
    expect(all.map(({ accountId }) => accountId)).toEqual([two.user.id, three.user.id].toSorted())
    expect(all.find(({ accountId }) => accountId === two.user.id)).toMatchObject({
      carts: 2,
      lines: 1,
      notMerged: [{ productId, variantId: variantIds[1], quantity: 1200 - quantityLimit, reason: 'quantity_limit' }],
    })
    expect(all.find(({ accountId }) => accountId === three.user.id)).toMatchObject({
      carts: 2,
      lines: lineLimit,
      notMerged: [{ productId, variantId: old, quantity: 7, reason: 'cart_full' }],
    })
    // What is no longer sold is there as unavailable.
    expect((await two.send<Cart>('GET', '/api/cart')).body).toMatchObject({
      hasUnavailableItems: true,
      items: [{ variantId: variantIds[1], quantity: quantityLimit, available: false }],
    })
    expect(await tidy()).toEqual([])
  })
})
