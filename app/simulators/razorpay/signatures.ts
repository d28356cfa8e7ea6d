import { createHmac } from 'node:crypto'
import type { Sign } from '../webhook-sender.ts'

/**
 * `X-Razorpay-Signature`: hex HMAC-SHA256 of the body under the whole secret. Written apart from the server's verification
 * on purpose: a mistake in one must not hide in the other.
 */
export const signWebhook: Sign = (body, secret, tamper): Record<string, string> => {
  if (tamper === 'unsigned') return {}
  const key = tamper === 'wrong_secret' ? `${secret}_of_somebody_else` : secret
  return { 'x-razorpay-signature': createHmac('sha256', key).update(body).digest('hex') }
}

/** What the hosted page brings back with a payment that succeeded. */
export function signReturn(orderId: string, paymentId: string, keySecret: string): string {
  return createHmac('sha256', keySecret).update(`${orderId}|${paymentId}`).digest('hex')
}
