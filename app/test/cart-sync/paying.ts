import type { CreatedPayment, Money, OrderWithHistory } from '../../client/model.ts'
import type { Reply } from '../checkout/shopper.ts'
import { address } from '../shop/people.ts'
import { answered, type SendOptions, type Shopper } from './shoppers.ts'
import type { Site } from './site.ts'

/** As the contract has it, which is more than the pages read of it. */
export interface PlacedOrder extends OrderWithHistory {
  readonly cartId: string
  readonly items: ReadonlyArray<
    OrderWithHistory['items'][number] & {
      readonly productId: string
      readonly variantId: string
      readonly unitPrice: Money
    }
  >
}

/** Order and payment from the active cart, at the first gateway offered where `more` names no other. */
export const payCart = (site: Site, shopper: Shopper, more: object = {}, options?: SendOptions): Promise<Reply> =>
  shopper.persist('POST', '/api/payments/create-from-cart', payment(site, more), options)

export const payment = (site: Site, more: object = {}): object => ({
  gateway: site.gateways()[0],
  shippingAddress: address,
  currency: site.currency,
  ...more,
})

/** The order of a payment that has to be made. */
export async function orderOf(reply: Reply, shopper: Shopper): Promise<PlacedOrder> {
  return readOrder(answered<CreatedPayment>(reply, 201).orderId, shopper)
}

export const readOrder = async (id: string, shopper: Shopper): Promise<PlacedOrder> =>
  answered(await shopper.send('GET', `/api/orders/${id}`), 200)

/** What somebody has ordered from a cart: one, or none. */
export async function ordersFrom(cartId: string, shopper: Shopper): Promise<readonly PlacedOrder[]> {
  const { items } = answered<{ items: readonly PlacedOrder[] }>(await shopper.send('GET', '/api/orders?limit=50'), 200)
  return items.filter((order) => order.cartId === cartId)
}
