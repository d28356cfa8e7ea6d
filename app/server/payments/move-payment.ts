import { conflict, uuidv7, type SqlTransaction } from 'safepoint'
import type { CheckoutPage, PaymentStatus } from './payments.ts'

// What operations of other domains do to a payment, inside their own transaction.

export interface NewPayment {
  readonly orderId: string
  readonly gateway: string
  readonly status: 'created' | 'processing'
  readonly amount: number
  readonly currency: string
}

/** A second live payment of an order is refused by `payment_live`. */
export async function openPayment(tx: SqlTransaction, payment: NewPayment): Promise<{ id: string; createdAt: Date }> {
  const id = uuidv7()
  const { rows } = await tx.query<{ created_at: Date }>({
    name: 'payments_insert',
    text: `insert into pantry.payment (id, order_id, gateway, status, amount, currency)
      values ($1::uuid, $2::uuid, $3::text, $4::text, $5::bigint, $6::text) returning created_at`,
    values: [id, payment.orderId, payment.gateway, payment.status, payment.amount, payment.currency],
  })
  return { id, createdAt: rows[0]!.created_at }
}

export interface PaymentDetails {
  readonly gatewayReference?: string | undefined
  readonly checkout?: CheckoutPage | undefined
  readonly declineCode?: string | undefined
}

/** One move, a compare-and-set; `false` when the payment is not, or no longer, in one of `from`. Details not given stay. */
export async function movePayment(
  tx: SqlTransaction,
  id: string,
  from: readonly PaymentStatus[],
  to: PaymentStatus,
  details: PaymentDetails = {},
): Promise<boolean> {
  const { rowCount } = await tx.query({
    name: 'payments_move',
    text: `update pantry.payment set status = $3::text,
        gateway_reference = coalesce($4::text, gateway_reference),
        checkout = case when $3::text in ('requires_action', 'processing') then coalesce($5::jsonb, checkout) end,
        decline_code = coalesce($6::text, decline_code)
      where id = $1::uuid and status = any ($2::text[])`,
    values: [
      id,
      from,
      to,
      details.gatewayReference ?? null,
      details.checkout ? JSON.stringify(details.checkout) : null,
      details.declineCode ?? null,
    ],
  })
  return rowCount === 1
}

/** As {@link movePayment}, where anything else than a move is a conflict. */
export async function mustMovePayment(...move: Parameters<typeof movePayment>): Promise<void> {
  if (!(await movePayment(...move))) throw conflict(`The payment is no longer ${move[2].join(' or ')}.`)
}
