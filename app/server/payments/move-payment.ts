import { conflict, uuidv7, type SqlTransaction } from 'safepoint'
import type { CheckoutPage, PaymentStatus } from './payments.ts'

// What operations of other domains do to a payment, inside their own transaction.

export interface NewPayment {
  readonly orderId: string
  readonly gateway: string
  readonly status: 'created' | 'processing'
  readonly amount: number
  readonly currency: string
  /** The run that opens it, and is in charge of it until it releases it. */
  readonly handledBy: string
}

/** A second live payment of an order is refused by `payment_live`. */
export async function openPayment(tx: SqlTransaction, payment: NewPayment): Promise<{ id: string; createdAt: Date }> {
  const id = uuidv7()
  const { rows } = await tx.query<{ created_at: Date }>({
    name: 'payments_insert',
    text: `insert into pantry.payment (id, order_id, gateway, status, amount, currency, handled_by)
      values ($1::uuid, $2::uuid, $3::text, $4::text, $5::bigint, $6::text, $7::uuid) returning created_at`,
    values: [id, payment.orderId, payment.gateway, payment.status, payment.amount, payment.currency, payment.handledBy],
  })
  return { id, createdAt: rows[0]!.created_at }
}

export interface PaymentDetails {
  readonly gatewayReference?: string | undefined
  readonly checkout?: CheckoutPage | undefined
  readonly declineCode?: string | undefined
  /** Minor units, as the gateway says. */
  readonly captured?: number | undefined
  readonly refunded?: number | undefined
  /** Whether somebody may still pay on its page. */
  readonly pageOpen?: boolean | undefined
  /** What comes from now on goes back. */
  readonly unwanted?: true | undefined
}

/** One move, a compare-and-set; `false` when the payment is not, or no longer, in one of `from`. Details not given stay. */
export async function movePayment(
  tx: SqlTransaction,
  id: string,
  from: readonly PaymentStatus[],
  to: PaymentStatus,
  details: PaymentDetails = {},
): Promise<boolean> {
  const { checkout } = details
  const { rowCount } = await tx.query({
    name: 'payments_move',
    text: `update pantry.payment set status = $3::text,
        gateway_reference = coalesce($4::text, gateway_reference),
        checkout = case when $3::text in ('requires_action', 'processing') then coalesce($5::jsonb, checkout) end,
        decline_code = coalesce($6::text, decline_code),
        page_id = coalesce($5::jsonb ->> 'id', page_id),
        page_until = coalesce(($5::jsonb ->> 'expiresAt')::timestamptz, page_until),
        page_open = coalesce($9::boolean, case when $5::jsonb ->> 'id' is not null then true end,
          case when $3::text in ('captured', 'refunding', 'refunded') then false end, page_open),
        captured_amount = coalesce($7::bigint, captured_amount),
        refunded_amount = coalesce($8::bigint, refunded_amount),
        unwanted = unwanted or $10::boolean
      where id = $1::uuid and status = any ($2::text[])`,
    values: [
      id,
      from,
      to,
      details.gatewayReference ?? null,
      checkout ? JSON.stringify(checkout) : null,
      details.declineCode ?? null,
      details.captured ?? null,
      details.refunded ?? null,
      details.pageOpen ?? null,
      details.unwanted ?? false,
    ],
  })
  return rowCount === 1
}

/** As {@link movePayment}, where anything else than a move is a conflict. */
export async function mustMovePayment(...move: Parameters<typeof movePayment>): Promise<void> {
  if (!(await movePayment(...move))) throw conflict(`The payment is no longer ${move[2].join(' or ')}.`)
}

/** Puts a run in charge of a payment: until it has released it, nobody else decides about it. Throws `conflict`. */
export async function takeCharge(tx: SqlTransaction, id: string, by: string): Promise<void> {
  const { rowCount } = await tx.query({
    name: 'payments_take_charge',
    text: `update pantry.payment set handled_by = $2::uuid where id = $1::uuid and coalesce(handled_by, $2::uuid) = $2::uuid`,
    values: [id, by],
  })
  if (rowCount !== 1) throw inCharge()
}

/** The end of a run, or of its undo. Twice is once. */
export async function releaseCharge(tx: SqlTransaction, id: string, by: string): Promise<void> {
  await tx.query({
    name: 'payments_release_charge',
    text: 'update pantry.payment set handled_by = null where id = $1::uuid and handled_by = $2::uuid',
    values: [id, by],
  })
}

/** Whoever is in charge learns how the payment stands by itself; who else asks waits. */
export const inCharge = () => conflict('A run is under way with this payment.', { retryAfterMs: 1000 })

/** What changed at the gateway without a move of ours: money given back, a page that has closed. */
export async function notePayment(
  tx: SqlTransaction,
  id: string,
  details: Pick<PaymentDetails, 'refunded' | 'pageOpen'>,
): Promise<void> {
  await tx.query({
    name: 'payments_note',
    text: `update pantry.payment set refunded_amount = coalesce($2::bigint, refunded_amount), page_open = coalesce($3::boolean, page_open)
      where id = $1::uuid
        and (refunded_amount is distinct from coalesce($2::bigint, refunded_amount) or page_open is distinct from coalesce($3::boolean, page_open))`,
    values: [id, details.refunded ?? null, details.pageOpen ?? null],
  })
}
