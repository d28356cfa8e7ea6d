import { defineOperation } from 'safepoint'
import { z } from 'zod'
import type { Enqueue } from '../../jobs.ts'
import type { GatewayName } from '../gateways/gateway.ts'
import { insertEvent } from './webhook-events.queries.ts'
import { nameLimit } from './webhook-events.ts'

/** Works on the inbox. Any job of this name works on all that is due. */
export const applyEventsJob = 'payments.apply-event'

/** Milliseconds for which whoever received an event has it to himself. */
const grace = 2000

const name = z.string().max(nameLimit).nullable()

export const receiveEventInput = z.strictObject({
  /** Of the row, if this delivery is the one that makes it. */
  id: z.uuid(),
  gateway: z.enum(['stripe', 'razorpay', 'cardcom'] satisfies GatewayName[]),
  eventId: z.string().min(1).max(255),
  type: z.string().max(200),
  occurredAt: z.iso.datetime(),
  /** Null: of no interest to a shop. */
  subject: z.strictObject({ gatewayReference: name, pageId: name, orderId: name, disputeId: name }).nullable(),
  payload: z.base64(),
})

/**
 * The inbox: one row for each event of a gateway, in one transaction with the job that applies it. Runs under the event's id
 * in the scope of its gateway, so that an event which is delivered again is answered and does nothing.
 */
export function receiveEvent({ enqueue }: { readonly enqueue: Enqueue }) {
  return defineOperation({
    name: 'payment.receive-event',
    input: receiveEventInput,
    inbox: true,
    errors: {
      signature_invalid: 'The signature does not fit these bytes, or is too old; nothing was stored.',
      not_configured: 'This payment gateway is not offered here.',
      gateway_unavailable: 'The gateway signs nothing, and could not be asked; send it again.',
    },
    onCancel: 'An event is a message: what it tells of has happened.',
    uncancellable: 'An event is a message: what it tells of has happened.',
    keep: 'The gateway has been told that its event is kept.',
    // The strictest of the gateways waits five seconds for its answer.
    deadline: 4000,
    async run(ctx, { subject, payload, ...event }) {
      const { dueAt } = await insertEvent(
        ctx.tx,
        {
          ...event,
          gatewayReference: subject?.gatewayReference ?? null,
          pageId: subject?.pageId ?? null,
          orderId: subject?.orderId ?? null,
          disputeId: subject?.disputeId ?? null,
          payload: Buffer.from(payload, 'base64'),
          state: subject === null ? 'ignored' : 'waiting',
        },
        grace,
      )
      if (subject !== null) await enqueue(ctx.tx, applyEventsJob, {}, { after: dueAt })
      return { received: true }
    },
  })
}

export type ReceiveEvent = ReturnType<typeof receiveEvent>
