import type { SqlTransaction } from 'safepoint'
import type { Enqueue } from '../../jobs.ts'
import { applyEventsJob } from './receive-event.ts'

/** A payment by all the names that it has so far. */
export interface NamedPayment {
  readonly gateway: string
  readonly orderId: string
  readonly reference?: string | undefined
  readonly pageId?: string | undefined
}

/**
 * Called in the transaction in which a payment gets a name (its row, its page, its reference), or in which whoever was in
 * charge of it lets go: events that came before are applied as soon as it has committed. Costs one indexed statement where
 * there are none.
 */
export async function applyWaitingEvents(tx: SqlTransaction, enqueue: Enqueue, payment: NamedPayment): Promise<void> {
  const { rowCount } = await tx.query({
    name: 'webhooks_wake',
    text: `update pantry.webhook_event set due_at = clock_timestamp()
      where gateway = $1::text and state = 'waiting'
        and (order_id = $2::text or gateway_reference = $3::text or page_id = $4::text)`,
    values: [payment.gateway, payment.orderId, payment.reference ?? null, payment.pageId ?? null],
  })
  if (rowCount > 0) await enqueue(tx, applyEventsJob, {})
}
