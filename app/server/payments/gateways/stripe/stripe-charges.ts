import { GatewayError } from '../gateway-error.ts'
import type { ChargeRequest, ChargeResult, GatewayCall, Reversal } from '../gateway.ts'
import type { FormParameters } from './form-encoding.ts'
import { derivedKey, withinDeadline } from './stripe-call.ts'
import { refusal, type StripeClient, type StripeReply } from './stripe-client.ts'
import { intentSchema, listOf, readAs, toChargeResult, type StripeIntent } from './stripe-objects.ts'
import { reversePayment } from './stripe-reversal.ts'

/** Stripe keeps a key for at least 24 h; an hour is left for clocks and for calls on their way. */
export const keyWindowMs = 23 * 60 * 60 * 1000

/** Our clock may be ahead of Stripe's by this much before a lost charge is overlooked. */
const clockSkewSeconds = 300

/** Parameters of the charge: made of the recorded request and the key alone, so that a repeat is the same to Stripe. */
function chargeForm(request: ChargeRequest, key: string): FormParameters {
  return {
    amount: request.amount,
    currency: request.currency.toLowerCase(),
    confirm: true,
    customer: request.customer,
    description: request.description,
    expand: ['latest_charge'],
    metadata: { operation: key, order: request.order },
    off_session: request.offSession || undefined,
    payment_method: request.paymentMethod,
    payment_method_types: ['card'],
    return_url: request.returnUrl,
  }
}

/** Creates and confirms a payment intent in one call: one key, one answer, no state between. */
export async function charge(client: StripeClient, request: ChargeRequest, call: GatewayCall): Promise<ChargeResult> {
  const reply = await client.post('payment_intents', chargeForm(request, call.key), call)
  if (reply.ok) return toChargeResult(readAs(intentSchema, reply.body))
  const { error } = reply
  if (error.type !== 'card_error') throw refusal(reply)
  const declined = intentSchema.safeParse(error.payment_intent)
  return {
    status: 'declined',
    code: error.decline_code ?? error.code ?? 'card_declined',
    message: error.message ?? 'The card was declined.',
    payment: declined.success ? toChargeResult(declined.data).payment : null,
  }
}

/**
 * Looks through the list of intents, newest first, for the key in their metadata. The list and not the search, because
 * search lags by up to a minute, and is not offered to merchants in India. https://docs.stripe.com/search
 */
export async function findIntent(
  client: StripeClient,
  request: ChargeRequest,
  call: GatewayCall,
): Promise<StripeIntent | undefined> {
  const since = Math.floor(Date.parse(request.requestedAt) / 1000) - clockSkewSeconds
  const remaining = withinDeadline(call)
  let after: string | undefined
  for (;;) {
    const reply = await client.get(
      'payment_intents',
      {
        created: { gte: since },
        customer: request.customer,
        expand: ['data.latest_charge'],
        limit: 100,
        starting_after: after,
      },
      remaining(),
    )
    if (!reply.ok) throw refusal(reply)
    const { data, has_more: more } = readAs(listOf(intentSchema), reply.body)
    const found = data.find((intent) => intent.metadata['operation'] === call.key)
    if (found) return found
    after = data.at(-1)?.id
    if (!more || after === undefined) return undefined
  }
}

/**
 * Makes an end of a charge whose answer was lost, without ever charging: its key is used for another, harmless request
 * (an intent that is not confirmed).
 *
 * - Stripe takes it: the charge was never begun, and from now on it is refused, because a key goes with one set of
 *   parameters. The harmless intent is cancelled.
 * - Stripe says that the key was used with other parameters: the charge was begun. Its stored answer is fetched by
 *   repeating it, which under a used key executes nothing, and what it names is reversed.
 *
 * An older key may be forgotten: then using it would prove nothing, and the list of intents is asked.
 */
export async function closeCharge(client: StripeClient, request: ChargeRequest, call: GatewayCall): Promise<Reversal> {
  const remaining = withinDeadline(call)
  const reverse = (paymentId: string) =>
    reversePayment(client, { paymentId, order: request.order }, { ...remaining(), key: derivedKey(call.key, 'close') })
  const findAndReverse = async (): Promise<Reversal> => {
    const found = await findIntent(client, request, remaining())
    return found ? reverse(found.id) : { status: 'nothing_taken' }
  }

  if (Date.now() - Date.parse(request.requestedAt) > keyWindowMs) return findAndReverse()

  const taken = await client.post('payment_intents', closingForm(request, call.key), remaining())
  if (taken.ok) {
    await reverse(readAs(intentSchema, taken.body).id)
    return { status: 'nothing_taken' }
  }
  if (taken.error.type !== 'idempotency_error') throw refusal(taken)

  const stored = await client.post('payment_intents', chargeForm(request, call.key), remaining())
  const paymentId = idOf(stored)
  if (paymentId !== undefined) return reverse(paymentId)
  // A stored 5xx: something was begun, and Stripe itself cannot say what. The list is consistent, and can.
  if (!stored.ok && stored.status >= 500) return findAndReverse()
  throw stored.ok
    ? new GatewayError('stripe', 'unknown', 'bad_response', 'the stored answer names no payment')
    : refusal(stored)
}

function closingForm(request: ChargeRequest, key: string): FormParameters {
  return {
    amount: request.amount,
    currency: request.currency.toLowerCase(),
    description: 'Closes a charge that was not made',
    metadata: { closes: key, order: request.order },
    payment_method_types: ['card'],
  }
}

function idOf(reply: StripeReply): string | undefined {
  return reply.ok ? readAs(intentSchema, reply.body).id : reply.error.payment_intent?.id
}
