import { createHmac } from 'node:crypto'
import { unixNow } from './objects.ts'
import type { Sign } from '../webhook-sender.ts'

/**
 * `Stripe-Signature: t=<unix>,v1=<hex>`: HMAC-SHA256 of `t.body` under the whole secret, its `whsec_` included.
 * Written apart from the server's verification on purpose: a mistake in one must not hide in the other.
 */
export const signStripe: Sign = (body, secret, tamper): Record<string, string> => {
  if (tamper === 'unsigned') return {}
  const at = tamper === 'stale_timestamp' ? unixNow() - 3600 : unixNow()
  const key = tamper === 'wrong_secret' ? `${secret}_of_somebody_else` : secret
  const signature = createHmac('sha256', key).update(`${at}.${body}`).digest('hex')
  // `v0` is there in test mode at Stripe, and is to be ignored.
  return { 'stripe-signature': `t=${at},v1=${signature},v0=${'0'.repeat(64)}` }
}
