import type { Checkout, CheckoutRequest, GatewayCall } from '../gateway.ts'
import { postPastStoredFailures, withinDeadline } from './stripe-call.ts'
import { refusal, type StripeClient } from './stripe-client.ts'
import { toCheckout } from './stripe-objects.ts'

/** A hosted page of Stripe Checkout. Both the session and the payment it will make carry our key and order. */
export async function createCheckout(
  client: StripeClient,
  request: CheckoutRequest,
  call: GatewayCall,
): Promise<Checkout> {
  const metadata = { operation: call.key, order: request.order }
  const reply = await client.post(
    'checkout/sessions',
    {
      mode: 'payment',
      cancel_url: request.cancelUrl,
      client_reference_id: request.order,
      customer_email: request.customerEmail,
      expires_at: request.expiresAt === undefined ? undefined : Math.floor(Date.parse(request.expiresAt) / 1000),
      line_items: [
        {
          quantity: 1,
          price_data: {
            currency: request.currency.toLowerCase(),
            unit_amount: request.amount,
            product_data: { name: request.description },
          },
        },
      ],
      metadata,
      payment_intent_data: { description: request.description, metadata },
      payment_method_types: ['card'],
      success_url: request.successUrl,
    },
    call,
  )
  if (!reply.ok) throw refusal(reply)
  return toCheckout(reply.body)
}

export async function getCheckout(client: StripeClient, checkoutId: string, call: GatewayCall): Promise<Checkout> {
  const reply = await client.get(
    `checkout/sessions/${encodeURIComponent(checkoutId)}`,
    { expand: ['payment_intent'] },
    call,
  )
  if (!reply.ok) throw refusal(reply)
  return toCheckout(reply.body)
}

/** Expires the session; one that has ended already is answered as it ended. */
export async function closeCheckout(client: StripeClient, checkoutId: string, call: GatewayCall): Promise<Checkout> {
  const remaining = withinDeadline(call)
  const path = `checkout/sessions/${encodeURIComponent(checkoutId)}/expire`
  const reply = await postPastStoredFailures(client, path, {}, remaining())
  if (reply.ok) return toCheckout(reply.body)
  if (reply.status !== 400 || reply.error.type !== 'invalid_request_error') throw refusal(reply)
  const now = await getCheckout(client, checkoutId, remaining())
  if (now.status === 'open') throw refusal(reply)
  return now
}
