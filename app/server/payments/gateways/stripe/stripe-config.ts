export const vendorUrl = 'https://api.stripe.com'

export interface StripeConfig {
  /** Without the version path: `https://api.stripe.com`, or the simulator's URL. */
  readonly baseUrl: string
  readonly secretKey: string
  readonly webhookSecret: string
}

/**
 * Reads `STRIPE_BASE_URL`, `STRIPE_SECRET_KEY`, `STRIPE_WEBHOOK_SECRET`. Undefined where a credential is missing: then
 * the gateway is not offered. A charge whose webhooks cannot be verified is not offered either.
 */
export function readStripeConfig(env: Readonly<Record<string, string | undefined>>): StripeConfig | undefined {
  const secretKey = env['STRIPE_SECRET_KEY']?.trim()
  const webhookSecret = env['STRIPE_WEBHOOK_SECRET']?.trim()
  if (!secretKey || !webhookSecret) return undefined
  return { baseUrl: env['STRIPE_BASE_URL']?.trim() || vendorUrl, secretKey, webhookSecret }
}
