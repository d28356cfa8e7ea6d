export interface RazorpayConfig {
  /** Without the version path: `https://api.razorpay.com`, or the simulator's URL. */
  readonly baseUrl: string
  readonly keyId: string
  readonly keySecret: string
  /** Every one that an event may still be signed with; the first is the present one. */
  readonly webhookSecrets: readonly string[]
}

/**
 * Reads `RAZORPAY_BASE_URL`, `RAZORPAY_KEY_ID`, `RAZORPAY_KEY_SECRET`, `RAZORPAY_WEBHOOK_SECRET`. Undefined where a
 * credential is missing: then the gateway is not offered.
 *
 * The webhook secret may be a comma-separated list: after a rotation Razorpay goes on delivering older events, for 24 h,
 * under the old secret. https://razorpay.com/docs/webhooks/validate-test/
 */
export function readRazorpayConfig(env: Readonly<Record<string, string | undefined>>): RazorpayConfig | undefined {
  const keyId = env['RAZORPAY_KEY_ID']?.trim()
  const keySecret = env['RAZORPAY_KEY_SECRET']?.trim()
  const webhookSecrets = (env['RAZORPAY_WEBHOOK_SECRET'] ?? '')
    .split(',')
    .map((secret) => secret.trim())
    .filter((secret) => secret !== '')
  if (!keyId || !keySecret || webhookSecrets.length === 0) return undefined
  return { baseUrl: env['RAZORPAY_BASE_URL']?.trim() || 'https://api.razorpay.com', keyId, keySecret, webhookSecrets }
}
