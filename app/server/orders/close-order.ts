import type { SqlTransaction } from 'safepoint'
import type { Enqueue } from '../jobs.ts'
import type { Run } from '../payments/payments.ts'
import { applyWaitingEvents } from '../payments/webhooks/apply-waiting-events.ts'

/** Closes the order for everybody but the run `by`; `false` when somebody else has closed it. */
export async function closeOrder(tx: SqlTransaction, id: string, by: Run): Promise<boolean> {
  const { rowCount } = await tx.query({
    name: 'orders_close',
    text: `update pantry.orders set closing_by = $2::uuid, closing_scope = $3::text, closing_key = $4::text
      where id = $1::uuid and coalesce(closing_by, $2::uuid) = $2::uuid`,
    values: [id, by.id, by.scope, by.key],
  })
  return rowCount === 1
}

/** Opens it again: what news has come of its payments meanwhile is applied now. Twice is once. */
export async function reopenOrder(tx: SqlTransaction, enqueue: Enqueue, id: string, by: string): Promise<void> {
  const { rowCount } = await tx.query({
    name: 'orders_reopen',
    text: `update pantry.orders set closing_by = null, closing_scope = null, closing_key = null
      where id = $1::uuid and closing_by = $2::uuid`,
    values: [id, by],
  })
  if (rowCount === 1) await applyWaitingEvents(tx, enqueue, id)
}
