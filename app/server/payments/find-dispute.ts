import type { Reader } from '../database.ts'
import type { KnownDispute } from './disputes.ts'
import type { Dispute } from './gateways/gateway.ts'

interface DisputeRow {
  gateway: string
  dispute_id: string
  payment_id: string
  gateway_reference: string
  status: Dispute['status']
  amount: string
  currency: string
  reason: string | null
  respond_by: Date | null
  opened_at: Date
  version: number
  updated_at: Date
}

const disputeOf = (row: DisputeRow): KnownDispute => ({
  id: row.dispute_id,
  paymentId: row.gateway_reference,
  ourPaymentId: row.payment_id,
  gateway: row.gateway,
  status: row.status,
  amount: Number(row.amount),
  currency: row.currency,
  reason: row.reason,
  respondBy: row.respond_by?.toISOString() ?? null,
  openedAt: row.opened_at.toISOString(),
  version: row.version,
  updatedAt: row.updated_at.toISOString(),
})

const select = 'select d.*, p.gateway_reference from pantry.dispute d join pantry.payment p on p.id = d.payment_id'

export async function findDispute(reader: Reader, gateway: string, id: string): Promise<KnownDispute | undefined> {
  const { rows } = await reader.query<DisputeRow>({
    name: 'disputes_find',
    text: `${select} where d.gateway = $1::text and d.dispute_id = $2::text`,
    values: [gateway, id],
  })
  return rows[0] && disputeOf(rows[0])
}

/** Of these payments, the latest first. */
export async function listDisputesOf(reader: Reader, paymentIds: readonly string[]): Promise<KnownDispute[]> {
  if (paymentIds.length === 0) return []
  const { rows } = await reader.query<DisputeRow>({
    name: 'disputes_of_payments',
    text: `${select} where d.payment_id = any ($1::uuid[]) order by d.opened_at desc, d.dispute_id`,
    values: [paymentIds],
  })
  return rows.map(disputeOf)
}
