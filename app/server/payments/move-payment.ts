import { conflict, uuidv7, type SqlTransaction } from 'safepoint'
import type { Enqueue } from '../jobs.ts'
import type { CheckoutPage, PaymentStatus, Run } from './payments.ts'
import { applyWaitingEvents } from './webhooks/apply-waiting-events.ts'

// What operations of other domains do to a payment, inside their own transaction.

export interface NewPayment {
  readonly orderId: string
  readonly gateway: string
  readonly status: 'created' | 'processing'
  readonly amount: number
  readonly currency: string
  /** The run that opens it, and is in charge of it until it releases it. */
  readonly handledBy: Run
}

/** A second live payment of an order is refused by `payment_live`. */
export async function openPayment(tx: SqlTransaction, payment: NewPayment): Promise<{ id: string; createdAt: Date }> {
  const id = uuidv7()
  const { rows } = await tx.query<{ created_at: Date }>({
    name: 'payments_insert',
    text: `insert into pantry.payment (id, order_id, gateway, status, amount, currency, handled_by, handled_scope, handled_key)
      values ($1::uuid, $2::uuid, $3::text, $4::text, $5::bigint, $6::text, $7::uuid, $8::text, $9::text) returning created_at`,
    values: [
      id,
      payment.orderId,
      payment.gateway,
      payment.status,
      payment.amount,
      payment.currency,
      payment.handledBy.id,
      payment.handledBy.scope,
      payment.handledBy.key,
    ],
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
  /** Of `refunded`, what is still on its way. */
  readonly pending?: number | undefined
  /** Whether somebody may still pay on its page. */
  readonly pageOpen?: boolean | undefined
  /** What comes from now on goes back. */
  readonly unwanted?: true | undefined
  /** What is to go back and is not on its way, in minor units: the sweep has it tried again, and a human is told. */
  readonly owed?: number | undefined
  /** Of `refunded`, what a human says went back past the gateway. */
  readonly aside?: number | undefined
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
        unwanted = unwanted or $10::boolean,
        owed_amount = case when $3::text = 'refunded' then 0 else coalesce($11::bigint, owed_amount) end,
        looked_at = case when $11::bigint is null or owed_amount > 0 then looked_at end,
        aside_amount = coalesce($12::bigint, aside_amount),
        pending_amount = case when $3::text = 'refunded' then 0
          else coalesce($13::bigint, least(pending_amount, coalesce($8::bigint, refunded_amount))) end
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
      details.owed ?? null,
      details.aside ?? null,
      details.pending ?? null,
    ],
  })
  return rowCount === 1
}

/** As {@link movePayment}, where anything else than a move is a conflict. */
export async function mustMovePayment(...move: Parameters<typeof movePayment>): Promise<void> {
  if (!(await movePayment(...move))) throw conflict(`The payment is no longer ${move[2].join(' or ')}.`)
}

/**
 * Puts a run in charge of a payment: until it has released it, nobody else decides about it. `part`: of what it gives back,
 * where that is not all that is left. Throws `conflict`.
 */
export async function takeCharge(tx: SqlTransaction, id: string, by: Run, part?: number): Promise<void> {
  const { rowCount } = await tx.query({
    name: 'payments_take_charge',
    text: `update pantry.payment set handled_by = $2::uuid, handled_scope = $3::text, handled_key = $4::text, refund_part = $5::bigint
      where id = $1::uuid and coalesce(handled_by, $2::uuid) = $2::uuid`,
    values: [id, by.id, by.scope, by.key, part ?? null],
  })
  if (rowCount !== 1) throw inCharge()
}

/** The end of a run, or of its undo: what news has come of the payment meanwhile is applied now. Twice is once. */
export async function releaseCharge(tx: SqlTransaction, enqueue: Enqueue, id: string, by: string): Promise<void> {
  const { rows } = await tx.query<{ order_id: string }>({
    name: 'payments_release_charge',
    text: `update pantry.payment set handled_by = null, handled_scope = null, handled_key = null, refund_part = null
      where id = $1::uuid and handled_by = $2::uuid returning order_id`,
    values: [id, by],
  })
  if (rows[0]) await applyWaitingEvents(tx, enqueue, rows[0].order_id)
}

/** Whoever is in charge learns how the payment stands by itself; who else asks waits. */
export const inCharge = () => conflict('A run is under way with this payment.', { retryAfterMs: 1000 })

/**
 * What changed without a move of ours: money given back, a page that has closed. What is given back is owed no more, unless
 * `owed` says what is.
 */
export async function notePayment(
  tx: SqlTransaction,
  id: string,
  details: Pick<PaymentDetails, 'refunded' | 'pending' | 'pageOpen' | 'owed' | 'aside'>,
): Promise<void> {
  await tx.query({
    name: 'payments_note',
    text: `update pantry.payment set refunded_amount = coalesce($2::bigint, refunded_amount), page_open = coalesce($3::boolean, page_open),
        owed_amount = coalesce($4::bigint, greatest(0, owed_amount - greatest(0, coalesce($2::bigint, refunded_amount) - refunded_amount))),
        looked_at = case when $4::bigint is null or owed_amount > 0 then looked_at end,
        aside_amount = coalesce($5::bigint, aside_amount),
        pending_amount = coalesce($6::bigint, pending_amount)
      where id = $1::uuid
        and (refunded_amount is distinct from coalesce($2::bigint, refunded_amount) or page_open is distinct from coalesce($3::boolean, page_open)
          or owed_amount is distinct from coalesce($4::bigint, owed_amount) or aside_amount is distinct from coalesce($5::bigint, aside_amount)
          or pending_amount is distinct from coalesce($6::bigint, pending_amount))`,
    values: [
      id,
      details.refunded ?? null,
      details.pageOpen ?? null,
      details.owed ?? null,
      details.aside ?? null,
      details.pending ?? null,
    ],
  })
}
