import { refuse } from 'safepoint'
import { readCardcomConfig, type CardcomConfig } from './gateways/cardcom/cardcom-config.ts'
import { createCardcomGateway } from './gateways/cardcom/cardcom-gateway.ts'
import type { Gateway, GatewayName } from './gateways/gateway.ts'
import { readRazorpayConfig, type RazorpayConfig } from './gateways/razorpay/razorpay-config.ts'
import { createRazorpayGateway } from './gateways/razorpay/razorpay-gateway.ts'
import { readStripeConfig, type StripeConfig } from './gateways/stripe/stripe-config.ts'
import { createStripeGateway } from './gateways/stripe/stripe-gateway.ts'

/** The gateways of this process. Which, was decided once, at start-up, from the configuration. */
export interface OfferedGateways {
  readonly names: readonly GatewayName[]
  /** Throws `not_configured` for a gateway that is not offered. */
  get(name: string): Gateway
  /** One line a gateway, for the log at start-up. */
  readonly notes: readonly string[]
}

/** What the configuration says of one gateway. */
export type GatewaySetting =
  | { readonly gateway: Gateway; readonly by: 'credentials' | 'simulator' }
  /** The variables that would have to be set. */
  | { readonly missing: readonly string[] }

/**
 * A gateway is offered when it has credentials. It is offered on a simulator only where the configuration says so, which
 * it never does for want of credentials beside a `DATABASE_URL`: a shop must not sell for play money unnoticed.
 */
export function offerGateways(settings: Partial<Record<GatewayName, GatewaySetting>>): OfferedGateways {
  const offered = new Map<string, Gateway>()
  const notes: string[] = []
  for (const [name, setting] of Object.entries(settings)) {
    if ('missing' in setting) {
      notes.push(
        `${name}: not offered, because ${setting.missing.join(' and ')} ${setting.missing.length === 1 ? 'is' : 'are'} not set`,
      )
      continue
    }
    offered.set(name, setting.gateway)
    notes.push(
      setting.by === 'simulator' ? `${name}: offered on the local simulator, no real money moves` : `${name}: offered`,
    )
  }
  const all = [...offered.values()]
  return {
    names: all.map(({ name }) => name),
    get(name) {
      const gateway = offered.get(name)
      if (!gateway)
        throw refuse('not_configured', `Payment by ${name} is not offered here.`, { details: { gateway: name } })
      return gateway
    },
    notes,
  }
}

/**
 * Reads which gateways to offer. `simulators` are the ones that were started, where the configuration wants them; they
 * stand in only for what has no credentials.
 */
export function readOfferedGateways(
  env: Readonly<Record<string, string | undefined>>,
  simulators: {
    readonly stripe?: StripeConfig | undefined
    readonly razorpay?: RazorpayConfig | undefined
    readonly cardcom?: CardcomConfig | undefined
  } = {},
): OfferedGateways {
  const stripe = readStripeConfig(env)
  const razorpay = readRazorpayConfig(env)
  const cardcom = readCardcomConfig(env)
  return offerGateways({
    stripe: stripe
      ? { gateway: createStripeGateway(stripe), by: 'credentials' }
      : simulators.stripe
        ? { gateway: createStripeGateway(simulators.stripe), by: 'simulator' }
        : { missing: ['STRIPE_SECRET_KEY', 'STRIPE_WEBHOOK_SECRET'].filter((name) => !env[name]?.trim()) },
    razorpay: razorpay
      ? { gateway: createRazorpayGateway(razorpay), by: 'credentials' }
      : simulators.razorpay
        ? { gateway: createRazorpayGateway(simulators.razorpay), by: 'simulator' }
        : {
            missing: ['RAZORPAY_KEY_ID', 'RAZORPAY_KEY_SECRET', 'RAZORPAY_WEBHOOK_SECRET'].filter(
              (name) => !env[name]?.trim(),
            ),
          },
    cardcom: cardcom
      ? { gateway: createCardcomGateway(cardcom), by: 'credentials' }
      : simulators.cardcom
        ? { gateway: createCardcomGateway(simulators.cardcom), by: 'simulator' }
        : {
            missing: ['CARDCOM_TERMINAL_NUMBER', 'CARDCOM_API_NAME', 'CARDCOM_API_PASSWORD'].filter(
              (name) => !env[name]?.trim(),
            ),
          },
  })
}
