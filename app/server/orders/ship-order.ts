import { conflict, defineOperation, refuse } from 'safepoint'
import { announce } from '../announce.ts'
import { isId } from '../http.ts'
import { markShipped, rememberEvent } from './admin-orders.queries.ts'
import { noSuchOrder } from './cancel-order.ts'
import { findOrder, getOrder } from './orders.queries.ts'
import { orderTopic } from './orders.ts'
import { shipOrderInput, viewOrder, type OrderView } from './orders.schema.ts'

/** Sends an order on its way. Shipped twice is shipped once. */
export const shipOrder = defineOperation({
  name: 'order.ship',
  input: shipOrderInput,
  errors: {
    order_not_found: 'There is no such order.',
    order_not_paid: 'Only an order that is completed is shipped.',
  },
  onDisconnect: 'finish',
  onCancel: 'The order stays where it is.',
  keep: 'A parcel that has left does not come back by a click; when it does, refund the order.',
  async run({ tx, actor }, { id }): Promise<OrderView> {
    if (!isId(id)) throw noSuchOrder()
    if (await markShipped(tx, id)) {
      await rememberEvent(tx, id, { reason: 'shipped', actor })
      announce(tx, orderTopic(id))
      return viewOrder((await getOrder(tx, id)).order)
    }
    const found = await findOrder(tx, id)
    if (!found) throw noSuchOrder()
    const { order } = found
    if (order.fulfilment === 'shipped') return viewOrder(order)
    if (order.closingBy !== undefined)
      throw conflict('The money of this order is on its way back.', { retryAfterMs: 1000 })
    throw refuse('order_not_paid', 'Only a completed order is shipped.', { details: { status: order.status } })
  },
})
