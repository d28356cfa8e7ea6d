import { expect, test } from 'vitest'
import type { SignalBus } from 'safepoint'
import { world } from '../test/world.ts'
import { cacheCatalog } from './cache-catalog.ts'
import { catalogTopic } from './catalog.ts'

const shop = await world()
const { database, safepoint } = shop.composed.pantry
const { bus } = safepoint

/** The real database, whose reads of the catalogue can be held up and counted. */
function counted() {
  const reads = { count: 0, hold: async () => {} }
  const reader: typeof database = {
    ...database,
    async query(...given: Parameters<typeof database.query>) {
      reads.count++
      const found = await database.query(...given)
      await reads.hold()
      return found as any
    },
  }
  return { reads, reader }
}
const list = { search: undefined, limit: 50, after: undefined }

test('equal reads are one, also at the same time, and the rest come from memory', async () => {
  const { reads, reader } = counted()
  const cache = cacheCatalog({ database: reader, bus })
  const { productId } = await shop.newProduct()
  await Promise.all(Array.from({ length: 20 }, () => cache.findProduct(productId)))
  expect((await cache.findProduct(productId.toUpperCase()))?.id).toBe(productId)
  expect(reads.count).toBe(1)
  expect(cache.figures()).toEqual({ hits: 20, misses: 1 })
})

test('what was being read when the catalogue changed is not remembered', async () => {
  const { reads, reader } = counted()
  const cache = cacheCatalog({ database: reader, bus })
  const { productId } = await shop.newProduct({ price: 100 })
  let release = () => {}
  const held = new Promise<void>((resolve) => (release = resolve))
  reads.hold = () => held
  const old = cache.findProduct(productId)
  while (reads.count === 0) await Promise.resolve()
  await shop.sql('update pantry.product set price_amount = 200 where id = $1', [productId])
  bus.publish(catalogTopic)
  reads.hold = async () => {}
  expect((await cache.findProduct(productId))?.price.amount).toBe(200)
  release()
  await old
  expect((await cache.findProduct(productId))?.price.amount).toBe(200)
})

test('a signal that is lost only delays, and a gap in the signals forgets all', async () => {
  const gaps: Array<() => void> = []
  const deaf: SignalBus = { ...bus, subscribe: () => () => {}, onGap: (listener) => (gaps.push(listener), () => {}) }
  const { productId } = await shop.newProduct({ price: 100 })
  const priceIn = async (cache: ReturnType<typeof cacheCatalog>) => (await cache.findProduct(productId))?.price.amount
  const brief = cacheCatalog({ database, bus: deaf, ttl: 30 })
  const long = cacheCatalog({ database, bus: deaf, ttl: 60_000 })
  expect([await priceIn(brief), await priceIn(long)]).toEqual([100, 100])
  await shop.sql('update pantry.product set price_amount = 200 where id = $1', [productId])
  await expect.poll(() => priceIn(brief), { interval: 5 }).toBe(200)
  expect(await priceIn(long)).toBe(100)
  for (const gap of gaps) gap()
  expect(await priceIn(long)).toBe(200)
})

test('it is bounded by the products it holds, and lets go of what was used longest ago', async () => {
  const { reads, reader } = counted()
  const cache = cacheCatalog({ database: reader, bus, limit: 3 })
  const ids: string[] = []
  for (let n = 0; n < 4; n++) ids.push((await shop.newProduct()).productId)
  for (const id of ids.slice(0, 3)) await cache.findProduct(id)
  await cache.findProduct(ids[0]!)
  await cache.findProduct(ids[3]!)
  expect(cache.size).toBe(3)
  reads.count = 0
  await cache.findProduct(ids[0]!)
  expect(reads.count).toBe(0)
  await cache.findProduct(ids[1]!)
  expect(reads.count).toBe(1)
  // A page that is larger than the whole memory is answered, and not kept.
  expect((await cache.listProducts(list)).length).toBeGreaterThanOrEqual(4)
  expect(cache.size).toBeLessThanOrEqual(3)
})

test('what is not there, or could not be read, is not remembered', async () => {
  const { reads, reader } = counted()
  const cache = cacheCatalog({ database: reader, bus })
  const id = crypto.randomUUID()
  expect(await cache.findProduct(id)).toBeUndefined()
  expect(cache.size).toBe(0)
  reads.hold = async () => {
    throw new Error('away')
  }
  await expect(cache.listProducts(list)).rejects.toThrow('away')
  reads.hold = async () => {}
  expect((await cache.listProducts(list)).length).toBeGreaterThan(0)
})
