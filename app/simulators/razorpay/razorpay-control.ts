import { z } from 'zod'
import type { ControlAnswer, ExtraControl } from '../control.ts'
import type { Tamper } from '../webhook-sender.ts'
import type { Book, Work } from './book.ts'
import { openDispute, settleDispute } from './disputes.ts'
import { onTheWire, type RazorpayEvent } from './objects.ts'
import { attemptPayment, authorize, fail, take } from './payments.ts'
import { RazorpayError } from './razorpay-error.ts'
import { expireAuthorization, settleRefund } from './refunds.ts'

const attempt = z.strictObject({
  outcome: z.enum(['authorized', 'captured', 'failed', 'silent']),
  amount: z.int().min(1).optional(),
  currency: z.string().optional(),
  reason: z.string().optional(),
})
const settling = z.strictObject({ outcome: z.enum(['authorized', 'captured', 'failed']) })
const refundSettling = z.strictObject({ outcome: z.enum(['processed', 'failed']) })
const dispute = z.strictObject({
  reason: z.string().default('chargeback'),
  phase: z.enum(['fraud', 'retrieval', 'chargeback', 'pre_arbitration', 'arbitration']).default('chargeback'),
  amount: z.int().min(1).optional(),
})
const disputeSettling = z.strictObject({ outcome: z.enum(['under_review', 'won', 'lost', 'closed']) })
const delivery = z.strictObject({
  copies: z.int().min(1).max(50).default(1),
  tamper: z.enum(['wrong_secret', 'reserialized', 'unsigned']).optional(),
})

/**
 * What happens at Razorpay without the shop, by order of a test:
 *
 * | route | |
 * |---|---|
 * | `POST /_control/orders/:id/pay {outcome, amount?, currency?, reason?}` | a customer's attempt without a browser; another amount or currency is a mismatch |
 * | `POST /_control/payments/:id/settle {outcome}` | the bank answers; `authorized` after `failed` is a late authorisation, `captured` is somebody at the dashboard |
 * | `POST /_control/payments/:id/expire` | an authorization that nobody captured goes back |
 * | `POST /_control/refunds/:id/settle {outcome}` | ends a pending refund |
 * | `POST /_control/payments/:id/dispute {reason?, phase?, amount?}` | the customer's bank doubts a captured payment |
 * | `POST /_control/disputes/:id/settle {outcome}` | the bank looks at it, or decides |
 * | `POST /_control/events/:id/deliver {copies?, tamper?}` | delivers a recorded event now, again or for the first time: any order, late, stale |
 */
export function razorpayControl(
  book: Book,
  aside: <T>(run: (work: Work) => T) => T,
  deliver: (event: RazorpayEvent, copies: number, tamper: Tamper | undefined) => Promise<void>,
): ExtraControl {
  async function run(kind: string, id: string, verb: string, body: unknown): Promise<ControlAnswer | undefined> {
    switch (`${kind}/${verb}`) {
      case 'orders/pay': {
        const order = book.orders.get(id)
        if (!order) return none(`order ${id}`)
        const { outcome, amount, currency, reason } = attempt.parse(body)
        const wanted = { ...(amount && { amount }), ...(currency && { currency }), ...(reason && { reason }) }
        return done(aside((work) => attemptPayment(work, order, { outcome, ...wanted })))
      }
      case 'payments/settle': {
        const payment = book.payments.get(id)
        if (!payment) return none(`payment ${id}`)
        const { outcome } = settling.parse(body)
        const from = { authorized: ['created', 'failed'], captured: ['authorized'], failed: ['created'] }[outcome]
        if (!from.includes(payment.status)) return conflict(`the payment is ${payment.status}`)
        aside((work) => {
          if (outcome === 'failed') fail(work, payment, 'payment_timed_out')
          else if (outcome === 'authorized') authorize(work, payment)
          else take(work, payment)
        })
        return done(payment)
      }
      case 'payments/expire': {
        const payment = book.payments.get(id)
        if (!payment) return none(`payment ${id}`)
        if (payment.status !== 'authorized') return conflict(`the payment is ${payment.status}`)
        return done(aside((work) => expireAuthorization(work, payment)))
      }
      case 'refunds/settle': {
        const refund = book.refunds.get(id)
        if (!refund) return none(`refund ${id}`)
        const { outcome } = refundSettling.parse(body)
        if (refund.status !== 'pending') return conflict(`the refund is ${refund.status}`)
        aside((work) => settleRefund(work, refund, outcome))
        return done(refund)
      }
      case 'payments/dispute': {
        const payment = book.payments.get(id)
        if (!payment) return none(`payment ${id}`)
        if (!payment.captured) return conflict(`the payment is ${payment.status}`)
        const wanted = dispute.parse(body)
        return done(aside((work) => openDispute(work, payment, wanted)))
      }
      case 'disputes/settle': {
        const found = book.disputes.get(id)
        if (!found) return none(`dispute ${id}`)
        const { outcome } = disputeSettling.parse(body)
        aside((work) => settleDispute(work, found, outcome))
        return done(found)
      }
      case 'events/deliver': {
        const event = book.events.get(id)
        if (!event) return none(`event ${id}`)
        const { copies, tamper } = delivery.parse(body)
        await deliver(event, copies, tamper)
        return { status: 200, body: { id, copies } }
      }
    }
    return undefined
  }

  return async (method, path, body) => {
    const [, kind = '', id = '', verb = ''] = /^\/([a-z]+)\/([^/]+)\/([a-z]+)$/.exec(path) ?? []
    if (method !== 'POST') return undefined
    try {
      return await run(kind, id, verb, body)
    } catch (error) {
      if (error instanceof z.ZodError) return { status: 400, body: { error: z.prettifyError(error) } }
      if (error instanceof RazorpayError) return conflict(error.message)
      throw error
    }
  }
}

const done = (entity: Parameters<typeof onTheWire>[0]): ControlAnswer => ({ status: 200, body: onTheWire(entity) })
const none = (what: string): ControlAnswer => ({ status: 404, body: { error: `no ${what}` } })
const conflict = (error: string): ControlAnswer => ({ status: 409, body: { error } })
