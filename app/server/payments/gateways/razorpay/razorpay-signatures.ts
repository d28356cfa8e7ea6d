import { createHmac, timingSafeEqual } from 'node:crypto'
import type { ReturnReading } from '../gateway.ts'

/** Whether `signature` is the hex HMAC-SHA256 of `signed` under one of `secrets`. All are compared, each in constant time. */
function isSigned(signed: Uint8Array, signature: string, secrets: readonly string[]): boolean {
  if (!/^[0-9a-f]{64}$/i.test(signature)) return false
  const given = Buffer.from(signature, 'hex')
  return secrets
    .map((secret) => timingSafeEqual(createHmac('sha256', secret).update(signed).digest(), given))
    .includes(true)
}

/**
 * Whether `X-Razorpay-Signature` is over these very bytes. The signature has no time in it: against a replay there is
 * only the event's id. https://razorpay.com/docs/webhooks/validate-test/
 */
export function verifyWebhookSignature(rawBody: Uint8Array, signature: string, secrets: readonly string[]): boolean {
  return isSigned(rawBody, signature, secrets)
}

/**
 * Whether what the browser brought back was made by Razorpay for the page that **we** stored: never for the order id that
 * came back beside it. https://razorpay.com/docs/payments/payment-gateway/web-integration/hosted/integration-steps/
 */
export function verifyCheckoutReturn(
  storedOrderId: string,
  paymentId: string,
  signature: string,
  keySecret: string,
): boolean {
  return isSigned(Buffer.from(`${storedOrderId}|${paymentId}`), signature, [keySecret])
}

/** Reads the form that the page posts to `callback_url`. A failed payment comes back without a signature: rejected. */
export function readCheckoutReturn(
  params: Readonly<Record<string, string>>,
  stored: { readonly pageId: string },
  keySecret: string,
): ReturnReading {
  const paymentId = params['razorpay_payment_id'] ?? ''
  const signature = params['razorpay_signature'] ?? ''
  return paymentId !== '' && verifyCheckoutReturn(stored.pageId, paymentId, signature, keySecret)
    ? { status: 'verified', paymentId }
    : { status: 'rejected' }
}
