import type { SqlTransaction } from 'safepoint'
import type { Enqueue } from '../../jobs.ts'
import { applyEventsJob } from './receive-event.ts'

/**
 * Called in the transaction in which whoever was in charge of an order, or of a payment of it, lets go, and in which one that
 * nobody is in charge of gets a name: events that came before are applied as soon as it has committed. (Earlier they could
 * not be: who is in charge is not disturbed.) Costs one indexed statement where there are none.
 */
export async function applyWaitingEvents(tx: SqlTransaction, enqueue: Enqueue, orderId: string): Promise<void> {
  const { rowCount } = await tx.query({
    name: 'webhooks_wake',
    text: `update pantry.webhook_event e set due_at = clock_timestamp()
      from pantry.payment p
      where p.order_id = $1::uuid and e.gateway = p.gateway and e.state = 'waiting'
        and (e.order_id = p.order_id::text or e.gateway_reference = p.gateway_reference or e.page_id = p.page_id)`,
    values: [orderId],
  })
  if (rowCount > 0) await enqueue(tx, applyEventsJob, {})
}
