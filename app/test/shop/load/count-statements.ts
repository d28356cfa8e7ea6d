import type pg from 'pg'
import { startStatementProxy } from '../../checkout/statement-proxy.ts'
import { demand, newCustomer } from '../people.ts'
import { startShop } from '../start-shop.ts'

/** What an engine does by itself, whenever it comes; and what frames a transaction. */
const aside =
  /^(sp_(find_states|renew_leases|claim_expired|enforce_deadlines|strip_operations|notify|begin|commit|rollback)|begin|commit|rollback|orders_expired|payments_claim_due)/i

/** How many statements each route takes, one request at a time: counted on the wire to PostgreSQL, on connections that are warm. */
export async function countStatements({
  databaseUrl,
  goods,
}: {
  readonly databaseUrl: string
  readonly goods: { readonly productId: string; readonly variantIds: readonly string[] }
}): Promise<ReadonlyMap<string, number>> {
  const proxy = await startStatementProxy(databaseUrl, ['safepoint', 'safepoint-cancel'])
  const shop = await startShop({ databaseUrl: proxy.url, servers: 1, gateways: ['stripe'] })
  try {
    const at = shop.urls[0]!
    const customer = await newCustomer(at)
    const counts = new Map<string, number>()
    const recorded = proxy.record()
    const ask = async (route: string, path: string, body?: object) => {
      const [method = ''] = route.split(' ')
      const before = recorded.length
      const answer = await demand(customer.send(at, method, path, body), 200, 201)
      const own = recorded.slice(before).filter(({ statement }) => !aside.test(statement))
      // The fewest of several: what else a process did meanwhile is not the route's.
      counts.set(route, Math.min(counts.get(route) ?? Infinity, own.length))
      return answer
    }
    for (let round = 0; round < 4; round++) {
      const line = { productId: goods.productId, variantId: goods.variantIds[round % 2]!, quantity: 2 }
      await ask('GET /api/products', '/api/products?limit=24')
      await ask('GET /api/products/:id', `/api/products/${goods.productId}`)
      await ask('GET /api/cart', '/api/cart')
      const { items } = await ask('POST /api/cart/add', '/api/cart/add', line)
      await ask('PATCH /api/cart/items/:id', `/api/cart/items/${items[0].id}`, { quantity: 1 })
      await ask('DELETE /api/cart/items/:id', `/api/cart/items/${items[0].id}`)
      const paid = await ask('POST /api/cart/add', '/api/cart/add', line)
      const expectedTotal = paid.totalPrice
      const shippingAddress = customer.addressId
      const made = await ask('POST /api/payments/create-from-cart', '/api/payments/create-from-cart', {
        gateway: 'stripe',
        cartId: paid.id,
        shippingAddress,
        expectedTotal,
        currency: expectedTotal.currency,
      })
      await ask('GET /api/orders/:id', `/api/orders/${made.orderId}`)
      await ask('GET /api/orders', '/api/orders')
      await ask('POST /api/payments/:id/verify', `/api/payments/${made.paymentId}/verify`, {})
      await ask('POST /api/orders/:id/cancel', `/api/orders/${made.orderId}/cancel`, {})
      await ask('DELETE /api/cart', '/api/cart')
      const { totalPrice } = await ask('POST /api/cart/add', '/api/cart/add', line)
      const order = await ask('POST /api/orders', '/api/orders', {
        addressId: customer.addressId,
        expectedTotal: totalPrice,
      })
      const card = { gateway: 'stripe', paymentMethod: 'pm_card_visa' }
      await ask('POST /api/orders/:id/confirm', `/api/orders/${order.id}/confirm`, card)
    }
    return counts
  } finally {
    await shop.stop()
    await proxy.close()
  }
}

/** A catalogue as a shop has it: some goods by the thousand, a few nearly gone. */
export async function stockCatalogue(sql: pg.Pool, count: number) {
  const { rows } = await sql.query<{ product_id: string; variant_ids: string[] }>(
    `with product as (
      insert into pantry.product (id, slug, name, description, category, image, price_amount, currency,
        energy_kcal, protein_g, carbohydrate_g, sugar_g, fat_g, fibre_g, salt_g)
      select gen_random_uuid(), 'goods-' || n, (array['Rice', 'Milk', 'Lentils', 'Tea'])[1 + n % 4] || ' ' || n, 'Good.', 'grains', '/images/grains.svg',
        2500 + 100 * n, 'INR', 350, 7, 78, 0, 1, 1, 0 from generate_series(1, $1::int) n
      returning id, slug
    ), variant as (
      insert into pantry.variant (id, product_id, sku, name, position, content_g)
      select gen_random_uuid(), id, slug || '-' || n, n || ' kg', n, 1000 from product, generate_series(0, 1) n
      returning id, product_id, sku
    ), stock as (
      insert into pantry.stock (variant_id, on_hand) select id, case when sku like 'goods-1-%' then 5 else 1000000 end from variant
      returning variant_id, on_hand
    ), moved as (
      insert into pantry.stock_movement (id, variant_id, delta, reason) select gen_random_uuid(), variant_id, on_hand, 'delivery' from stock
    )
    select product_id, array_agg(id::text order by sku) as variant_ids from variant group by 1`,
    [count],
  )
  return rows.map(({ product_id, variant_ids }) => ({ productId: product_id, variantIds: variant_ids }))
}
