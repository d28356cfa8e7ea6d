import type pg from 'pg'
import type { OpenPage } from './pay-page.ts'
import { administrator, type Shop } from './start-shop.ts'
import { demand, logIn, newCustomer, type Customer, type Person } from './people.ts'

export const currency = 'USD'

/** What is known of the shop by those who use it. */
export interface RandomWorld {
  readonly shop: Shop
  readonly sql: pg.Pool
  readonly customers: readonly Customer[]
  readonly admin: Person
  readonly goods: ReadonlyArray<{ readonly productId: string; readonly variantIds: readonly string[] }>
  /** In the order in which they were made. */
  readonly orders: Array<{ readonly id: string; readonly owner: Customer }>
  readonly pages: Array<{ readonly paymentId: string; readonly owner: Customer; readonly page: OpenPage }>
  /** What has succeeded, and may be undone. */
  readonly done: Array<{ readonly key: string; readonly by: Person }>
}

/** Something that is no request of an account; answers what came of it, in a word. */
export type Outside = () => Promise<string>

const nutrition = {
  per: '100 g',
  kcal: 350,
  protein: 7,
  carbohydrate: 78,
  sugar: 0,
  fat: 1,
  fibre: 1,
  salt: 0,
} as const

/** Customers, and a catalogue that an administrator has made, whose shelves are nearly empty. */
export async function openRandomWorld(shop: Shop, sql: pg.Pool, people: number): Promise<RandomWorld> {
  const at = shop.urls[0]!
  const admin = await logIn(at, administrator)
  const goods: Array<{ productId: string; variantIds: string[] }> = []
  for (let n = 0; n < 8; n++) {
    const made = await demand(
      admin.send(at, 'POST', '/api/admin/products', {
        name: `Rice ${n}`,
        description: 'Long grain.',
        category: 'grains',
        image: '/images/grains.svg',
        price: { amount: 250 + 375 * n, currency },
        nutrition,
        variants: [
          { name: '1 kg', contentG: 1000 },
          { name: '5 kg', contentG: 5000, priceDifference: 900 },
        ],
      }),
      201,
    )
    const variantIds = made.variants.map(({ id }: { id: string }) => id)
    for (const variantId of variantIds)
      await demand(
        admin.send(at, 'POST', `/api/admin/stock/${variantId}`, { delta: 30 + 10 * n, reason: 'delivery' }),
        200,
      )
    goods.push({ productId: made.id, variantIds })
  }
  const customers: Customer[] = []
  while (customers.length < people) {
    const more = Math.min(8, people - customers.length)
    customers.push(...(await Promise.all(Array.from({ length: more }, () => newCustomer(at)))))
  }
  return { shop, sql, customers, admin, goods, orders: [], pages: [], done: [] }
}
