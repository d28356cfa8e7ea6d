import { z } from 'zod'
import { paymentStatuses, type Payment } from './payments.ts'

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

export const paymentView = z.object({
  id: z.string(),
  orderId: z.string(),
  gateway: z.string(),
  status: z.enum(paymentStatuses),
  amount: money,
  /** What went back of it so far. */
  refunded: money,
  /** Present while the customer has to act. */
  checkout: checkoutView.optional(),
  /** The gateway's word for why it was declined. */
  declineCode: z.string().optional(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
})
export type PaymentView = z.output<typeof paymentView>

export function viewPayment(payment: Payment): PaymentView {
  const { checkout } = payment
  return {
    id: payment.id,
    orderId: payment.orderId,
    gateway: payment.gateway,
    status: payment.status,
    amount: payment.amount,
    refunded: { amount: payment.refunded, currency: payment.amount.currency },
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
