import type { SqlTransaction } from 'safepoint'
import { releaseStock, returnStock } from '../inventory/settle-reservation.ts'
import { moveOrder } from './orders.queries.ts'
import type { Order, OrderReason } from './orders.ts'

/** Cancels an order whose money is back: what was booked comes back into stock. */
export async function cancelRefunded(
  tx: SqlTransaction,
  order: Order,
  by: { readonly reason: OrderReason; readonly operationId: string; readonly actor?: string; readonly note?: string },
): Promise<void> {
  const { reason, note, actor, operationId } = by
  await moveOrder(tx, order.id, order.status, [{ to: 'cancelled', reason, note, actor }])
  const { id: orderId, lines } = order
  if (order.status === 'completed') await returnStock(tx, { orderId, lines, operationId, actor: actor ?? 'shop' })
  else await releaseStock(tx, { orderId })
}
