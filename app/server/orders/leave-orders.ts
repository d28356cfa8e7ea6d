import type { SqlTransaction } from 'safepoint'
import { announce } from '../announce.ts'
import { endCancelled, mustFind } from './cancel-order.ts'
import { findOrder } from './orders.queries.ts'
import {
  listUnpaidOrders,
  listUnsettledOrders,
  lockOrdersOf,
  redactOrders,
  type UnsettledOrder,
} from './orders-of-account.queries.ts'
import { decideCancel, orderTopic } from './orders.ts'

// What closing an account does to its orders, inside that transaction: first these, and the account's row after them.

/** Locks the account's orders, and cancels those that nobody has begun to pay, or that were declined: their stock is free again. */
export async function cancelUnpaidOrders(
  tx: SqlTransaction,
  by: { readonly accountId: string; readonly operationId: string },
): Promise<void> {
  const { accountId, operationId } = by
  await lockOrdersOf(tx, accountId)
  for (const id of await listUnpaidOrders(tx, accountId)) {
    const { order } = mustFind(await findOrder(tx, id))
    if (decideCancel(order).cancel !== 'at-once') continue
    await endCancelled(tx, order, { reason: 'customer_cancel', actor: accountId, operationId })
    announce(tx, orderTopic(id))
  }
}

/** Those whose money may still come or go. */
export const findUnsettledOrders = (tx: SqlTransaction, accountId: string): Promise<UnsettledOrder[]> =>
  listUnsettledOrders(tx, accountId)

/** Leaves of them what the books need. */
export const forgetOrders = (tx: SqlTransaction, accountId: string): Promise<void> => redactOrders(tx, accountId)
