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
  refunded: [],
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
    declineCode: row.decline_code ?? undefined,
    createdAt: new Date(row.created_at),
    updatedAt: new Date(row.updated_at),
  }
}

export function isLive(payment: Payment): boolean {
  return livePaymentStatuses.includes(payment.status)
}
