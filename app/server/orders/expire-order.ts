import { defineOperation, isSafepointError, operationStep, type Safepoint, type SqlTransaction } from 'safepoint'
import { z } from 'zod'
import type { Job } from '../jobs.ts'
import { isWaiting } from '../payments/payments.ts'
import { cancelSteps, mustFind, runCancel, type CancelOptions } from './cancel-order.ts'
import { findOrder, listExpiredOrders } from './orders.queries.ts'
import { isExpired, shopScope } from './orders.ts'
import type { SettlePayment } from './settle-payment.ts'

export interface ExpireOrderOptions extends CancelOptions {
  /** Asks the gateway first: what was paid in time is completed, not refunded. */
  readonly settlePayment: SettlePayment
}

/** Cancels an unpaid order whose reservation has run out, and does nothing to any other. */
export function expireOrder({ settlePayment, ...options }: ExpireOrderOptions) {
  return defineOperation({
    name: 'order.expire',
    input: z.strictObject({ orderId: z.uuid() }),
    onDisconnect: 'finish',
    onCancel: 'Nobody waits for it; the time that is up stays up.',
    uncancellable: 'The time of this order is up.',
    keep: 'Its stock may be somebody else’s by now; the cart has the lines back, and can be ordered again.',
    deadline: 24 * 3600_000,
    undoOrder: 'ordered',
    steps: {
      look: operationStep(() => settlePayment, { keep: 'What has happened at the gateway has happened.' }),
      ...cancelSteps(options),
    },
    async run(ctx, { orderId }) {
      const waiting = await ctx.read(async (tx) => {
        const { order, now } = mustFind(await findOrder(tx, orderId))
        const { payment } = order
        return isExpired(order, now) &&
          payment &&
          isWaiting(payment) &&
          order.closingBy === undefined &&
          payment.handledBy === undefined
          ? payment.id
          : undefined
      })
      if (waiting !== undefined) await ctx.steps.look({ paymentId: waiting })
      return runCancel(ctx, options.enqueue, { orderId, reason: 'expired' })
    },
  })
}

export type ExpireOrder = ReturnType<typeof expireOrder>

/** Enqueued with each order for the end of its reservation. */
export const expireOrdersJob = 'orders.expire'

const batch = 50

/**
 * Tidies. Who reads or reserves stock ignores an expired reservation already, so that a job that is late, or lost, costs
 * nobody a sale. Every minute it also looks for what was missed.
 */
export function expireOrders(safepoint: Safepoint<SqlTransaction>, operation: ExpireOrder): Job {
  return {
    name: expireOrdersJob,
    cron: '* * * * *',
    async work() {
      const seen = new Set<string>()
      const failures: unknown[] = []
      for (;;) {
        const due = (await listExpiredOrders(safepoint.database, batch + seen.size)).filter((id) => !seen.has(id))
        for (const orderId of due) {
          seen.add(orderId)
          try {
            await safepoint.run(operation, { orderId }, { scope: shopScope })
          } catch (error) {
            // A payment of it is under way; whatever becomes of that, the next sweep looks again.
            if (!isSafepointError(error) || error.code !== 'conflict') failures.push(error)
          }
        }
        if (due.length < batch) break
      }
      // The job has failed, and the orders after the one that it failed over are none the worse for it.
      if (failures.length > 0) throw failures[0]
    },
  }
}
