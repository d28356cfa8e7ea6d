import { refuse } from 'safepoint'
import type { Gateway, GatewayName, Settling } from './gateways/gateway.ts'
import { readStripeConfig, type StripeConfig } from './gateways/stripe/stripe-config.ts'
import { createStripeGateway } from './gateways/stripe/stripe-gateway.ts'

/** The gateways of this process. Which, was decided once, at start-up, from the configuration. */
export interface OfferedGateways {
  readonly names: readonly GatewayName[]
  /** Throws `not_configured` for a gateway that is not offered. */
  get(name: string): Gateway
  /** What every gateway offered here can be settled by. */
  readonly settling: { readonly charge: Settling }
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
    settling: { charge: common(all.map((gateway) => gateway.settling.charge)) },
    notes,
  }
}

/** A step declares once how it is settled: by what each of the gateways it may call can do. */
function common(all: readonly Settling[]): Settling {
  if (all.length === 0) return { methods: [], repeatWindow: 0 }
  const methods = (['close', 'find', 'repeat'] as const).filter((method) =>
    all.every((one) => one.methods.includes(method)),
  )
  return { methods, repeatWindow: methods.includes('repeat') ? Math.min(...all.map((one) => one.repeatWindow)) : 0 }
}

/**
 * Reads which gateways to offer. `simulators` are the ones that were started, where the configuration wants them; they
 * stand in only for what has no credentials.
 */
export function readOfferedGateways(
  env: Readonly<Record<string, string | undefined>>,
  simulators: { readonly stripe?: StripeConfig | undefined } = {},
): OfferedGateways {
  const stripe = readStripeConfig(env)
  return offerGateways({
    stripe: stripe
      ? { gateway: createStripeGateway(stripe), by: 'credentials' }
      : simulators.stripe
        ? { gateway: createStripeGateway(simulators.stripe), by: 'simulator' }
        : { missing: ['STRIPE_SECRET_KEY', 'STRIPE_WEBHOOK_SECRET'].filter((name) => !env[name]?.trim()) },
  })
}
