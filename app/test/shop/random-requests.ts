import { address, demand, type Customer, type Person } from './people.ts'
import { payOnPage } from './pay-page.ts'
import type { Kind, PlannedOperation } from './random-plan.ts'
import { currency, type Outside, type RandomWorld } from './random-world.ts'
import { gatewayNames } from './start-shop.ts'
import { deliverAgain } from './deliver-again.ts'

/** One write, as whoever asks for it sends it. */
export interface RandomRequest {
  readonly by: Person
  readonly method: string
  readonly path: string
  readonly body?: object
  readonly headers?: Readonly<Record<string, string>>
  /** Whoever places an order is told of it, and of its page. */
  readonly owner?: Customer
  /** Not an operation under this key. */
  readonly keyless?: boolean
}

type Make = (
  world: RandomWorld,
  planned: PlannedOperation & { readonly customer: Customer; readonly at: string },
) => Promise<RandomRequest | Outside | undefined> | RandomRequest | Outside | undefined

const pick = <T>(of: readonly T[], chance: number): T | undefined => of[Math.floor(chance * of.length)]
/** Of the last ones: what is recent is what things happen to. */
const recent = <T>(of: readonly T[], chance: number, most = 40): T | undefined => pick(of.slice(-most), chance)

const anyLine = ({ goods }: RandomWorld, [which = 0, variant = 0, much = 0]: readonly number[]) => {
  const { productId, variantIds } = pick(goods, which)!
  return { productId, variantId: pick(variantIds, variant)!, quantity: 1 + Math.floor(much * 3) }
}

interface SeenCart {
  readonly id: string
  readonly items: ReadonlyArray<{ readonly id: string }>
  readonly totalPrice: { readonly amount: number; readonly currency: string }
}

const seeCart = ({ customer, at }: { readonly customer: Customer; readonly at: string }): Promise<SeenCart> =>
  demand<SeenCart>(customer.send(at, 'GET', '/api/cart'), 200)

/** Who orders has mostly chosen something. */
async function seeFullCart(
  world: RandomWorld,
  planned: { readonly customer: Customer; readonly at: string; readonly chance: readonly number[] },
) {
  const { customer, at, chance } = planned
  const cart = await seeCart(planned)
  if (cart.items.length > 0 || chance[5]! < 0.1) return cart
  await customer.send(at, 'POST', '/api/cart/add', anyLine(world, chance.slice(2)))
  return seeCart(planned)
}

const cards = [
  'pm_card_visa',
  'pm_card_visa',
  'pm_card_visa',
  'pm_card_chargeDeclined',
  'pm_card_authenticationRequired',
]

const makers: Readonly<Record<Kind, Make>> = {
  'cart add': (world, { customer: by, chance }) => ({
    by,
    method: 'POST',
    path: '/api/cart/add',
    body: anyLine(world, chance),
  }),
  async 'cart change'(_, planned) {
    const { customer: by, chance } = planned
    const item = pick((await seeCart(planned)).items, chance[0]!)
    const body = { quantity: Math.floor(chance[1]! * 4) }
    return item && { by, method: 'PATCH', path: `/api/cart/items/${item.id}`, body }
  },
  async 'cart remove'(_, planned) {
    const item = pick((await seeCart(planned)).items, planned.chance[0]!)
    return item && { by: planned.customer, method: 'DELETE', path: `/api/cart/items/${item.id}` }
  },
  'cart clear': (_, { customer: by }) => ({ by, method: 'DELETE', path: '/api/cart' }),
  'cart merge': (world, { customer: by, chance }) => ({
    by,
    method: 'POST',
    path: '/api/cart/merge',
    body: { items: [anyLine(world, chance), anyLine(world, chance.slice(3))] },
  }),
  async 'order place'(world, planned) {
    const { customer: by } = planned
    const { id: cartId, totalPrice: expectedTotal } = await seeFullCart(world, planned)
    return {
      by,
      owner: by,
      method: 'POST',
      path: '/api/orders',
      body: { cartId, addressId: by.addressId, expectedTotal },
    }
  },
  'order confirm by card'({ orders }, { chance }) {
    const order = recent(orders, chance[0]!, 25)
    const body = { gateway: 'stripe', paymentMethod: pick(cards, chance[2]!) }
    return order && { by: order.owner, owner: order.owner, method: 'POST', path: confirmOf(order.id), body }
  },
  'order confirm by page'({ orders }, { chance }) {
    const order = recent(orders, chance[0]!, 25)
    const body = { gateway: pick(gatewayNames, chance[1]!) }
    return order && { by: order.owner, owner: order.owner, method: 'POST', path: confirmOf(order.id), body }
  },
  async 'create from cart'(world, planned) {
    const { customer: by, chance } = planned
    const { id: cartId, totalPrice: expectedTotal } = await seeFullCart(world, planned)
    const body = {
      gateway: pick(gatewayNames, chance[0]!),
      cartId,
      shippingAddress: chance[1]! < 0.5 ? by.addressId : address,
      expectedTotal,
      currency,
    }
    return { by, owner: by, method: 'POST', path: '/api/payments/create-from-cart', body }
  },
  'pay on page'({ pages }, { chance }) {
    const open = recent(pages, chance[0]!)
    if (!open) return undefined
    return async () => {
      const back = await payOnPage(open.page, chance[1]! < 0.8 ? 'pay' : 'decline')
      if (!back) return 'stays on the page'
      if (chance[2]! < 0.4) return 'paid, and closed the window'
      return `paid, and came back (${await back()})`
    }
  },
  'payment verify'({ pages }, { chance }) {
    const open = recent(pages, chance[0]!)
    return open && { by: open.owner, method: 'POST', path: `/api/payments/${open.paymentId}/verify`, body: {} }
  },
  'order cancel'({ orders }, { chance }) {
    const order = recent(orders, chance[0]!)
    return order && { by: order.owner, method: 'POST', path: `/api/orders/${order.id}/cancel`, body: {} }
  },
  undo({ done }, { chance }) {
    const last = recent(done, chance[0]!)
    return last && { by: last.by, method: 'POST', path: `/api/operations/${last.key}/undo`, keyless: true }
  },
  'order ship'({ orders, admin: by }, { chance }) {
    const order = recent(orders, chance[0]!)
    return order && { by, method: 'POST', path: `/api/admin/orders/${order.id}/ship`, body: {} }
  },
  'order refund'({ orders, admin: by }, { chance }) {
    const order = recent(orders, chance[0]!)
    const amount = chance[1]! < 0.5 ? undefined : 1 + Math.floor(chance[2]! * 500)
    const body = { reason: 'broken', ...(amount !== undefined && { amount }) }
    return order && { by, method: 'POST', path: `/api/admin/orders/${order.id}/refund`, body }
  },
  'stock adjust'(world, { chance }) {
    const { variantId } = anyLine(world, chance)
    const delta = Math.round(chance[3]! * 50 - 10) || 1
    const body = { delta, reason: delta > 0 ? 'delivery' : 'loss' }
    return { by: world.admin, method: 'POST', path: `/api/admin/stock/${variantId}`, body }
  },
  async 'price change'({ goods, admin: by }, { at, chance }) {
    const path = `/api/admin/products/${pick(goods, chance[0]!)!.productId}`
    const { headers } = await by.send(at, 'GET', path)
    const body = { price: { amount: 250 + Math.floor(chance[1]! * 3000), currency } }
    return { by, method: 'PATCH', path, body, headers: { 'if-match': headers.get('etag')! } }
  },
  async 'archive or restore'({ goods, admin: by }, { at, chance }) {
    const path = `/api/admin/products/${pick(goods, chance[0]!)!.productId}`
    const { body: product } = await by.send(at, 'GET', path)
    if (product.archived) return { by, method: 'PATCH', path, body: { archived: false } }
    // Most of the time most of it is sold.
    return chance[1]! < 0.25 ? { by, method: 'DELETE', path } : undefined
  },
  'webhook again': (world, { at, chance }) => deliverAgain(world, at, chance),
  // As if half an hour had passed for this order alone.
  'time is up'({ orders, sql }, { chance }) {
    const order = recent(orders, chance[0]!)
    return (
      order &&
      (async () => {
        const { rowCount } = await sql.query(
          `with passed as (
            update pantry.orders set reserved_until = clock_timestamp() - interval '1 second'
            where id = $1 and status in ('pending', 'awaiting_payment', 'failed') returning id
          )
          update pantry.reservation r set expires_at = clock_timestamp() - interval '1 second'
          from passed p where r.order_id = p.id and r.state = 'held'`,
          [order.id],
        )
        return rowCount ? 'passed' : 'too late'
      })
    )
  },
}

const confirmOf = (orderId: string) => `/api/orders/${orderId}/confirm`

/** What the plan comes to in this moment; undefined where there is nothing that it could be done to. */
export async function makeRequest(
  world: RandomWorld,
  planned: PlannedOperation,
): Promise<RandomRequest | Outside | undefined> {
  const customer = world.customers[planned.person]!
  return makers[planned.kind](world, { ...planned, customer, at: world.shop.urls[planned.server]! })
}
