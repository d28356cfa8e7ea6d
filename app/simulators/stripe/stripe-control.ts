import { z } from 'zod'
import type { ControlAnswer, ExtraControl } from '../control.ts'
import type { Book, Work } from './book.ts'
import { completeIfPaid } from './pages.ts'
import { settleIntent } from './payment-intents.ts'
import { newId } from './objects.ts'
import { settleRefund } from './refunds.ts'

const settling = z.strictObject({ outcome: z.enum(['succeeded', 'failed']) })
const dispute = z.strictObject({ reason: z.string().default('fraudulent') })
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
 * | `POST /_control/charges/:id/dispute {reason?}` | the customer's bank takes the money back; until that has ended Stripe refunds nothing of it |
 * | `POST /_control/refunds/:id/settle {outcome, reason?, counted?}` | ends a refund that was left `pending`, or takes one back that had `succeeded`, as a bank does days later; `counted`: its charge goes on counting it, because whether Stripe's does is not documented |
 */
export function stripeControl(book: Book, aside: <T>(run: (work: Work) => T) => T): ExtraControl {
  function run(route: string, id: string, body: unknown): ControlAnswer | undefined {
    if (route === 'charges/dispute') {
      const charge = book.charges.get(id)
      if (!charge) return none(`charge ${id}`)
      const { reason } = dispute.parse(body)
      const { amount, currency, payment_intent } = charge
      const made = { id: newId('dp'), object: 'dispute', amount, charge: id, currency, payment_intent, reason }
      aside((work) => {
        charge.disputed = true
        work.emit('charge.dispute.created', { ...made, metadata: {}, status: 'needs_response' })
      })
      return { status: 200, body: charge }
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
