import { defineOperation, type DurableContext, type SqlTransaction } from 'safepoint'
import { accountOf } from '../accounts/accounts.ts'
import type { OfferedGateways } from '../payments/offered-gateways.ts'
import { cancelSteps, runCancel, type CancelSteps } from './cancel-order.ts'
import { placeOrderInput, viewOrder, type OrderView } from './orders.schema.ts'
import { placeFromCart, type PlaceOptions } from './place-from-cart.ts'

export type PlaceOrderOptions = PlaceOptions & { readonly gateways: OfferedGateways }

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
      steps: cancelSteps({ gateways, enqueue }),
      // A doubt about a refund stops the undo: the order stays closed, and a human looks.
      undoOrder: 'ordered',
      run: (ctx: DurableContext<SqlTransaction, CancelSteps>, recorded: { readonly orderId: string }) =>
        runCancel(ctx, enqueue, { orderId: recorded.orderId, reason: 'undone' }),
    },
    async run(ctx, input): Promise<OrderView> {
      const accountId = accountOf(ctx.scope)
      const { addressId, billingAddressId, ...wish } = input
      const { order, placed } = await placeFromCart(
        ctx.tx,
        { accountId, shippingAddress: addressId, billingAddress: billingAddressId, ...wish },
        { hold, currency, enqueue },
      )
      if (placed) ctx.respond({ status: 201, headers: { location: `/api/orders/${order.id}` } })
      return viewOrder(order)
    },
  })
}
