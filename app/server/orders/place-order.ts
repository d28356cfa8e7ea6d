import { defineOperation, refuse, uuidv7, type DurableContext, type SqlTransaction } from 'safepoint'
import { announce } from '../announce.ts'
import { accountOf } from '../accounts/accounts.ts'
import { multiplyMoney, sumMoney } from '../catalog/money.ts'
import { reserveStock } from '../inventory/reserve-stock.ts'
import { isId } from '../http.ts'
import type { Enqueue } from '../jobs.ts'
import { openActiveCart, takeCart } from './cart-of-order.queries.ts'
import { cancelSteps, runCancel, type CancelSteps } from './cancel-order.ts'
import { expireOrdersJob } from './expire-order.ts'
import { findAddressSnapshot, findOrderOfCart, getOrder, insertOrder } from './orders.queries.ts'
import { orderTopic, outOfStock, type AddressSnapshot } from './orders.ts'
import { placeOrderInput, viewOrder, type OrderView } from './orders.schema.ts'
import type { OfferedGateways } from '../payments/offered-gateways.ts'

export interface PlaceOrderOptions {
  readonly gateways: OfferedGateways
  /** How long stock is held for an unpaid order, in milliseconds. */
  readonly hold: number
  readonly currency: string
  readonly enqueue: Enqueue
}

/** Turns the cart into a pending order: stock is held, prices and addresses are copied, nothing is charged. */
export function placeOrder({ gateways, hold, currency, enqueue }: PlaceOrderOptions) {
  return defineOperation({
    name: 'order.place',
    input: placeOrderInput,
    errors: {
      cart_empty: 'There is nothing in the cart.',
      cart_not_found: 'There is no such cart of this account.',
      address_not_found: 'There is no such address of this account.',
      cart_changed: 'The total is no longer the one that was shown.',
      out_of_stock: 'Somebody else was faster; `items` says what can still be had.',
    },
    onDisconnect: 'finish',
    onCancel:
      'No order is made, and the cart stays as it is. Once the order is made, undoing it releases the stock and puts the cart back.',
    undo: {
      record: ({ result }: { readonly result: OrderView }) => ({ orderId: result.id }),
      steps: cancelSteps(gateways),
      run: (ctx: DurableContext<SqlTransaction, CancelSteps>, recorded: { readonly orderId: string }) =>
        runCancel(ctx, { orderId: recorded.orderId, reason: 'undone' }),
    },
    async run(ctx, input): Promise<OrderView> {
      const { tx } = ctx
      const accountId = accountOf(ctx.scope)
      if (input.cartId !== undefined && !isId(input.cartId)) throw noSuchCart(input.cartId)
      const cart = await takeCart(tx, accountId, input.cartId)
      if (!cart) {
        const placed = input.cartId === undefined ? undefined : await findOrderOfCart(tx, input.cartId, accountId)
        if (placed) return viewOrder(placed.order)
        if (input.cartId === undefined) throw refuse('cart_empty', 'The cart is empty.')
        throw noSuchCart(input.cartId)
      }
      if (cart.lines.length === 0) throw refuse('cart_empty', 'The cart is empty.', { details: { cartId: cart.id } })

      const shipping = await copyAddress(tx, input.addressId, accountId)
      const billing =
        input.billingAddressId === undefined ? shipping : await copyAddress(tx, input.billingAddressId, accountId)
      const gone = cart.lines.filter((line) => !line.sold)
      if (gone.length > 0)
        throw outOfStock(
          gone.map((line) => ({ ...line, available: 0 })),
          cart.lines,
        )

      const total = sumMoney(
        cart.lines.map((line) => multiplyMoney(line.unitPrice, line.quantity)),
        currency,
      )
      const { expectedTotal } = input
      if (expectedTotal && (expectedTotal.amount !== total.amount || expectedTotal.currency !== total.currency)) {
        throw refuse('cart_changed', 'The total has changed.', { details: { cartId: cart.id, expectedTotal, total } })
      }

      const id = uuidv7()
      const { reservedUntil } = await insertOrder(tx, {
        id,
        accountId,
        cartId: cart.id,
        total: total.amount,
        currency,
        shippingAddress: shipping,
        billingAddress: billing,
        hold,
        lines: cart.lines.map((line) => ({ ...line, id: uuidv7(), unitPrice: line.unitPrice.amount })),
      })
      const reserved = await reserveStock(tx, { orderId: id, lines: cart.lines, milliseconds: hold })
      if (!reserved.reserved) throw outOfStock(reserved.short, cart.lines)
      await openActiveCart(tx, accountId, cart.version + 1)
      await enqueue(tx, expireOrdersJob, { orderId: id }, { after: reservedUntil })
      announce(tx, orderTopic(id))
      ctx.respond({ status: 201, headers: { location: `/api/orders/${id}` } })
      return viewOrder((await getOrder(tx, id)).order)
    },
  })
}

const noSuchCart = (cartId: string) => refuse('cart_not_found', 'There is no such cart.', { details: { cartId } })

async function copyAddress(tx: SqlTransaction, id: string, accountId: string): Promise<AddressSnapshot> {
  const found = isId(id) ? await findAddressSnapshot(tx, id, accountId) : undefined
  if (!found) throw refuse('address_not_found', 'There is no such address.', { details: { addressId: id } })
  return found
}
