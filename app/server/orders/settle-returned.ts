import type { SqlTransaction } from 'safepoint'
import { mustMovePayment } from '../payments/move-payment.ts'
import { arrivedOf, type Payment } from '../payments/payments.ts'
import { mailRefund } from './order-mails.ts'
import type { Order } from './orders.ts'

/** What `returnMoney` answers, or a human in its place. */
export type Returned =
  | { readonly status: 'nothing_taken' | 'voided'; readonly pageOpen?: boolean }
  | {
      readonly status: 'refunded'
      readonly payment: {
        readonly id: string | undefined
        readonly captured: number
        readonly refundPending?: number
      }
    }

/**
 * A page on which nobody paid is `voided`; whatever was taken has been given back, and its payment went that way. What is still
 * on its way back stays `refunding`, which `payment.settle` ends. `byHand`: a human says so, and whatever the gateway counts, that is
 * the last word: nothing of it is sent back again.
 */
export async function settleReturned(
  tx: SqlTransaction,
  order: Pick<Order, 'id' | 'accountId'>,
  payment: Payment,
  reversal: Returned,
  { unwanted = false, byHand = false }: { readonly unwanted?: boolean; readonly byHand?: boolean } = {},
): Promise<void> {
  const { id, status, amount } = payment
  const taken = status === 'captured' || status === 'refunding'
  if (!taken && reversal.status !== 'refunded') {
    const pageOpen = reversal.status === 'nothing_taken' && reversal.pageOpen === true
    if (status !== 'voided' && status !== 'failed') await mustMovePayment(tx, id, [status], 'voided', { pageOpen })
    return
  }
  const captured = reversal.status === 'refunded' ? reversal.payment.captured : payment.captured
  const details = {
    captured,
    ...(unwanted && { unwanted }),
    ...(reversal.status === 'refunded' && { gatewayReference: reversal.payment.id }),
  }
  if (!taken) await mustMovePayment(tx, id, [status], 'captured', details)
  if (status !== 'refunding') await mustMovePayment(tx, id, ['captured'], 'refunding')
  if (reversal.status === 'refunded' && reversal.payment.refundPending) return
  await mustMovePayment(tx, id, ['refunding'], 'refunded', {
    captured,
    refunded: captured,
    ...(byHand && { aside: captured }),
  })
  await mailRefund(tx, order, {
    paymentId: id,
    amount: { amount: captured - arrivedOf(payment), currency: amount.currency },
  })
}
