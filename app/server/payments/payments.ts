import type { Money } from '../catalog/money.ts'

export const paymentStatuses = [
  'created',
  'requires_action',
  'processing',
  'captured',
  'failed',
  'voided',
  'refunding',
  'refunded',
] as const

export type PaymentStatus = (typeof paymentStatuses)[number]

/**
 * The moves of a payment, as data. The trigger `payment_move` enforces the same; a test compares the two.
 *
 * `voided`: the attempt was taken back before it was booked; whatever the gateway had taken was returned. Neither `failed`
 * nor `voided` is the last word: gateways report a capture after a failure, and after a page was given up.
 */
export const paymentMoves: Readonly<Record<PaymentStatus, readonly PaymentStatus[]>> = {
  created: ['requires_action', 'processing', 'failed', 'voided'],
  requires_action: ['processing', 'captured', 'failed', 'voided'],
  processing: ['requires_action', 'captured', 'failed', 'voided'],
  captured: ['refunding'],
  failed: ['processing', 'captured'],
  voided: ['captured'],
  refunding: ['refunded', 'captured'],
  // A refund may fail days after it was made: then the money is here again.
  refunded: ['captured'],
}

/** Of these an order has one at the most (`payment_live`): money is under way, can still come, or is here. */
export const livePaymentStatuses: readonly PaymentStatus[] = [
  'created',
  'requires_action',
  'processing',
  'captured',
  'refunding',
]

/** Where the customer goes on: the gateway's page, or what its script in the browser needs. */
export interface CheckoutPage {
  /** The gateway's name for the page; absent where a bank asks the customer to authenticate. */
  readonly id?: string
  readonly url: string | null
  /** The page is opened by posting these form fields to `url`. */
  readonly fields?: Readonly<Record<string, string>>
  readonly clientSecret?: string
  readonly expiresAt?: string
}

/** A run of an operation: its identity, and what the engine finds it by. */
export interface Run {
  readonly id: string
  readonly scope: string
  readonly key: string
}

export interface Payment {
  readonly id: string
  readonly orderId: string
  readonly gateway: string
  readonly status: PaymentStatus
  readonly amount: Money
  /** The gateway's name for it, once it has one. */
  readonly gatewayReference: string | undefined
  /** Open while the customer has to act. */
  readonly checkout: CheckoutPage | undefined
  /** The gateway's name for its page, also when that is closed. */
  readonly pageId: string | undefined
  /** The run that is under way with it: until that has ended nobody else decides about it. */
  readonly handledBy: string | undefined
  /** That run, as the engine knows it. */
  readonly run: Run | undefined
  /** Nobody waits for its money any more: what comes all the same goes back, and is never the order's payment. */
  readonly unwanted: boolean
  /** Minor units taken, as the gateway says, and of these given back. */
  readonly captured: number
  readonly refunded: number
  /** Of `refunded`, what the gateway has taken on and not done yet: it may fail. */
  readonly pending: number
  /** What the run in charge is giving back, where that is not all that is left. */
  readonly refundPart: number | undefined
  /** Minor units whose refund failed, or was turned down: until it is made up for. While `refunding` they are on their way again. */
  readonly owed: number
  /** Minor units of `refunded` that went back past the gateway, as a human says: it does not count them. */
  readonly aside: number
  /** Minor units that the customer's bank holds, or has taken, in disputes: they are not there to be given back. */
  readonly disputed: number
  /** Since when a human knows that money on its way back takes long. */
  readonly refundAlarmAt: Date | undefined
  /** Raised by every change. */
  readonly version: number
  /** Why it was declined, in the gateway's word. */
  readonly declineCode: string | undefined
  readonly createdAt: Date
  readonly updatedAt: Date
}

/** A row of `pantry.payment` as JSON. */
export interface PaymentRow {
  id: string
  order_id: string
  gateway: string
  status: PaymentStatus
  amount: number
  currency: string
  gateway_reference: string | null
  checkout: CheckoutPage | null
  page_id: string | null
  handled_by: string | null
  handled_scope: string | null
  handled_key: string | null
  unwanted: boolean
  captured_amount: number
  refunded_amount: number
  pending_amount: number
  refund_part: number | null
  owed_amount: number
  aside_amount: number
  disputed_amount: number
  refund_alarm_at: string | null
  version: number
  decline_code: string | null
  created_at: string
  updated_at: string
}

export function paymentOf(row: PaymentRow): Payment {
  return {
    id: row.id,
    orderId: row.order_id,
    gateway: row.gateway,
    status: row.status,
    amount: { amount: row.amount, currency: row.currency },
    gatewayReference: row.gateway_reference ?? undefined,
    checkout: row.checkout ?? undefined,
    pageId: row.page_id ?? undefined,
    handledBy: row.handled_by ?? undefined,
    run: runOf(row.handled_by, row.handled_scope, row.handled_key),
    unwanted: row.unwanted,
    captured: row.captured_amount,
    refunded: row.refunded_amount,
    pending: row.pending_amount,
    refundPart: row.refund_part ?? undefined,
    owed: row.owed_amount,
    aside: row.aside_amount,
    disputed: row.disputed_amount,
    refundAlarmAt: row.refund_alarm_at === null ? undefined : new Date(row.refund_alarm_at),
    version: row.version,
    declineCode: row.decline_code ?? undefined,
    createdAt: new Date(row.created_at),
    updatedAt: new Date(row.updated_at),
  }
}

export function runOf(id: string | null, scope: string | null, key: string | null): Run | undefined {
  return id !== null && scope !== null && key !== null ? { id, scope, key } : undefined
}

export function isLive(payment: Payment): boolean {
  return livePaymentStatuses.includes(payment.status) && !payment.unwanted
}

/** Minor units that are back where they came from. */
export const arrivedOf = ({ refunded, pending }: Pick<Payment, 'refunded' | 'pending'>): number => refunded - pending

/** The customer, or the gateway, has still to decide about it. */
export function isWaiting(payment: Payment): boolean {
  return payment.status === 'created' || payment.status === 'requires_action' || payment.status === 'processing'
}

/** What a payment is known by at its gateway: the page it is paid on, or the payment itself. */
export interface GatewayPayment {
  readonly gateway: string
  readonly orderId: string
  readonly pageId?: string | undefined
  readonly reference?: string | undefined
  readonly amount: number
  readonly currency: string
  /** Minor units that need not go back there any more. */
  readonly aside?: number | undefined
}

/** What was taken is known by its own name; until then the page tells whether anything was. */
export function atGateway(payment: Payment): GatewayPayment {
  const { gateway, orderId, gatewayReference: reference, pageId, aside } = payment
  const taken = payment.captured > 0
  return {
    gateway,
    orderId,
    ...payment.amount,
    ...(reference !== undefined && { reference }),
    ...(aside > 0 && { aside }),
    ...(pageId !== undefined && !(taken && reference !== undefined) && { pageId }),
  }
}
