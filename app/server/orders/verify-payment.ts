import { defineOperation, isSafepointError, operationStep, refuse, type SafepointError } from 'safepoint'
import { accountOf } from '../accounts/accounts.ts'
import { isId } from '../http.ts'
import type { OfferedGateways } from '../payments/offered-gateways.ts'
import { findPayment } from '../payments/find-payment.ts'
import { verifyPaymentInput, viewPayment, type PaymentView } from '../payments/payments.schema.ts'
import { rejectsReturn } from '../payments/read-return.ts'
import type { SettlePayment } from './settle-payment.ts'

export interface VerifyPaymentOptions {
  readonly gateways: OfferedGateways
  readonly settlePayment: SettlePayment
}

const noSuchPayment = () => refuse('payment_not_found', 'There is no such payment.')

/**
 * What the browser does when the customer is back from the gateway's page: words that the gateway signs are checked, and then
 * the gateway itself is asked. Answers the payment as it is then, which may still be `processing`.
 */
export function verifyPayment({ gateways, settlePayment }: VerifyPaymentOptions) {
  return defineOperation({
    name: 'payment.verify',
    input: verifyPaymentInput,
    errors: {
      payment_not_found: 'There is no such payment of this account.',
      signature_invalid: 'What the browser brought back was not made by the gateway.',
    },
    onDisconnect: 'finish',
    onCancel: 'Nothing is cancelled: what has happened at the gateway has happened.',
    uncancellable: 'What has happened at the gateway has happened; this only writes it down.',
    keep: 'What has happened at the gateway has happened; cancel the order to have its money back.',
    wait: 8000,
    steps: { settle: operationStep(() => settlePayment, { keep: 'What has happened at the gateway has happened.' }) },
    async run(ctx, { id, ...params }) {
      const accountId = accountOf(ctx.scope)
      if (!isId(id)) throw noSuchPayment()
      const payment = await ctx.read((tx) => findPayment(tx, id, accountId))
      if (!payment) throw noSuchPayment()
      if (rejectsReturn(gateways, payment, params))
        throw refuse('signature_invalid', 'The signature is not one of the gateway.')
      // Whoever is in charge learns by itself, and a gateway that is away is asked later: the answer is how things stand.
      await ctx.steps.settle({ paymentId: id }).catch((error: unknown) => {
        if (ctx.signal.aborted || !isSafepointError(error) || !excused(error)) throw error
      })
      return ctx.finish(async (tx): Promise<PaymentView> => viewPayment((await findPayment(tx, id))!))
    },
  })
}

const excused = ({ code }: SafepointError) => code === 'conflict' || code === 'indeterminate' || code === 'internal'
