import { createHash } from 'node:crypto'
import { GatewayError } from '../gateway-error.ts'
import type { GatewayCall, Payment, RefundRequest, RefundResult, Reversal } from '../gateway.ts'
import { sharingTime } from '../gateway-request.ts'
import { readAs, refusal, type RazorpayClient, type RazorpayReply } from './razorpay-client.ts'
import {
  collectionOf,
  paymentSchema,
  refundSchema,
  toPayment,
  toRefundResult,
  type RazorpayRefund,
} from './razorpay-objects.ts'

export async function getPayment(client: RazorpayClient, paymentId: string, call: GatewayCall): Promise<Payment> {
  const reply = await client.get(`payments/${encodeURIComponent(paymentId)}`, {}, call)
  if (!reply.ok) throw refusal(reply)
  return toPayment(readAs(paymentSchema, reply.body))
}

/** With what went back of it, or is on its way. */
export async function getPaymentAndRefunds(
  client: RazorpayClient,
  paymentId: string,
  call: GatewayCall,
): Promise<Payment> {
  const remaining = sharingTime(call)
  const payment = await getPayment(client, paymentId, remaining())
  return payment.refunded === 0 ? payment : withRefunds(payment, await listRefunds(client, paymentId, remaining()))
}

/** By the list of its refunds: whether the payment's own sum goes on counting one that has failed is not documented. */
function withRefunds(payment: Payment, refunds: readonly RazorpayRefund[]): Payment {
  const sumOf = (wanted: RazorpayRefund['status']) =>
    refunds.filter(({ status }) => status === wanted).reduce((total, { amount }) => total + amount, 0)
  const refundPending = sumOf('pending')
  return { ...payment, refunded: sumOf('processed') + refundPending, ...(refundPending > 0 && { refundPending }) }
}

/**
 * Takes what is authorized. Capture has no idempotency key, and needs none: Razorpay captures a payment once, and answers
 * 400 to another attempt. What such a 400 means is read from the payment: still authorized, and it was a refusal (the
 * amount is another, or the order was paid by another payment).
 */
export async function capture(
  client: RazorpayClient,
  payment: { readonly paymentId: string; readonly amount: number; readonly currency: string },
  call: GatewayCall,
): Promise<Payment> {
  const remaining = sharingTime(call)
  const { paymentId, amount, currency } = payment
  const reply = await client.post(
    `payments/${encodeURIComponent(paymentId)}/capture`,
    { amount, currency },
    remaining(),
  )
  if (reply.ok) return toPayment(readAs(paymentSchema, reply.body))
  if (reply.status !== 400) throw refusal(reply)
  const now = await getPayment(client, paymentId, remaining())
  if (now.status === 'authorized') throw refusal(reply)
  return now
}

/**
 * Nothing is sent: Razorpay cannot cancel an authorization, and one that we do not capture takes no money; Razorpay gives
 * it back by itself. `cancelled` is therefore our own promise not to capture. It holds only where no capture is of unknown
 * outcome; that has to be settled first, by capturing again. Whoever else captures (bank transfers and merchants with
 * direct settlement are captured whatever an order says) is told of by webhook, and refunded.
 */
export async function cancelPayment(client: RazorpayClient, paymentId: string, call: GatewayCall): Promise<Payment> {
  const payment = await getPayment(client, paymentId, call)
  return payment.status === 'authorized' || payment.status === 'processing'
    ? { ...payment, status: 'cancelled' }
    : payment
}

/** Leaves uncaptured, or sends back all that is left; ends only when the gateway says that none remains but what is on its way back. */
export async function reversePayment(
  client: RazorpayClient,
  payment: { readonly paymentId: string; readonly order?: string },
  call: GatewayCall,
): Promise<Reversal> {
  const remaining = sharingTime(call)
  const { paymentId } = payment
  const known = await cancelPayment(client, paymentId, remaining())
  if (known.status !== 'captured') return { status: 'voided', payment: known }

  const made = await listRefunds(client, paymentId, remaining())
  const before = withRefunds(known, made)
  const left = before.captured - before.refunded
  if (left <= 0) return { status: 'refunded', payment: before }
  const failures = made.filter(({ status }) => status === 'failed')
  // A key goes with one body, and keeps a refund that failed: another amount, or another try after a failure, is another
  // refund. More than was captured is never given back: that Razorpay refuses.
  const key = refundKeyOf(`${call.key}:${left}:${failures.length}`)
  const reply = await client.post(
    refundsOf(paymentId),
    refundBody({ ...payment, amount: left }, call.key),
    remaining(),
    key,
  )
  if (reply.ok) assertNotFailed(readAs(refundSchema, reply.body))
  const after = await getPaymentAndRefunds(client, paymentId, remaining())
  // A 400 may only say that somebody else was faster.
  if (!reply.ok && (reply.status !== 400 || after.refunded === before.refunded)) throw refusal(reply)
  if (after.refunded < after.captured)
    throw notYet('refund_incomplete', `${after.captured - after.refunded} are still taken`)
  return { status: 'refunded', payment: after }
}

/**
 * Gives back part, or all that is left, at most once for a key. "All that is left" is written out, because a repeat has to
 * be the same bytes; a refund that was made under this key is looked for first wherever that could differ.
 */
export async function refund(client: RazorpayClient, request: RefundRequest, call: GatewayCall): Promise<RefundResult> {
  const remaining = sharingTime(call)
  let { amount } = request
  if (amount === undefined || call.repeated) {
    // In this order: a refund that lands between the two is found, or leaves nothing.
    const payment = await getPayment(client, request.paymentId, remaining())
    const found = await findOurs(client, request, remaining())
    if (found) return toRefundResult(found)
    amount ??= payment.captured - payment.refunded
    if (amount === 0 && payment.captured > 0) return { status: 'already_refunded' }
  }
  const body = refundBody({ ...request, amount }, call.key)
  const reply = await client.post(refundsOf(request.paymentId), body, remaining(), refundKeyOf(call.key))
  if (reply.ok) return toRefundResult(readAs(refundSchema, reply.body))
  return explainRefusal(client, request, reply, remaining)
}

/** A 400 does not say why in a code: whether all had been given back already is read from the payment. */
async function explainRefusal(
  client: RazorpayClient,
  request: RefundRequest,
  reply: Extract<RazorpayReply, { ok: false }>,
  remaining: () => GatewayCall,
): Promise<RefundResult> {
  if (reply.status !== 400) throw refusal(reply)
  const payment = await getPayment(client, request.paymentId, remaining())
  const found = await findOurs(client, request, remaining())
  if (found && found.status !== 'failed') return toRefundResult(found)
  if (payment.captured > 0 && payment.refunded >= payment.captured) return { status: 'already_refunded' }
  throw refusal(reply)
}

export async function findRefund(
  client: RazorpayClient,
  request: RefundRequest,
  call: GatewayCall,
): Promise<RefundResult | undefined> {
  const found = await findOurs(client, request, call)
  return found && toRefundResult(found)
}

/** By the key in its notes, and of the amount that was asked for; the newest, where an earlier one failed. */
async function findOurs(
  client: RazorpayClient,
  { paymentId, amount }: RefundRequest,
  call: GatewayCall,
): Promise<RazorpayRefund | undefined> {
  const ours = (await listRefunds(client, paymentId, call)).filter(
    (one) => one.notes['operation'] === call.key && (amount === undefined || one.amount === amount),
  )
  return ours.find(({ status }) => status !== 'failed') ?? ours[0]
}

async function listRefunds(client: RazorpayClient, paymentId: string, call: GatewayCall): Promise<RazorpayRefund[]> {
  const remaining = sharingTime(call)
  const pageSize = 100
  const all: RazorpayRefund[] = []
  for (;;) {
    const query = { count: String(pageSize), skip: String(all.length) }
    const reply = await client.get(`payments/${encodeURIComponent(paymentId)}/refunds`, query, remaining())
    if (!reply.ok) throw refusal(reply)
    const { items } = readAs(collectionOf(refundSchema), reply.body)
    all.push(...items)
    if (items.length < pageSize) return all
  }
}

function refundsOf(paymentId: string): string {
  return `payments/${encodeURIComponent(paymentId)}/refund`
}

function refundBody({ amount, order }: RefundRequest, key: string): object {
  return { amount, notes: { operation: key, ...(order === undefined ? {} : { order }) } }
}

/** `X-Refund-Idempotency` takes letters, digits, `-` and `_`, at least 10 of them; our keys may be anything. */
export function refundKeyOf(key: string): string {
  return createHash('sha256').update(key).digest('hex')
}

function assertNotFailed(made: RazorpayRefund): void {
  if (made.status === 'failed')
    throw new GatewayError('razorpay', 'refused', 'refund_failed', `the refund ${made.id} failed`)
}

function notYet(code: string, message: string): GatewayError {
  return new GatewayError('razorpay', 'unavailable', code, message, { retryable: true })
}
