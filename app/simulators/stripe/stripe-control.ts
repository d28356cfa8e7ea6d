import { z } from 'zod'
import type { ControlAnswer, ExtraControl } from '../control.ts'
import type { Book, Work } from './book.ts'
import { openDispute, settleDispute } from './disputes.ts'
import { completeIfPaid } from './pages.ts'
import { settleIntent } from './payment-intents.ts'
import { settleRefund } from './refunds.ts'

const settling = z.strictObject({ outcome: z.enum(['succeeded', 'failed']) })
const dispute = z.strictObject({
  reason: z.string().default('fraudulent'),
  inquiry: z.boolean().default(false),
  amount: z.int().min(1).optional(),
})
const disputeSettling = z.strictObject({ outcome: z.enum(['won', 'lost', 'needs_response']) })
const refundSettling = z.strictObject({
  outcome: z.enum(['succeeded', 'failed', 'canceled']),
  reason: z.string().default('expired_or_canceled_card'),
  counted: z.boolean().default(false),
})

/**
 * What happens at Stripe without the shop, by order of a test:
 *
 * | route | |
 * |---|---|
 * | `POST /_control/payment_intents/:id/settle {outcome}` | ends a payment that was left `processing` |
 * | `POST /_control/charges/:id/dispute {reason?, inquiry?, amount?}` | the customer's bank takes the money back; Stripe refunds nothing of it, but once it is won. `inquiry`: the bank only asks |
 * | `POST /_control/disputes/:id/settle {outcome}` | the bank decides `won` or `lost`; `needs_response`: its inquiry becomes a chargeback |
 * | `POST /_control/refunds/:id/settle {outcome, reason?, counted?}` | ends a refund that was left `pending`, or takes one back that had `succeeded`, as a bank does days later; `counted`: its charge goes on counting it, because whether Stripe's does is not documented |
 */
export function stripeControl(book: Book, aside: <T>(run: (work: Work) => T) => T): ExtraControl {
  function run(route: string, id: string, body: unknown): ControlAnswer | undefined {
    if (route === 'charges/dispute') {
      const charge = book.charges.get(id)
      if (!charge) return none(`charge ${id}`)
      const wanted = dispute.parse(body)
      return { status: 200, body: aside((work) => openDispute(work, charge, wanted)) }
    }
    if (route === 'disputes/settle') {
      const found = book.disputes.get(id)
      if (!found) return none(`dispute ${id}`)
      const { outcome } = disputeSettling.parse(body)
      aside((work) => settleDispute(work, found, outcome))
      return { status: 200, body: found }
    }
    if (route === 'payment_intents/settle') {
      const intent = book.intents.get(id)
      if (!intent) return none(`payment intent ${id}`)
      const { outcome } = settling.parse(body)
      if (intent.status !== 'processing') return conflict(`the payment intent is ${intent.status}`)
      aside((work) => {
        settleIntent(work, intent, outcome, {
          code: 'card_declined',
          declineCode: 'generic_decline',
          message: 'Your card was declined.',
        })
        for (const session of book.sessions.values()) if (session.payment_intent === id) completeIfPaid(work, session)
      })
      return { status: 200, body: intent }
    }
    if (route !== 'refunds/settle') return undefined
    const refund = book.refunds.get(id)
    if (!refund) return none(`refund ${id}`)
    const { outcome, ...more } = refundSettling.parse(body)
    const ended = refund.status === 'failed' || refund.status === 'canceled'
    if (ended || (refund.status === 'succeeded' && outcome !== 'failed'))
      return conflict(`the refund is ${refund.status}`)
    aside((work) => settleRefund(work, refund, outcome, more))
    return { status: 200, body: refund }
  }

  return (method, path, body) => {
    const [, kind = '', id = '', verb = ''] = /^\/([a-z_]+)\/([^/]+)\/([a-z]+)$/.exec(path) ?? []
    if (method !== 'POST') return undefined
    try {
      return run(`${kind}/${verb}`, id, body)
    } catch (error) {
      if (error instanceof z.ZodError) return { status: 400, body: { error: z.prettifyError(error) } }
      throw error
    }
  }
}

const none = (what: string): ControlAnswer => ({ status: 404, body: { error: `no ${what}` } })
const conflict = (error: string): ControlAnswer => ({ status: 409, body: { error } })
