import { GatewayError } from '../gateway-error.ts'
import type { GatewayCall } from '../gateway.ts'
import type { FormParameters } from './form-encoding.ts'
import type { StripeClient, StripeReply } from './stripe-client.ts'

/** A key for a call that follows from another; Stripe takes up to 255 characters. */
export function derivedKey(key: string, purpose: string): string {
  const derived = `${key}:${purpose}`
  if (derived.length > 255) throw new GatewayError('stripe', 'refused', 'key_too_long', `no room for ":${purpose}"`)
  return derived
}

/** The calls of one composite call share its time. */
export function withinDeadline(call: GatewayCall): () => GatewayCall {
  const deadline = performance.now() + call.timeoutMs
  return () => ({ ...call, timeoutMs: Math.max(1, deadline - performance.now()) })
}

/**
 * Posts what cannot happen twice by its nature (cancelling; giving back all that is left). Stripe keeps a failure under
 * its key, 5xx included, so that a retry would meet the old no for a day; where the answer is such a replay, the next
 * derived key is used.
 */
export async function postPastStoredFailures(
  client: StripeClient,
  path: string,
  form: FormParameters,
  call: GatewayCall,
): Promise<StripeReply> {
  const remaining = withinDeadline(call)
  let reply = await client.post(path, form, call)
  for (let again = 2; !reply.ok && reply.replayed && again <= 9; again += 1) {
    reply = await client.post(path, form, { ...remaining(), key: derivedKey(call.key, String(again)) })
  }
  return reply
}
