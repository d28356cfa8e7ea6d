import { randomBytes } from 'node:crypto'

/** The wire entities of Razorpay's API, as far as Pantry meets them. Times are Unix seconds, money integer subunits. */

/** On the wire an empty one is `[]`. */
export type Notes = Readonly<Record<string, string>>

export interface Order {
  readonly id: string
  readonly entity: 'order'
  readonly amount: number
  amount_paid: number
  amount_due: number
  readonly currency: string
  readonly receipt: string | null
  readonly offer_id: null
  status: 'created' | 'attempted' | 'paid'
  attempts: number
  readonly notes: Notes
  readonly created_at: number
}

export type PaymentStatus = 'created' | 'authorized' | 'captured' | 'refunded' | 'failed'

export interface Payment {
  readonly id: string
  readonly entity: 'payment'
  readonly amount: number
  readonly currency: string
  status: PaymentStatus
  readonly order_id: string
  readonly invoice_id: null
  readonly international: boolean
  readonly method: string
  amount_refunded: number
  refund_status: null | 'partial' | 'full'
  captured: boolean
  readonly description: string | null
  readonly card_id: null
  readonly bank: null
  readonly wallet: null
  readonly vpa: string | null
  readonly email: string
  readonly contact: string
  readonly notes: Notes
  fee: number | null
  tax: number | null
  error_code: string | null
  error_description: string | null
  error_source: string | null
  error_step: string | null
  error_reason: string | null
  readonly acquirer_data: { readonly rrn: string | null }
  readonly created_at: number
}

export interface Refund {
  readonly id: string
  readonly entity: 'refund'
  readonly amount: number
  readonly currency: string
  readonly payment_id: string
  readonly notes: Notes
  readonly receipt: string | null
  readonly acquirer_data: { readonly arn: null }
  readonly created_at: number
  readonly batch_id: null
  status: 'pending' | 'processed' | 'failed'
  readonly speed_processed: 'normal'
  readonly speed_requested: 'normal'
}

export interface Dispute {
  readonly id: string
  readonly entity: 'dispute'
  readonly payment_id: string
  readonly amount: number
  readonly currency: string
  amount_deducted: number
  readonly reason_code: string
  readonly respond_by: number
  status: 'open' | 'under_review' | 'won' | 'lost' | 'closed'
  readonly phase: 'fraud' | 'retrieval' | 'chargeback' | 'pre_arbitration' | 'arbitration'
  readonly created_at: number
  readonly evidence: null
}

/** An event as it was made: its body never changes, and it is signed with the secret of its time. */
export interface RazorpayEvent {
  /** Goes in a header, not in the body. */
  readonly id: string
  readonly type: string
  readonly body: string
  readonly secret: string
}

export function unixNow(): number {
  return Math.floor(Date.now() / 1000)
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

/** `order_RB58MiP5SPFYyM`: a word and 14 letters or digits. */
export function newId(word: 'order' | 'pay' | 'rfnd' | 'disp' | 'evt'): string {
  const letters = Array.from(randomBytes(14), (byte) => alphabet[byte % alphabet.length])
  return `${word}_${letters.join('')}`
}

/** An entity as the wire shows it: PHP writes an empty map as an empty list. */
export function onTheWire(entity: object & { readonly notes?: Notes }): object {
  if (entity.notes === undefined) return entity
  return { ...entity, notes: Object.keys(entity.notes).length === 0 ? [] : entity.notes }
}
