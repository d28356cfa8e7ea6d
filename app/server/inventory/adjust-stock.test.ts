import { uuidv7 } from 'safepoint'
import { expect, test } from 'vitest'
import { world } from '../test/world.ts'

const shop = await world()
const admin = await shop.newAdmin()

const stockOf = async (variantId: string) => {
  const [row] = await shop.sql(
    `select on_hand, reserved, (select coalesce(sum(delta), 0)::int from pantry.stock_movement m where m.variant_id = s.variant_id) as moved
    from pantry.stock s where variant_id = $1`,
    [variantId],
  )
  return row
}
/** Holds stock as an order would, until so many seconds from now. */
const hold = async (variantId: string, quantity: number, seconds: number) => {
  await shop.sql(
    `with held as (insert into pantry.reservation (id, order_id, variant_id, quantity, expires_at)
      values ($1, $1, $2, $3::int, now() + $4::int * interval '1 second'))
    update pantry.stock set reserved = reserved + $3::int where variant_id = $2`,
    [uuidv7(), variantId, quantity, seconds],
  )
}
const adjust = (variantId: string, body: object, headers: Record<string, string> = {}) =>
  admin.send('POST', `/api/admin/stock/${variantId}`, body, headers)

test('goods come in and go out with a reason, once a key, and the ledger explains what is there', async () => {
  const { variantIds } = await shop.newProduct({ stock: 5 })
  const [variantId] = variantIds as [string]
  const key = { 'idempotency-key': crypto.randomUUID() }
  const came = await adjust(variantId, { delta: 20, reason: 'Delivery of Monday' }, key)
  expect([came.status, came.body]).toEqual([
    200,
    { variantId, movementId: expect.any(String), onHand: 25, reserved: 0, available: 25 },
  ])
  const again = await adjust(variantId, { delta: 20, reason: 'Delivery of Monday' }, key)
  expect([again.text, again.headers['idempotent-replayed']]).toEqual([came.text, 'true'])
  expect((await adjust(variantId, { delta: -3, reason: 'loss' })).body).toMatchObject({ onHand: 22 })
  expect(await stockOf(variantId)).toEqual({ on_hand: 22, reserved: 0, moved: 22 })

  const { body } = await admin.send('GET', `/api/admin/stock/${variantId}/movements`)
  expect(body).toEqual({
    items: [
      expect.objectContaining({ delta: -3, kind: 'loss', reason: 'loss', actor: admin.user.id }),
      {
        id: came.body.movementId,
        delta: 20,
        kind: 'delivery',
        reason: 'Delivery of Monday',
        actor: admin.user.id,
        operationId: expect.any(String),
        at: expect.any(String),
      },
      expect.objectContaining({ delta: 5, kind: 'delivery', reason: 'delivery' }),
    ],
    nextCursor: null,
  })
})

test('a reason in whatever words is kept as it was given, and counted as what it begins with, else as a correction', async () => {
  const { variantIds } = await shop.newProduct({ stock: 0 })
  const given = [
    ['restock', 'correction'],
    ['loss: mice', 'loss'],
    ['Return of order 7', 'return'],
    ['sales event', 'correction'],
    ['נספר מחדש', 'correction'],
  ]
  for (const [reason] of given) expect((await adjust(variantIds[0]!, { delta: 1, reason })).status).toBe(200)
  const { body } = await admin.send('GET', `/api/admin/stock/${variantIds[0]}/movements`)
  expect(body.items.map(({ reason, kind }: { reason: string; kind: string }) => [reason, kind])).toEqual(
    given.toReversed(),
  )
})

test("what is reserved does not leave: 409 says what is there, and a reservation whose time is up is in nobody's way", async () => {
  const { variantIds } = await shop.newProduct({ stock: 10 })
  const [variantId] = variantIds as [string]
  await hold(variantId, 4, 3600)
  await hold(variantId, 5, -1)
  const refused = await adjust(variantId, { delta: -7, reason: 'correction' })
  expect([refused.status, refused.body]).toEqual([
    409,
    expect.objectContaining({
      code: 'stock_reserved',
      retryable: false,
      onHand: 10,
      reserved: 4,
      available: 6,
      delta: -7,
    }),
  ])
  expect(refused.body.detail).toContain('10 are on hand, of which 4 are reserved')
  const hebrew = await adjust(variantId, { delta: -7, reason: 'correction' }, { 'accept-language': 'he' })
  expect(hebrew.body.title).toBe('שמור, או שאינו במלאי')
  expect(await stockOf(variantId)).toEqual({ on_hand: 10, reserved: 9, moved: 10 })
  expect((await adjust(variantId, { delta: -6, reason: 'correction' })).body).toMatchObject({ onHand: 4, available: 0 })
  expect(await stockOf(variantId)).toEqual({ on_hand: 4, reserved: 4, moved: 4 })
})

test('fifty hands on one shelf at once: nothing is lost, and it never goes below what is reserved', async () => {
  const { variantIds } = await shop.newProduct({ stock: 20 })
  const [variantId] = variantIds as [string]
  await hold(variantId, 5, 3600)
  const replies = await Promise.all(
    Array.from({ length: 50 }, (_, n) =>
      adjust(variantId, n % 2 ? { delta: -3, reason: 'loss' } : { delta: 1, reason: 'return' }),
    ),
  )
  const done = replies.filter(({ status }) => status === 200)
  const refused = replies.filter(({ status }) => status !== 200)
  expect(refused.every(({ status, body }) => status === 409 && body.code === 'stock_reserved')).toBe(true)
  expect(done.length).toBeGreaterThan(25)
  const left = await stockOf(variantId)
  expect(left!.on_hand).toBe(left!.moved)
  expect(left!.on_hand).toBeGreaterThanOrEqual(5)
})

test('undone by the opposite movement, unless what came in is reserved since', async () => {
  const { variantIds } = await shop.newProduct({ stock: 0 })
  const [variantId] = variantIds as [string]
  const came = await adjust(variantId, { delta: 8, reason: 'delivery' })
  const undo = (reply: typeof came) => admin.send('POST', `/api/operations/${reply.headers['operation-key']}/undo`)
  await hold(variantId, 3, 3600)
  const refused = await undo(came)
  expect([refused.status, refused.body.code, refused.body.available]).toEqual([409, 'stock_reserved', 5])
  const lost = await adjust(variantId, { delta: -5, reason: 'loss' })
  expect((await undo(lost)).status).toBe(200)
  expect(await stockOf(variantId)).toEqual({ on_hand: 8, reserved: 3, moved: 8 })
  const { body } = await admin.send('GET', `/api/admin/stock/${variantId}/movements`)
  expect(body.items[0]).toMatchObject({ delta: 5, kind: 'correction', reason: `undo of ${lost.body.movementId}` })

  await shop.sql(`update pantry.account set role = 'customer' where id = $1`, [admin.user.id])
  try {
    const other = await undo(came)
    expect([other.status, other.body.code]).toEqual([403, 'forbidden'])
  } finally {
    await shop.sql(`update pantry.account set role = 'admin' where id = $1`, [admin.user.id])
  }
})

test('movements come in pages without a gap or a double, also those of one instant', async () => {
  const { variantIds } = await shop.newProduct({ stock: 0 })
  const [variantId] = variantIds as [string]
  await shop.sql(
    `insert into pantry.stock_movement (id, variant_id, delta, reason, at)
    select gen_random_uuid(), $1, n, 'delivery', '2026-01-01 10:00:00.123456+00'::timestamptz + (n / 3) * interval '1 microsecond'
    from generate_series(1, 10) n`,
    [variantId],
  )
  const seen: number[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const { body }: { body: { items: { delta: number; at: string }[]; nextCursor: string | null } } = await admin.send(
      'GET',
      `/api/admin/stock/${variantId}/movements?limit=4${cursor && `&cursor=${cursor}`}`,
    )
    seen.push(...body.items.map(({ delta }) => delta))
    cursor = body.nextCursor
  }
  expect(seen.map((delta) => Math.trunc(delta / 3))).toEqual([3, 3, 2, 2, 2, 1, 1, 1, 0, 0])
  expect(new Set(seen).size).toBe(10)
})

test('stock that runs low is listed with the least first, a page at a time', async () => {
  const { variantIds } = await shop.newProduct({ stock: 3, variants: 3 })
  await hold(variantIds[1]!, 2, 3600)
  await hold(variantIds[2]!, 3, -1)
  const page = (query: string) => admin.send('GET', `/api/admin/stock?${query}`)
  const { body } = await page('below=4&limit=100')
  const mine = body.items.filter((item: { variantId: string }) => variantIds.includes(item.variantId))
  expect(mine.map((item: any) => [item.variantId, item.available])).toEqual([
    [variantIds[1], 1],
    ...[variantIds[0]!, variantIds[2]!].sort().map((id) => [id, 3]),
  ])
  expect(mine[0]).toMatchObject({ product: 'Rice', variant: 'Size 2', onHand: 3, reserved: 2, sku: variantIds[1] })
  const first = await page('below=4&limit=1')
  const second = await page(`below=4&limit=100&cursor=${first.body.nextCursor}`)
  expect([...first.body.items, ...second.body.items]).toEqual(body.items)
  expect(body.items.every((item: { available: number }) => item.available < 4)).toBe(true)
})

test('is for administrators, and refuses what it does not understand', async () => {
  const { variantIds } = await shop.newProduct()
  const shopper = await shop.newShopper()
  const body = { delta: 1, reason: 'delivery' }
  for (const [method, path, sent] of [
    ['POST', `/api/admin/stock/${variantIds[0]}`, body],
    ['GET', `/api/admin/stock/${variantIds[0]}/movements`, undefined],
    ['GET', '/api/admin/stock', undefined],
  ] as const) {
    expect([path, (await shop.send(method, path, sent)).status]).toEqual([path, 401])
    expect([path, (await shopper.send(method, path, sent)).body]).toEqual([
      path,
      expect.objectContaining({ status: 403, code: 'forbidden' }),
    ])
  }
  const rows = await shop.sql(`select from safepoint.operation where name = 'stock.adjust' and scope = $1`, [
    `user:${shopper.user.id}`,
  ])
  expect(rows).toEqual([])
  for (const wrong of [
    { delta: 0, reason: 'delivery' },
    { delta: 1.5, reason: 'delivery' },
    { delta: 1, reason: 'sale' },
    { delta: 1 },
    { delta: 1, reason: ' ' },
    { delta: 10 ** 7, reason: 'delivery' },
    { ...body, more: 1 },
  ]) {
    const reply = await adjust(variantIds[0]!, wrong)
    expect([wrong, reply.status]).toEqual([wrong, 422])
  }
  for (const id of [uuidv7(), 'x']) expect((await adjust(id, body)).body.code).toBe('variant_not_found')
  expect((await admin.send('GET', '/api/admin/stock/x/movements')).status).toBe(404)
})
