import { describe, expect, test } from 'vitest'
import { listen, openEvents, quantities, world } from '../test/world.ts'
import { addToCart } from './cart.queries.ts'
import { cartTopic, lineLimit, quantityLimit, type Cart } from './cart.ts'

const shop = await world()
const second = await shop.another()

const add = { productId: '', quantity: 1 }

describe('the cart', () => {
  test('ten tabs of a new user, on two servers, get one cart', async () => {
    const { send, accessToken, user } = await shop.newShopper()
    const elsewhere = shop.sendTo(second, accessToken)
    const carts = await Promise.all(
      Array.from({ length: 10 }, (_, tab) => (tab % 2 ? elsewhere : send)<Cart>('GET', '/api/cart')),
    )
    expect(carts.map(({ status }) => status)).toEqual(Array(10).fill(200))
    expect(new Set(carts.map(({ body }) => body.id)).size).toBe(1)
    const rows = await shop.sql('select id from pantry.cart where account_id = $1', [user.id])
    expect(rows).toHaveLength(1)
  })

  test('the first adds of a new user from ten tabs make one cart with all of them', async () => {
    const { send, user } = await shop.newShopper()
    const { productId } = await shop.newProduct()
    const replies = await Promise.all(
      Array.from({ length: 10 }, () => send('POST', '/api/cart/add', { productId, quantity: 1 })),
    )
    expect(replies.map(({ status }) => status)).toEqual(Array(10).fill(200))
    const rows = await shop.sql(
      'select c.id, i.quantity from pantry.cart c join pantry.cart_item i on i.cart_id = c.id where c.account_id = $1',
      [user.id],
    )
    expect(rows).toEqual([{ id: expect.any(String), quantity: 10 }])
  })

  test('50 parallel adds of the same variant, on two servers, lose nothing', async () => {
    const { send, accessToken } = await shop.newShopper()
    const elsewhere = shop.sendTo(second, accessToken)
    const { productId, variantIds } = await shop.newProduct({ variants: 2 })
    const replies = await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        (n % 2 ? elsewhere : send)(
          'POST',
          '/api/cart/add',
          { productId, variantId: variantIds[1], quantity: 1 },
          { 'idempotency-key': `same-${n}` },
        ),
      ),
    )
    expect(replies.map(({ status }) => status)).toEqual(Array(50).fill(200))
    const { body } = await send<Cart>('GET', '/api/cart')
    expect(quantities(body)).toEqual({ [variantIds[1]!]: 50 })
    expect(body.totalItems).toBe(50)
    expect(body.version).toBe(50)
  })

  test('50 parallel adds of 50 variants, on two servers, make 50 lines', async () => {
    const { send, accessToken } = await shop.newShopper()
    const elsewhere = shop.sendTo(second, accessToken)
    const { productId, variantIds } = await shop.newProduct({ variants: 50 })
    const replies = await Promise.all(
      variantIds.map((variantId, n) =>
        (n % 2 ? elsewhere : send)('POST', '/api/cart/add', { productId, variantId, quantity: n + 1 }),
      ),
    )
    expect(replies.map(({ status }) => status)).toEqual(Array(50).fill(200))
    const { body } = await send<Cart>('GET', '/api/cart')
    expect(quantities(body)).toEqual(Object.fromEntries(variantIds.map((id, n) => [id, n + 1])))
  })

  test('adds and removals of the same line at once end in what one of the orders makes, and every answer was true', async () => {
    const { send } = await shop.newShopper()
    const { productId, variantIds } = await shop.newProduct()
    const { body } = await send<Cart>('POST', '/api/cart/add', { productId, quantity: 1 })
    const id = body.items[0]!.id
    const replies = await Promise.all([
      ...Array.from({ length: 10 }, () => send<Cart>('POST', '/api/cart/add', { productId, quantity: 1 })),
      send<Cart>('DELETE', `/api/cart/items/${id}`),
    ])
    const removal = replies.at(-1)!
    expect(removal.status).toBe(200)
    expect(quantities(removal.body)).toEqual({})
    const after = replies.slice(0, 10).filter((reply) => reply.body.version > removal.body.version)
    const { body: last } = await send<Cart>('GET', '/api/cart')
    expect(quantities(last)).toEqual(after.length === 0 ? {} : { [variantIds[0]!]: after.length })
  })

  test('I1: the same add under one key, ten times at once on two servers, adds once', async () => {
    const { send, accessToken } = await shop.newShopper()
    const elsewhere = shop.sendTo(second, accessToken)
    const { productId, variantIds } = await shop.newProduct()
    const replies = await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        (n % 2 ? elsewhere : send)('POST', '/api/cart/add', { productId, quantity: 3 }, { 'idempotency-key': 'once' }),
      ),
    )
    expect(new Set(replies.map(({ text }) => text)).size).toBe(1)
    expect(quantities((await send<Cart>('GET', '/api/cart')).body)).toEqual({ [variantIds[0]!]: 3 })
  })

  test('a read writes nothing once the cart exists', async () => {
    const { send, user } = await shop.newShopper()
    const first = await send<Cart>('GET', '/api/cart')
    const mark = 'select xmin::text, ctid::text from pantry.cart where account_id = $1'
    const before = await shop.sql(mark, [user.id])
    expect((await send<Cart>('GET', '/api/cart')).body).toEqual(first.body)
    expect(await shop.sql(mark, [user.id])).toEqual(before)
  })

  test('If-None-Match is answered 304 for as long as nothing of the cart has changed, prices included', async () => {
    const { send } = await shop.newShopper()
    const { productId } = await shop.newProduct({ price: 700 })
    const added = await send<Cart>('POST', '/api/cart/add', { productId, quantity: 1 })
    const read = async (tag: unknown) => send<Cart>('GET', '/api/cart', undefined, { 'if-none-match': String(tag) })
    const first = await read(added.headers.etag)
    expect([first.status, first.headers.etag]).toEqual([
      200,
      expect.stringMatching(new RegExp(`^"${added.body.version}-`)),
    ])
    for (const tag of [first.headers.etag, `"0", W/${first.headers.etag}`, '*']) {
      const same = await read(tag)
      expect([tag, same.status, same.text, same.headers.etag]).toEqual([tag, 304, '', first.headers.etag])
    }
    await shop.sql('update pantry.product set price_amount = 800 where id = $1', [productId])
    const dearer = await read(first.headers.etag)
    expect([dearer.status, dearer.body.version, dearer.body.totalPrice.amount]).toEqual([200, added.body.version, 800])
    // The tag of a read guards a write by its version.
    const body = { productId, quantity: 1 }
    expect((await send('POST', '/api/cart/add', body, { 'if-match': String(dearer.headers.etag) })).status).toBe(200)
    expect((await send('POST', '/api/cart/add', body, { 'if-match': String(dearer.headers.etag) })).status).toBe(412)
    expect((await read(dearer.headers.etag)).status).toBe(200)
  })

  test('shows prices, totals and what cannot be had', async () => {
    const { send } = await shop.newShopper()
    const plenty = await shop.newProduct({ price: 1250, variants: 2 })
    const scarce = await shop.newProduct({ price: 99, stock: 1 })
    await send('POST', '/api/cart/add', { productId: plenty.productId, variantId: plenty.variantIds[1], quantity: 3 })
    const { body } = await send<Cart>('POST', '/api/cart/add', { productId: scarce.productId, quantity: 2 })
    expect(body).toMatchObject({
      itemsCount: 2,
      totalItems: 5,
      totalPrice: { amount: 3 * 1350 + 2 * 99, currency: 'INR' },
      hasUnavailableItems: true,
    })
    expect(
      body.items.map(({ unitPrice, totalPrice, available }) => [unitPrice.amount, totalPrice.amount, available]),
    ).toEqual([
      [1350, 4050, true],
      [99, 198, false],
    ])
  })

  test('a product that leaves the catalogue stays in the cart as unavailable, and cannot be added', async () => {
    const { send } = await shop.newShopper()
    const { productId, variantIds } = await shop.newProduct()
    await send('POST', '/api/cart/add', { productId, quantity: 1 })
    await shop.sql('update pantry.product set archived_at = now() where id = $1', [productId])
    const { body } = await send<Cart>('GET', '/api/cart')
    expect(body).toMatchObject({ hasUnavailableItems: true, items: [{ productId, available: false }] })
    const refused = await send('POST', '/api/cart/add', { productId, variantId: variantIds[0], quantity: 1 })
    expect([refused.status, refused.body.code]).toEqual([409, 'product_unavailable'])
    const removed = await send<Cart>('DELETE', `/api/cart/items/${body.items[0]!.id}`)
    expect([removed.status, removed.body.items, removed.body.hasUnavailableItems]).toEqual([200, [], false])
  })

  test('sets a quantity, removes at 0, and empties', async () => {
    const { send } = await shop.newShopper()
    const { productId, variantIds } = await shop.newProduct({ variants: 3 })
    for (const variantId of variantIds) await send('POST', '/api/cart/add', { productId, variantId, quantity: 2 })
    const { body: full } = await send<Cart>('GET', '/api/cart')
    const [first, middle] = full.items
    const set = await send<Cart>('PATCH', `/api/cart/items/${first!.id}`, { quantity: 7 })
    expect(set.body.items[0]).toMatchObject({ id: first!.id, quantity: 7 })
    const gone = await send<Cart>('PATCH', `/api/cart/items/${middle!.id}`, { quantity: 0 })
    expect(quantities(gone.body)).toEqual({ [variantIds[0]!]: 7, [variantIds[2]!]: 2 })
    const empty = await send<Cart>('DELETE', '/api/cart')
    expect(empty.body).toMatchObject({
      id: full.id,
      items: [],
      itemsCount: 0,
      totalPrice: { amount: 0, currency: 'INR' },
      version: 6,
    })
  })

  test('a removal sent twice, under two keys, is one: both are answered with the cart, and one alone raises its version', async () => {
    const { send } = await shop.newShopper()
    const { productId } = await shop.newProduct()
    const { body: full } = await send<Cart>('POST', '/api/cart/add', { productId, quantity: 3 })
    const item = `/api/cart/items/${full.items[0]!.id}`
    const [one, other] = await Promise.all(
      ['one', 'other'].map((key) => send<Cart>('DELETE', item, undefined, { 'idempotency-key': key })),
    )
    const later = await send<Cart>('DELETE', item)
    for (const reply of [one!, other!, later])
      expect([reply.status, reply.body.id, reply.body.items]).toEqual([200, full.id, []])
    expect((await send<Cart>('PATCH', item, { quantity: 0 })).body.version).toBe(later.body.version)
    expect((await send('PATCH', item, { quantity: 2 })).body.code).toBe('cart_item_not_found')
    expect((await send('DELETE', '/api/cart/items/nonsense')).status).toBe(404)
    const stale = await send('DELETE', item, undefined, { 'if-match': `"${full.version}"` })
    expect([stale.status, stale.body.currentVersion]).toEqual([412, later.body.version])
    // The one that took it out puts it back; the other took out nothing.
    for (const key of ['one', 'other']) expect((await send('POST', `/api/operations/${key}/undo`)).status).toBe(200)
    expect((await send<Cart>('GET', '/api/cart')).body.totalItems).toBe(3)
  })

  test('If-Match lets one of two writers through, tells the other the version, and changes nothing for it', async () => {
    const { send } = await shop.newShopper()
    const { productId } = await shop.newProduct()
    const { body } = await send<Cart>('POST', '/api/cart/add', { productId, quantity: 1 })
    const tag = { 'if-match': `"${body.version}"` }
    const item = `/api/cart/items/${body.items[0]!.id}`
    const replies = await Promise.all([
      send('POST', '/api/cart/add', { productId, quantity: 1 }, tag),
      send('PATCH', item, { quantity: 9 }, tag),
    ])
    expect(replies.map(({ status }) => status).sort()).toEqual([200, 412])
    const refused = replies.find(({ status }) => status === 412)!
    expect(refused.body).toMatchObject({ code: 'precondition_failed', currentVersion: body.version + 1 })
    expect((await send<Cart>('GET', '/api/cart')).body.version).toBe(body.version + 1)
    const unread = await (
      await shop.newShopper()
    ).send('POST', '/api/cart/add', { productId, quantity: 1 }, { 'if-match': '"4"' })
    expect(unread.status).toBe(412)
  })

  test('refuses more of a line, and more lines, than there may be', async () => {
    const { send } = await shop.newShopper()
    const { productId, variantIds } = await shop.newProduct({ variants: lineLimit + 1 })
    await send('POST', '/api/cart/add', { productId, variantId: variantIds[0], quantity: quantityLimit })
    const tooMany = await send('POST', '/api/cart/add', { productId, variantId: variantIds[0], quantity: 1 })
    expect([tooMany.status, tooMany.body.code, tooMany.body.limit]).toEqual([422, 'quantity_limit', quantityLimit])
    const [{ id }] = (await shop.sql('select cart_id as id from pantry.cart_item where variant_id = $1', [
      variantIds[0],
    ])) as [{ id: string }]
    await shop.sql(
      'insert into pantry.cart_item (id, cart_id, variant_id, quantity) select gen_random_uuid(), $1::uuid, unnest($2::uuid[]), 1',
      [id, variantIds.slice(1, lineLimit)],
    )
    const full = await send('POST', '/api/cart/add', { productId, variantId: variantIds[lineLimit], quantity: 1 })
    expect([full.status, full.body.code]).toEqual([422, 'cart_full'])
    expect((await send<Cart>('GET', '/api/cart')).body.itemsCount).toBe(lineLimit)
  })

  test('lines of somebody else are not found, whatever is tried on them', async () => {
    const [one, other] = [await shop.newShopper(), await shop.newShopper()]
    const { productId } = await shop.newProduct()
    const { body } = await one.send<Cart>('POST', '/api/cart/add', { productId, quantity: 2 })
    await other.send('GET', '/api/cart')
    const path = `/api/cart/items/${body.items[0]!.id}`
    const changed = await other.send('PATCH', path, { quantity: 1 })
    expect([changed.status, changed.body.code]).toEqual([404, 'cart_item_not_found'])
    // What is not in one's own cart is removed already, be it gone, unknown or another's: the answer does not tell which.
    const removed = await other.send<Cart>('DELETE', path)
    expect([removed.status, removed.body]).toEqual([200, (await other.send('GET', '/api/cart')).body])
    expect((await one.send<Cart>('GET', '/api/cart')).body).toEqual(body)
  })

  test('every device is told of a change made through another server, and not before it is committed', async () => {
    const { accessToken, send, user } = await shop.newShopper()
    const { productId } = await shop.newProduct()
    const events = await openEvents(`${await listen(second.app)}/api/cart/events`, accessToken)
    try {
      expect(await events.next()).toMatchObject({ version: 0 })
      await send('POST', '/api/cart/add', { productId, quantity: 1 })
      expect(await events.next()).toMatchObject({ version: 1 })
      const refused = await send('POST', '/api/cart/add', { productId, quantity: quantityLimit })
      expect(refused.status).toBe(422)
      const { body } = await send<Cart>('POST', '/api/cart/add', { productId, quantity: 1 })
      expect(await events.next()).toEqual({ version: body.version, cartId: body.id })
      // A signal that comes late, or says nothing, is only a reason to look; nothing older is told again.
      const { bus } = shop.composed.pantry.safepoint
      for (const data of [JSON.stringify({ version: 1, cartId: body.id }), 'nonsense', ''])
        bus.publish(cartTopic(user.id), data)
      const { body: last } = await send<Cart>('POST', '/api/cart/add', { productId, quantity: 1 })
      expect(await events.next()).toEqual({ version: last.version, cartId: last.id })
    } finally {
      events.close()
    }
  })

  test('needs an account', async () => {
    for (const [method, path] of [
      ['GET', '/api/cart'],
      ['POST', '/api/cart/add'],
      ['POST', '/api/cart/merge'],
      ['PATCH', '/api/cart/items/1'],
      ['DELETE', '/api/cart/items/1'],
      ['DELETE', '/api/cart'],
      ['GET', '/api/cart/events'],
      ['GET', '/api/events?topics=cart'],
    ] as const) {
      const { status, body } = await shop.send(method, path, method === 'POST' ? add : undefined)
      expect([path, status, body.code]).toEqual([path, 401, 'unauthenticated'])
    }
  })
})

describe('undo and cancel', () => {
  const lines = (accountId: string) =>
    shop.sql(
      `select i.id, i.variant_id, i.quantity from pantry.cart c join pantry.cart_item i on i.cart_id = c.id
      where c.account_id = $1 and c.state = 'active' order by i.variant_id`,
      [accountId],
    )

  async function filled() {
    const shopper = await shop.newShopper()
    const { productId, variantIds } = await shop.newProduct({ variants: 3 })
    for (const variantId of variantIds.slice(0, 2))
      await shopper.send('POST', '/api/cart/add', { productId, variantId, quantity: 4 })
    const before = await lines(shopper.user.id)
    return { ...shopper, productId, variantIds, before, path: `/api/cart/items/${before[0]!.id}` }
  }

  const writes = {
    'an add to a line': (cart: Awaited<ReturnType<typeof filled>>) =>
      [
        'POST',
        '/api/cart/add',
        { productId: cart.productId, variantId: cart.before[0]!.variant_id, quantity: 3 },
      ] as const,
    'an add of a new line': (cart: Awaited<ReturnType<typeof filled>>) =>
      ['POST', '/api/cart/add', { productId: cart.productId, variantId: cart.variantIds[2], quantity: 3 }] as const,
    'a change': (cart: Awaited<ReturnType<typeof filled>>) => ['PATCH', cart.path, { quantity: 9 }] as const,
    'a change to nothing': (cart: Awaited<ReturnType<typeof filled>>) => ['PATCH', cart.path, { quantity: 0 }] as const,
    'a removal': (cart: Awaited<ReturnType<typeof filled>>) => ['DELETE', cart.path, undefined] as const,
    'emptying the cart': () => ['DELETE', '/api/cart', undefined] as const,
  }

  test.each(Object.entries(writes))(
    'undoing %s leaves the lines as they were, ids included; twice is once',
    async (_, write) => {
      const cart = await filled()
      const [method, path, body] = write(cart)
      const done = await cart.send(method, path, body, { 'idempotency-key': 'w' })
      expect(done.status).toBe(200)
      expect(await lines(cart.user.id)).not.toEqual(cart.before)
      const undone = await Promise.all([1, 2].map(() => cart.send('POST', '/api/operations/w/undo')))
      expect(undone.map(({ status }) => status)).toEqual([200, 200])
      expect(await lines(cart.user.id)).toEqual(cart.before)
      const cancelled = await cart.send('POST', '/api/operations/w/cancel', {})
      expect(cancelled.body).toMatchObject({
        outcome: 'too_late',
        state: 'succeeded',
        undone: { key: expect.any(String) },
      })
    },
  )

  test('undoing an add takes out what it put in, whatever was added since', async () => {
    const cart = await filled()
    const body = { productId: cart.productId, variantId: cart.variantIds[2] }
    await cart.send('POST', '/api/cart/add', { ...body, quantity: 3 }, { 'idempotency-key': 'first' })
    await cart.send('POST', '/api/cart/add', { ...body, quantity: 5 })
    const { body: after } = await cart.send<Cart>('POST', '/api/operations/first/undo')
    expect(quantities(after)[cart.variantIds[2]!]).toBe(5)
  })

  test('an undo that would lose a later change is refused, and changes nothing', async () => {
    const cart = await filled()
    await cart.send('PATCH', cart.path, { quantity: 9 }, { 'idempotency-key': 'w' })
    await cart.send('PATCH', cart.path, { quantity: 2 })
    const now = await lines(cart.user.id)
    const refused = await cart.send('POST', '/api/operations/w/undo')
    expect([refused.status, refused.body.code]).toEqual([409, 'undo_outdated'])
    expect(await lines(cart.user.id)).toEqual(now)
  })

  test('I2: an add that was cancelled before it arrived is never added', async () => {
    const { send, user } = await shop.newShopper()
    const { productId } = await shop.newProduct()
    expect((await send('POST', '/api/operations/early/cancel', {})).body).toMatchObject({ outcome: 'cancelled' })
    const late = await send('POST', '/api/cart/add', { productId, quantity: 1 }, { 'idempotency-key': 'early' })
    expect([late.status, late.body.code]).toEqual([409, 'cancelled'])
    expect(await lines(user.id)).toEqual([])
  })
})

test('without a variant the first one that is sold is meant', async () => {
  const { user } = await shop.newShopper()
  const { productId, variantIds } = await shop.newProduct({ variants: 2 })
  await shop.sql('update pantry.variant set archived_at = now() where id = $1', [variantIds[0]])
  const { database } = shop.composed.pantry
  const end = await database.transaction({}, (tx) =>
    addToCart(tx, { accountId: user.id, productId, variantId: undefined, quantity: 1, ifMatch: undefined }),
  )
  expect(end).toMatchObject({ end: 'committed', value: { added: { variantId: variantIds[1], from: 0, to: 1 } } })
})
