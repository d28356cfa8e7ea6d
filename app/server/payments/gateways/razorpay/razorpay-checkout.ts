import { createHash } from 'node:crypto'
import type { Checkout, CheckoutRequest, GatewayCall } from '../gateway.ts'
import { sharingTime } from '../gateway-request.ts'
import { readAs, refusal, type RazorpayClient } from './razorpay-client.ts'
import { collectionOf, orderSchema, paymentSchema, toCheckout, type RazorpayOrder } from './razorpay-objects.ts'

/** What the customer reads as the seller. */
const merchantName = 'Pantry'

/**
 * Minutes for which an authorization waits to be captured; then Razorpay gives it back by itself. A day: longer than any
 * outage of ours should be, and far shorter than the default of five for a customer whose order is cancelled.
 * https://razorpay.com/docs/payments/payments/capture-settings/api/
 */
const captureWithinMinutes = 24 * 60

/** Our reference of the order that `key` makes: at most 40 characters, and the same whatever case they are compared in. */
export function receiptOf(key: string): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 40)
}

/**
 * Razorpay's hosted checkout: an order, and a form that takes the customer there. A payment on it is only authorized until
 * we capture it, so that one that comes too late, or for an order that was cancelled, takes nothing.
 *
 * Orders have no idempotency key. A repeated call looks for the first one by its receipt; should both have arrived, nobody
 * was told of the other, and an order that nobody is sent to takes no money.
 * https://razorpay.com/docs/payments/payment-gateway/web-integration/hosted/integration-steps/
 */
export async function createCheckout(
  client: RazorpayClient,
  keyId: string,
  request: CheckoutRequest,
  call: GatewayCall,
): Promise<Checkout> {
  const remaining = sharingTime(call)
  const earlier = call.repeated ? await findOrder(client, call.key, remaining()) : undefined
  const order = earlier ?? (await createOrder(client, request, call.key, remaining))
  const page = order.status === 'created' ? toCheckout(order, []) : await getCheckout(client, order.id, remaining())
  if (page.status !== 'open') return page
  return { ...page, url: `${client.root}/checkout/embedded`, fields: pageForm(order, keyId, request) }
}

async function createOrder(
  client: RazorpayClient,
  request: CheckoutRequest,
  key: string,
  remaining: () => GatewayCall,
): Promise<RazorpayOrder> {
  const reply = await client.post(
    'orders',
    {
      amount: request.amount,
      currency: request.currency,
      receipt: receiptOf(key),
      notes: { order: request.order, operation: key },
      payment: {
        capture: 'manual',
        capture_options: { manual_expiry_period: captureWithinMinutes, refund_speed: 'normal' },
      },
    },
    remaining(),
  )
  if (reply.ok) return readAs(orderSchema, reply.body)
  // A receipt "has to be unique": if Razorpay enforces it, this may be the no to a repeat that nobody said was one.
  const earlier = reply.status === 400 ? await findOrder(client, key, remaining()) : undefined
  if (earlier) return earlier
  throw refusal(reply)
}

/** The oldest of that receipt, so that repeats agree. */
async function findOrder(client: RazorpayClient, key: string, call: GatewayCall): Promise<RazorpayOrder | undefined> {
  const reply = await client.get('orders', { receipt: receiptOf(key), count: '100' }, call)
  if (!reply.ok) throw refusal(reply)
  const { items } = readAs(collectionOf(orderSchema), reply.body)
  return items
    .filter(({ notes }) => notes['operation'] === key)
    .toSorted((one, other) => one.created_at - other.created_at || (one.id < other.id ? -1 : 1))[0]
}

/** The documented fields of the form. Razorpay holds the payment to the order's amount, whatever the form says. */
function pageForm(order: RazorpayOrder, keyId: string, request: CheckoutRequest): Record<string, string> {
  return {
    key_id: keyId,
    order_id: order.id,
    amount: String(order.amount),
    currency: order.currency,
    name: merchantName,
    description: request.description,
    callback_url: request.successUrl,
    cancel_url: request.cancelUrl,
    ...(request.customerEmail === undefined ? {} : { 'prefill[email]': request.customerEmail }),
  }
}

/** How a page stands. Its `url` is null: Razorpay keeps no form, so that what `createCheckout` answered is what opens it. */
export async function getCheckout(client: RazorpayClient, checkoutId: string, call: GatewayCall): Promise<Checkout> {
  const path = `orders/${encodeURIComponent(checkoutId)}`
  const [order, payments] = await Promise.all([client.get(path, {}, call), client.get(`${path}/payments`, {}, call)])
  if (!order.ok) throw refusal(order)
  if (!payments.ok) throw refusal(payments)
  return toCheckout(readAs(orderSchema, order.body), readAs(collectionOf(paymentSchema), payments.body).items)
}

/** An order of Razorpay's cannot be closed: where nobody has paid, it is `abandoned`. */
export async function closeCheckout(client: RazorpayClient, checkoutId: string, call: GatewayCall): Promise<Checkout> {
  const page = await getCheckout(client, checkoutId, call)
  return page.status === 'open' ? { ...page, status: 'abandoned' } : page
}
