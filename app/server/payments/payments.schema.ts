import { z } from 'zod'
import { text } from '../accounts/accounts.schema.ts'
import { pageQuery } from '../http.ts'
import type { KnownDispute } from './disputes.ts'
import { arrivedOf, paymentStatuses, type Payment } from './payments.ts'

const money = z.object({ amount: z.int(), currency: z.string() })

/** What the gateway's page, or its script in the browser, needs. */
export const checkoutView = z.object({
  url: z.string().nullable(),
  /** The page is opened by posting these form fields to `url`; absent: by going there. */
  fields: z.record(z.string(), z.string()).optional(),
  clientSecret: z.string().optional(),
  expiresAt: z.iso.datetime().optional(),
})

/** Who brings what the browser brought back: the gateway's own names. */
export const verifyPaymentInput = z
  .object({ id: z.string().max(100) })
  .catchall(z.string().max(2000))
  .refine((given) => Object.keys(given).length <= 40, 'has too many fields')

export const resolveRefundInput = z.strictObject({
  id: z.string().min(1).max(100),
  /** Whether the money went back to the customer. */
  returned: z.boolean(),
  /** How that is known. */
  note: text(500),
})

export const paymentView = z.object({
  id: z.string(),
  orderId: z.string(),
  gateway: z.string(),
  status: z.enum(paymentStatuses),
  amount: money,
  /** What went back of it so far. */
  refunded: money,
  /** What the gateway has taken on to give back beside that, and has not done yet. */
  refundPending: money.optional(),
  /** Present while the customer has to act. */
  checkout: checkoutView.optional(),
  /** The gateway's word for why it was declined. */
  declineCode: z.string().optional(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
})
export type PaymentView = z.output<typeof paymentView>

export const paymentQuery = pageQuery.extend({ state: z.literal('needs_attention').optional() })

const attention = z.object({
  /**
   * `refund_unknown`: the run that gave it back, or took it, could not be ended by itself, and nobody can tell whether the money
   * went back. `refund_failed`: it did not, because its refund failed later or was turned down. (Of both: the payment's
   * `resolve-refund`.) `disputed`: the customer's bank asks, and is answered at the gateway. `refund_delayed`: it has been on its way
   * for long (`REFUND_ALARM_DAYS`), and the gateway's support may know why.
   */
  because: z.enum(['refund_unknown', 'refund_failed', 'disputed', 'refund_delayed']),
  amount: money,
  operation: z.object({ key: z.string(), name: z.string().optional(), step: z.string().optional() }).optional(),
})
export type Attention = z.output<typeof attention>

/** What a customer's bank doubts, as the gateway told when it was last asked. */
const disputeView = z.object({
  /** The gateway's name for it. */
  id: z.string(),
  /** `inquiry`: no money is held. `open`: the bank holds it. `lost`: it went back to the customer, past us. */
  status: z.enum(['inquiry', 'open', 'won', 'lost', 'closed']),
  amount: money,
  /** The gateway's word. */
  reason: z.string().optional(),
  /** When an answer has to be there. */
  respondBy: z.iso.datetime().optional(),
  openedAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
})

export const adminPayment = paymentView.extend({
  disputes: z.array(disputeView).optional(),
  /** What waits for a human. */
  attention: attention.optional(),
})
export type AdminPayment = z.output<typeof adminPayment>

export const adminPaymentPage = z.object({ items: z.array(adminPayment), nextCursor: z.string().nullable() })

export const viewDispute = (dispute: KnownDispute): z.output<typeof disputeView> => {
  const { id, status, amount, currency, reason, respondBy, openedAt, updatedAt } = dispute
  return {
    id,
    status,
    amount: { amount, currency },
    ...(reason !== null && { reason }),
    ...(respondBy !== null && { respondBy }),
    openedAt,
    updatedAt,
  }
}

export function viewPayment(payment: Payment): PaymentView {
  const { checkout } = payment
  const { currency } = payment.amount
  return {
    id: payment.id,
    orderId: payment.orderId,
    gateway: payment.gateway,
    status: payment.status,
    amount: payment.amount,
    refunded: { amount: arrivedOf(payment), currency },
    ...(payment.pending > 0 && { refundPending: { amount: payment.pending, currency } }),
    ...(checkout && {
      checkout: {
        url: checkout.url,
        ...(checkout.fields && { fields: checkout.fields }),
        ...(checkout.clientSecret !== undefined && { clientSecret: checkout.clientSecret }),
        ...(checkout.expiresAt !== undefined && { expiresAt: checkout.expiresAt }),
      },
    }),
    ...(payment.declineCode !== undefined && { declineCode: payment.declineCode }),
    createdAt: payment.createdAt.toISOString(),
    updatedAt: payment.updatedAt.toISOString(),
  }
}
