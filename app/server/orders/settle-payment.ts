import { defineOperation, isSafepointError, refuse } from 'safepoint'
import { z } from 'zod'
import { isId } from '../http.ts'
import { stepOf } from '../payments/gateway-steps.ts'
import type { GatewayName } from '../payments/gateways/gateway.ts'
import { findPayment } from '../payments/find-payment.ts'
import { viewPayment, type PaymentView } from '../payments/payments.schema.ts'
import { atGateway } from '../payments/payments.ts'
import { applyDecision } from './apply-decision.ts'
import { decideSettle } from './decide-settle.ts'
import { overtaken, readPayment } from './settle-request.ts'
import { endReturn, settleSteps, type SettleOptions } from './settle-steps.ts'

/**
 * Brings a payment, and its order, to where the gateway says that it stands. Every piece of news ends here: a webhook, a
 * browser that comes back, the sweep. None of them is believed: the gateway is asked, and what follows is decided under the
 * order's lock, so that news may come late, twice, in any order, or be forged.
 */
export function settlePayment(options: SettleOptions) {
  const { enqueue } = options
  return defineOperation({
    name: 'payment.settle',
    input: z.strictObject({
      paymentId: z.string().max(100),
      /** The sweep's: a refund that has failed may be sent again. */
      retry: z.boolean().optional(),
    }),
    errors: {
      payment_not_found: 'There is no such payment.',
      payment_refused: 'The payment gateway turned a refund down; it is tried again.',
      gateway_unavailable: 'The payment gateway could not be asked; nothing has changed.',
      not_configured: 'This payment gateway is not offered here.',
    },
    onDisconnect: 'finish',
    onCancel: 'Nothing is cancelled: what has happened at the gateway has happened.',
    uncancellable: 'What has happened at the gateway has happened; this only writes it down.',
    keep: 'What has happened at the gateway has happened; cancel the order to have its money back.',
    // As long as a gateway may be away while money is on its way back.
    deadline: 24 * 3600_000,
    undoOrder: 'ordered',
    steps: settleSteps(options),
    async run(ctx, { paymentId, retry }) {
      if (!isId(paymentId)) throw refuse('payment_not_found', 'There is no such payment.')
      const by = ctx.operationId
      const { payment } = await ctx.read((tx) => readPayment(tx, paymentId, by))
      const { orderId } = payment
      const view = () => ctx.finish(async (tx) => viewPayment((await findPayment(tx, paymentId))!))
      const asked = atGateway(payment)
      // Nobody has asked the gateway for anything yet.
      if (asked.pageId === undefined && asked.reference === undefined) return view()

      const { refunded } = payment
      const looked = await ctx.steps.look({ ...asked, refunded, version: payment.version })
      const { version } = looked
      let { standing } = looked
      const decide = () =>
        ctx.read(async (tx) => {
          const now = await readPayment(tx, paymentId, by)
          return decideSettle(now.order, now.payment, standing, { retry }).settle
        })
      // Taken over after the money had been set aside: that was decided, and what stands in the rows now is its consequence.
      let settle = payment.handledBy === by ? 'return' : await decide()
      if (settle === 'capture' && standing.state === 'authorized') {
        const { reference, amount, currency } = standing
        standing = await ctx.steps.capture({ gateway: payment.gateway, paymentId: reference, amount, currency })
        settle = await decide()
      } else if (settle === 'close') {
        standing = await ctx.steps.closePage(asked)
        settle = await decide()
      }

      const request = { orderId, paymentId, standing, version, key: ctx.key, retry }
      let shortOf = false
      if (settle === 'complete') {
        try {
          await ctx.steps.book(request)
          return view()
        } catch (error) {
          if (!isSafepointError(error) || error.code !== 'out_of_stock') throw error
          shortOf = true
        }
        // Its refund was turned down before: the sweep's to try again. Disputed: a human's.
        if ((payment.owed > 0 && !retry) || payment.disputed > 0) return view()
      }
      if (shortOf || settle === 'return') {
        const aside = await ctx.steps.setAside({ ...request, shortOf })
        if (!aside) throw overtaken()
        const reversal = await ctx.steps[stepOf('returnMoney', payment.gateway as GatewayName)](aside.payment)
        return ctx.finish(async (tx): Promise<PaymentView> => {
          await endReturn(tx, enqueue, request, reversal, by)
          return viewPayment((await findPayment(tx, paymentId))!)
        })
      }
      return ctx.finish(async (tx): Promise<PaymentView> => {
        await applyDecision(tx, enqueue, request, by)
        return viewPayment((await findPayment(tx, paymentId))!)
      })
    },
  })
}

export type SettlePayment = ReturnType<typeof settlePayment>
