import { GatewayError } from '../gateway-error.ts'
import type { GatewayCall, Payment, RefundRequest, RefundResult, Reversal } from '../gateway.ts'
import type { FormParameters } from './form-encoding.ts'
import { derivedKey, postPastStoredFailures, withinDeadline } from './stripe-call.ts'
import { refusal, type StripeClient, type StripeReply } from './stripe-client.ts'
import {
  intentSchema,
  listOf,
  readAs,
  refundSchema,
  toPayment,
  toRefundResult,
  type StripeIntent,
  type StripeRefund,
} from './stripe-objects.ts'

export async function getIntent(client: StripeClient, paymentId: string, call: GatewayCall): Promise<StripeIntent> {
  const reply = await client.get(
    `payment_intents/${encodeURIComponent(paymentId)}`,
    { expand: ['latest_charge'] },
    call,
  )
  if (!reply.ok) throw refusal(reply)
  return readAs(intentSchema, reply.body)
}

/** With what went back of it, or is on its way. */
export async function getPayment(client: StripeClient, paymentId: string, call: GatewayCall): Promise<Payment> {
  const remaining = withinDeadline(call)
  return withRefunds(client, await getIntent(client, paymentId, remaining()), remaining())
}

/**
 * By Stripe's list of refunds. The charge counts them all when they are made; whether it goes on counting one that has failed
 * since, or was cancelled, is not documented.
 */
async function withRefunds(client: StripeClient, intent: StripeIntent, call: GatewayCall): Promise<Payment> {
  const payment = toPayment(intent)
  if (payment.refunded === 0) return payment
  const refunds = await listRefunds(client, intent.id, call)
  const sumOf = (status: RefundResult['status']) =>
    refunds.filter((one) => toRefundResult(one).status === status).reduce((total, { amount }) => total + amount, 0)
  const refundPending = sumOf('processing')
  return { ...payment, refunded: sumOf('refunded') + refundPending, ...(refundPending > 0 && { refundPending }) }
}

/** Cancels an intent; one that cannot be cancelled any more is answered as it is. */
export async function cancelIntent(client: StripeClient, paymentId: string, call: GatewayCall): Promise<StripeIntent> {
  const reply = await postPastStoredFailures(
    client,
    `payment_intents/${encodeURIComponent(paymentId)}/cancel`,
    { cancellation_reason: 'requested_by_customer', expand: ['latest_charge'] },
    call,
  )
  if (reply.ok) return readAs(intentSchema, reply.body)
  if (reply.error.code !== 'payment_intent_unexpected_state') throw refusal(reply)
  // Read anew: the refusal may be a replay, and show a state that is past.
  return getIntent(client, paymentId, call)
}

/** Cancels, or sends back all that is left; ends only when the gateway says that none remains but what is on its way back. */
export async function reversePayment(
  client: StripeClient,
  payment: { readonly paymentId: string; readonly order?: string },
  call: GatewayCall,
): Promise<Reversal> {
  const remaining = withinDeadline(call)
  const { paymentId } = payment
  let intent = await getIntent(client, paymentId, remaining())
  if (intent.status !== 'succeeded' && intent.status !== 'canceled') {
    intent = await cancelIntent(client, paymentId, { ...remaining(), key: derivedKey(call.key, 'cancel') })
  }
  if (intent.status === 'canceled') return { status: 'voided', payment: toPayment(intent) }
  if (intent.status !== 'succeeded')
    throw notYet('payment_in_flux', `the payment is ${intent.status} and cannot be cancelled`)

  const before = await withRefunds(client, intent, remaining())
  if (before.refunded >= before.captured) return { status: 'refunded', payment: before }
  const result = readRefund(await postPastStoredFailures(client, 'refunds', refundForm(payment, call.key), remaining()))
  if (result.status === 'failed')
    throw new GatewayError('stripe', 'refused', result.code, `the refund ${result.refundId} failed`)
  const after = await getPayment(client, paymentId, remaining())
  if (after.refunded >= after.captured) return { status: 'refunded', payment: after }
  const left = `${after.captured - after.refunded} are still taken`
  // One that has failed since, and that Stripe counts all the same: it takes no other.
  if (result.status === 'already_refunded') throw new GatewayError('stripe', 'refused', 'refund_failed', left)
  throw notYet('refund_incomplete', left)
}

export async function refund(client: StripeClient, request: RefundRequest, call: GatewayCall): Promise<RefundResult> {
  return readRefund(await client.post('refunds', refundForm(request, call.key), call))
}

function refundForm(request: RefundRequest, key: string): FormParameters {
  return {
    payment_intent: request.paymentId,
    amount: request.amount,
    metadata: { operation: key, order: request.order },
    reason: 'requested_by_customer',
  }
}

function readRefund(reply: StripeReply): RefundResult {
  if (reply.ok) return toRefundResult(readAs(refundSchema, reply.body))
  if (reply.error.code === 'charge_already_refunded') return { status: 'already_refunded' }
  throw refusal(reply)
}

export async function findRefund(
  client: StripeClient,
  request: RefundRequest,
  call: GatewayCall,
): Promise<RefundResult | undefined> {
  const found = (await listRefunds(client, request.paymentId, call)).find(
    (one) => one.metadata?.['operation'] === call.key,
  )
  return found && toRefundResult(found)
}

async function listRefunds(client: StripeClient, paymentId: string, call: GatewayCall): Promise<StripeRefund[]> {
  const remaining = withinDeadline(call)
  const all: StripeRefund[] = []
  for (;;) {
    const query = { payment_intent: paymentId, limit: 100, starting_after: all.at(-1)?.id }
    const reply = await client.get('refunds', query, remaining())
    if (!reply.ok) throw refusal(reply)
    const { data, has_more: more } = readAs(listOf(refundSchema), reply.body)
    all.push(...data)
    if (!more || data.length === 0) return all
  }
}

function notYet(code: string, message: string): GatewayError {
  return new GatewayError('stripe', 'unavailable', code, message, { retryable: true })
}
