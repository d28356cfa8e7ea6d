import { z } from 'zod'
import { passwordResetLifetime, type Locale } from '../accounts/accounts.ts'
import type { Reader } from '../database.ts'
import type { RenderedMail } from './letter.ts'
import type { Mail, MailTemplate } from './mail.ts'
import { findOrderFacts } from './mail.queries.ts'
import { confirmation } from './templates/confirmation.ts'
import { dispute } from './templates/dispute.ts'
import type { OrderLetterData } from './templates/order-letter.ts'
import { passwordReset } from './templates/password-reset.ts'
import { paymentFailed } from './templates/payment-failed.ts'
import { receipt } from './templates/receipt.ts'
import { refundDelayed } from './templates/refund-delayed.ts'
import { refund } from './templates/refund.ts'

/** What leads from a mail back to the shop. */
export interface MailLinks {
  /** Where customers reach the shop. */
  readonly shop: () => string
  /** The token of a password reset; whoever may not follow the link gets a stand-in. */
  readonly resetToken: (resetId: string) => string
}

const orderTemplates: Record<
  Exclude<MailTemplate, 'password_reset' | 'dispute' | 'refund_delayed'>,
  (data: OrderLetterData, locale: Locale) => RenderedMail
> = { confirmation, receipt, refund, payment_failed: paymentFailed }

const money = z.object({ amount: z.int(), currency: z.string() })
const orderData = z.looseObject({ orderId: z.uuid(), total: money.optional(), amount: money.optional() })
const staffData = z.looseObject({ orderId: z.uuid(), paymentId: z.uuid(), gateway: z.string(), amount: money })
const disputeData = staffData.extend({
  disputeId: z.string(),
  status: z.enum(['inquiry', 'open', 'won', 'lost', 'closed']),
  reason: z.string().nullable(),
  respondBy: z.iso.datetime().nullable(),
})
const delayedData = staffData.extend({ since: z.iso.datetime() })
const resetData = z.looseObject({ resetId: z.uuid() })

/**
 * A mail in its words. It is rendered when it is sent, from what cannot change any more, so that sent again it says the same, and
 * a link's token stands in no table. Throws where the data are not the template's.
 */
export async function renderMail(reader: Reader, mail: Mail, links: MailLinks): Promise<RenderedMail> {
  const { template, locale } = mail
  if (template === 'password_reset') {
    const { resetId } = resetData.parse(mail.data)
    // In the fragment: it reaches no server's log, and no other site as a referrer.
    const url = `${links.shop()}/#reset=${links.resetToken(resetId)}`
    return passwordReset({ url, validMinutes: passwordResetLifetime / 60_000 }, locale)
  }
  if (template === 'dispute') return dispute(disputeData.parse(mail.data), locale)
  if (template === 'refund_delayed') return refundDelayed(delayedData.parse(mail.data), locale)
  const data = orderData.parse(mail.data)
  const order = await findOrderFacts(reader, data.orderId, mail.accountId)
  if (!order) throw new Error(`This account has no order ${data.orderId}.`)
  const { currency } = order
  const total = { amount: order.total, currency }
  return orderTemplates[template](
    {
      orderId: order.id,
      placedAt: order.placedAt,
      lines: order.lines.map(({ name, quantity, unitPrice }) => ({
        name,
        quantity,
        unitPrice: { amount: unitPrice, currency },
      })),
      total,
      amount: data.amount ?? data.total ?? total,
      shippingAddress: order.shippingAddress,
      billingAddress: order.billingAddress,
      shopUrl: links.shop(),
    },
    locale,
  )
}
