import pg from 'pg'
import { uuidv7, type SqlTransaction } from 'safepoint'
import { expect, test } from 'vitest'
import { until } from '../../../safepoint/test/support/until.ts'
import { world } from '../test/world.ts'
import { listAvailable } from './available-stock.ts'
import { sumDemand, type StockLine } from './inventory.ts'
import { moveStock } from './move-stock.ts'
import { extendReservation, reserveStock } from './reserve-stock.ts'
import { bookStock, releaseStock, returnStock } from './settle-reservation.ts'

const shop = await world()
const { database } = shop.composed.pantry

async function committed<T>(work: (tx: SqlTransaction) => Promise<T>): Promise<T> {
  const end = await database.transaction({}, work)
  if (end.end === 'committed') return end.value
  throw end.error
}

/** Reserves all or nothing, as an order does. */
async function reserve(lines: readonly StockLine[], { orderId = uuidv7(), milliseconds = 60_000 } = {}) {
  const end = await database.transaction(
    { last: (reserved: Awaited<ReturnType<typeof reserveStock>>) => (reserved.reserved ? [] : 'rollback') },
    (tx) => reserveStock(tx, { orderId, lines, milliseconds }).then((reserved) => (answers.push(reserved), reserved)),
  )
  return { orderId, reserved: end.end === 'committed' }
}
const answers: Awaited<ReturnType<typeof reserveStock>>[] = []

const stockOf = async (variantId: string) => {
  const [row] = await shop.sql(
    `select on_hand, reserved, (select coalesce(sum(delta), 0)::int from pantry.stock_movement where variant_id = $1) as moved,
      (select coalesce(sum(quantity), 0)::int from pantry.reservation where variant_id = $1 and state = 'held') as held
    from pantry.stock where variant_id = $1`,
    [variantId],
  )
  return row
}
const availableOf = async (variantId: string) => (await listAvailable(database, [variantId])).get(variantId)
const one = async (stock: number) => (await shop.newProduct({ stock })).variantIds[0]!
const expire = (orderId: string) =>
  shop.sql(`update pantry.reservation set expires_at = now() - interval '1 second' where order_id = $1`, [orderId])

test('of 30 that want the last 7 at once, 7 get one, and the rest are told what there is', async () => {
  const variantId = await one(7)
  answers.length = 0
  const results = await Promise.all(Array.from({ length: 30 }, () => reserve([{ variantId, quantity: 1 }])))
  expect(results.filter(({ reserved }) => reserved)).toHaveLength(7)
  expect(answers.filter((answer) => !answer.reserved)).toEqual(
    Array(23).fill({ reserved: false, short: [{ variantId, quantity: 1, available: 0 }] }),
  )
  expect(await stockOf(variantId)).toEqual({ on_hand: 7, reserved: 7, moved: 7, held: 7 })
  expect(await availableOf(variantId)).toBe(0)
})

test('orders that want the same variants in opposite order never deadlock, and get all lines or none', async () => {
  const { variantIds } = await shop.newProduct({ stock: 10, variants: 5 })
  const results = await Promise.all(
    Array.from({ length: 30 }, (_, n) => {
      const lines = variantIds.map((variantId) => ({ variantId, quantity: 1 }))
      return reserve(n % 2 ? lines : lines.reverse())
    }),
  )
  expect(results.filter(({ reserved }) => reserved)).toHaveLength(10)
  for (const variantId of variantIds) expect(await stockOf(variantId)).toMatchObject({ reserved: 10, held: 10 })
})

test('demand for one variant is summed before it is weighed', async () => {
  const variantId = await one(5)
  expect(
    (
      await reserve([
        { variantId, quantity: 3 },
        { variantId, quantity: 3 },
      ])
    ).reserved,
  ).toBe(false)
  expect(
    (
      await reserve([
        { variantId, quantity: 3 },
        { variantId, quantity: 2 },
      ])
    ).reserved,
  ).toBe(true)
  expect(
    sumDemand([
      { variantId: 'b', quantity: 1 },
      { variantId: 'a', quantity: 2 },
      { variantId: 'b', quantity: 3 },
    ]),
  ).toEqual([
    { variantId: 'a', quantity: 2 },
    { variantId: 'b', quantity: 4 },
  ])
})

test('an expired reservation holds nothing for whoever reads, and the next order takes it', async () => {
  const variantId = await one(2)
  const { orderId } = await reserve([{ variantId, quantity: 2 }])
  expect(await availableOf(variantId)).toBe(0)
  await expire(orderId)
  expect(await availableOf(variantId)).toBe(2)
  expect(await stockOf(variantId)).toMatchObject({ reserved: 2 })
  expect((await reserve([{ variantId, quantity: 2 }])).reserved).toBe(true)
  expect(await stockOf(variantId)).toMatchObject({ on_hand: 2, reserved: 2, held: 2 })
  expect(await committed((tx) => bookStock(tx, { orderId }))).toEqual([])
})

test('an expired reservation that nobody has taken can be extended, booked or released', async () => {
  const variantId = await one(3)
  const orders = await Promise.all([1, 2, 3].map(() => reserve([{ variantId, quantity: 1 }])))
  for (const { orderId } of orders) await expire(orderId)
  const [first, middle, last] = orders.map(({ orderId }) => orderId) as [string, string, string]
  expect(await committed((tx) => extendReservation(tx, { orderId: first, milliseconds: 60_000 }))).toEqual([
    { variantId, quantity: 1 },
  ])
  expect(await committed((tx) => bookStock(tx, { orderId: middle }))).toEqual([{ variantId, quantity: 1 }])
  expect(await committed((tx) => releaseStock(tx, { orderId: last }))).toEqual([{ variantId, quantity: 1 }])
  expect(await stockOf(variantId)).toEqual({ on_hand: 2, reserved: 1, moved: 2, held: 1 })
  expect(await availableOf(variantId)).toBe(1)
})

test('booking, releasing and returning balance with the ledger; booking or releasing twice is once', async () => {
  const { variantIds } = await shop.newProduct({ stock: 10, variants: 2 })
  const lines = variantIds.map((variantId, n) => ({ variantId, quantity: n + 2 }))
  const { orderId } = await reserve(lines)
  const booked = await Promise.all([1, 2, 3].map(() => committed((tx) => bookStock(tx, { orderId, actor: 'a' }))))
  expect(booked.map((done) => done.length).sort()).toEqual([0, 0, 2])
  expect(await committed((tx) => releaseStock(tx, { orderId }))).toEqual([])
  await committed((tx) => returnStock(tx, { orderId, lines: [lines[0]!] }))
  expect(await stockOf(variantIds[0]!)).toEqual({ on_hand: 10, reserved: 0, moved: 10, held: 0 })
  expect(await stockOf(variantIds[1]!)).toEqual({ on_hand: 7, reserved: 0, moved: 7, held: 0 })
})

test('goods go in and out with a movement, and never below what is reserved', async () => {
  const variantId = await one(5)
  await reserve([{ variantId, quantity: 4 }])
  const move = (delta: number, kind: 'loss' | 'delivery', note?: string) =>
    committed((tx) => moveStock(tx, { variantId, delta, kind, note }))
  expect(await move(-2, 'loss')).toEqual({ movementId: undefined, onHand: 5, reserved: 4 })
  expect(await move(-1, 'loss', 'broken')).toEqual({ movementId: expect.any(String), onHand: 4, reserved: 4 })
  expect(await move(10, 'delivery')).toMatchObject({ onHand: 14, reserved: 4 })
  expect(await committed((tx) => moveStock(tx, { variantId: uuidv7(), delta: 1, kind: 'delivery' }))).toBeUndefined()
  expect(await stockOf(variantId)).toEqual({ on_hand: 14, reserved: 4, moved: 14, held: 4 })
})

test('an order that waited for a delivery is served from it, not refused by the constraint', async () => {
  const variantId = await one(1)
  const delivering = new pg.Client({ connectionString: shop.url })
  await delivering.connect()
  try {
    await delivering.query('begin')
    await delivering.query('update pantry.stock set on_hand = on_hand + 10 where variant_id = $1', [variantId])
    await delivering.query(
      `insert into pantry.stock_movement (id, variant_id, delta, reason) values ($1, $2, 10, 'delivery')`,
      [uuidv7(), variantId],
    )
    const waiting = [reserve([{ variantId, quantity: 5 }]), reserve([{ variantId, quantity: 4 }])]
    await until(
      async () =>
        (await shop.sql(`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`))
          .length === 2,
      { message: 'both orders wait for the row' },
    )
    await delivering.query('commit')
    expect((await Promise.all(waiting)).map(({ reserved }) => reserved)).toEqual([true, true])
  } finally {
    await delivering.end()
  }
  expect(await stockOf(variantId)).toEqual({ on_hand: 11, reserved: 9, moved: 11, held: 9 })
})

test('the database itself refuses stock that is oversold or negative, whoever writes', async () => {
  const variantId = await one(1)
  for (const write of ['reserved = 2', 'on_hand = -1', 'reserved = -1']) {
    await expect(shop.sql(`update pantry.stock set ${write} where variant_id = $1`, [variantId])).rejects.toMatchObject(
      { code: '23514' },
    )
  }
})

test('random reservations, bookings, releases, returns and expiries leave stock and ledger balanced', async () => {
  const { variantIds } = await shop.newProduct({ stock: 20, variants: 4 })
  const orders: { orderId: string; lines: StockLine[] }[] = []
  // A small linear congruence (Numerical Recipes): the same run every time.
  let seed = 42
  const next = (below: number) => (seed = (seed * 1664525 + 1013904223) % 2 ** 32) % below
  const step = async () => {
    const known = orders.length > 0 ? orders[next(orders.length)] : undefined
    const kind = next(5)
    if (kind <= 1 || !known) {
      const lines = [
        { variantId: variantIds[next(4)]!, quantity: 1 + next(3) },
        { variantId: variantIds[next(4)]!, quantity: 1 },
      ]
      const { orderId, reserved } = await reserve(lines)
      if (reserved) orders.push({ orderId, lines })
    } else if (kind === 2) await committed((tx) => releaseStock(tx, known))
    else if (kind === 3) {
      await committed(async (tx) => {
        const lines = await bookStock(tx, known)
        if (lines.length > 0) await returnStock(tx, { orderId: known.orderId, lines })
      })
    } else await expire(known.orderId)
  }
  for (let round = 0; round < 25; round++) await Promise.all(Array.from({ length: 8 }, step))
  for (const variantId of variantIds) {
    const stock = await stockOf(variantId)
    expect(stock).toMatchObject({ on_hand: 20, moved: 20 })
    expect(stock!.reserved).toBe(stock!.held)
  }
})
