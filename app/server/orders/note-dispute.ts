import { conflict, defineOperation, outsideStep, refuse, type SqlTransaction } from 'safepoint'
import { z } from 'zod'
import { announce } from '../announce.ts'
import { isId } from '../http.ts'
import { formatMoney } from '../mail/letter.ts'
import { queueStaffMail } from '../mail/queue-staff-mail.ts'
import type { KnownDispute } from '../payments/disputes.ts'
import { findDispute } from '../payments/find-dispute.ts'
import { writeDispute } from '../payments/write-dispute.ts'
import { findPayment } from '../payments/find-payment.ts'
import { callOf, speak, stepTimeout } from '../payments/gateway-calls.ts'
import type { Dispute } from '../payments/gateways/gateway.ts'
import type { OfferedGateways } from '../payments/offered-gateways.ts'
import { rememberEvent } from './admin-orders.queries.ts'
import { lockOrder } from './orders.queries.ts'
import { orderTopic, type OrderReason } from './orders.ts'

export interface NoteDisputeOptions {
  readonly gateways: OfferedGateways
  /** Of the administrator that is told; absent: all of them are. */
  readonly adminEmail?: string | undefined
}

/**
 * Writes down a dispute (chargeback) of a payment as its gateway tells it, and tells a human: in the order's history, among the
 * payments that wait for one, and by mail, once for each state that it comes to. An event names the dispute, and
 * nothing of it is believed: the gateway is asked.
 *
 * No money is moved. `captured` and `refunded` stay what the gateway counts; what a bank holds or has taken is counted beside them
 * (`disputed`), and is neither refunded as well nor sent back by the shop itself. docs/decisions/0005-disputes-are-noted.md.
 */
export function noteDispute({ gateways, adminEmail }: NoteDisputeOptions) {
  return defineOperation({
    name: 'payment.note-dispute',
    input: z.strictObject({ paymentId: z.string().max(100), disputeId: z.string().min(1).max(500) }),
    errors: {
      payment_not_found: 'There is no such payment, or the dispute is about another.',
      payment_refused: 'The payment gateway knows no such dispute.',
      gateway_unavailable: 'The payment gateway could not be asked; nothing has changed.',
      not_configured: 'This payment gateway is not offered here, or tells of no disputes.',
    },
    onDisconnect: 'finish',
    onCancel: 'Nothing is cancelled: what a bank has done has happened.',
    uncancellable: 'What a bank has done has happened; this only writes it down.',
    keep: 'What a bank has done has happened.',
    steps: {
      ask: outsideStep<{ readonly gateway: string; readonly disputeId: string }, Dispute>({
        timeout: stepTimeout,
        call: ({ gateway, disputeId }, context) => {
          const { getDispute } = gateways.get(gateway)
          if (!getDispute) throw refuse('not_configured', `${gateway} tells of no disputes.`, { effect: 'none' })
          return speak(() => getDispute(disputeId, callOf(context)), 'attempt')
        },
        settle: { repeat: { window: 365 * 24 * 3600_000 } },
        keep: 'Asking changes nothing.',
      }),
    },
    async run(ctx, { paymentId, disputeId }) {
      if (!isId(paymentId)) throw noSuchPayment()
      const { payment, known } = await ctx.read(async (tx) => {
        const found = await findPayment(tx, paymentId)
        if (!found) throw noSuchPayment()
        return { payment: found, known: await findDispute(tx, found.gateway, disputeId) }
      })
      const { gateway, orderId, gatewayReference } = payment
      const dispute = await ctx.steps.ask({ gateway, disputeId })
      if (dispute.paymentId !== gatewayReference || dispute.id !== disputeId) throw noSuchPayment()
      return ctx.finish(async (tx): Promise<{ readonly status: Dispute['status'] }> => {
        const { status } = dispute
        if (known && isSame(known, dispute)) return { status }
        await lockOrder(tx, orderId)
        if (!(await writeDispute(tx, { gateway, paymentId, dispute, since: known?.version ?? 0 })))
          throw conflict('The dispute has gone on meanwhile.', { retryAfterMs: 1000 })
        if (known?.status !== status) await tell(tx, { orderId, paymentId, gateway, dispute, adminEmail })
        announce(tx, orderTopic(orderId))
        return { status }
      })
    },
  })
}

export type NoteDispute = ReturnType<typeof noteDispute>

const noSuchPayment = () => refuse('payment_not_found', 'There is no such payment, or not of this dispute.')

const isSame = (known: KnownDispute, now: Dispute): boolean =>
  known.status === now.status &&
  known.amount === now.amount &&
  known.currency === now.currency &&
  known.reason === now.reason &&
  known.respondBy === now.respondBy

const reasons = {
  inquiry: 'dispute_opened',
  open: 'dispute_opened',
  won: 'dispute_won',
  lost: 'dispute_lost',
  closed: 'dispute_closed',
} as const satisfies Record<Dispute['status'], OrderReason>

interface Told {
  readonly orderId: string
  readonly paymentId: string
  readonly gateway: string
  readonly dispute: Dispute
  readonly adminEmail: string | undefined
}

async function tell(tx: SqlTransaction, { orderId, paymentId, gateway, dispute, adminEmail }: Told): Promise<void> {
  const { id, status, reason, amount, currency, respondBy } = dispute
  const sum = formatMoney({ amount, currency }, 'en')
  await rememberEvent(tx, orderId, {
    reason: reasons[status],
    note: `${gateway} ${id}: ${status}, ${sum}${reason === null ? '' : `, ${reason}`}`,
    actor: undefined,
  })
  await queueStaffMail(tx, {
    adminEmail,
    // Each state once. An inquiry that becomes a chargeback is told again: from then on money is held.
    once: `dispute:${gateway}:${id}:${status}`,
    template: 'dispute',
    data: { orderId, paymentId, gateway, disputeId: id, status, amount: { amount, currency }, reason, respondBy },
  })
}
