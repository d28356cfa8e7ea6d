import { afterEach, beforeEach } from 'vitest'
import { startStripeSimulator, type StripeSimulator } from '../../../../simulators/stripe/start-stripe-simulator.ts'
import { startWebhookReceiver, type WebhookReceiver } from '../../../../simulators/webhook-receiver.ts'
import { GatewayError } from '../gateway-error.ts'
import type { ChargeRequest, Gateway, GatewayCall } from '../gateway.ts'
import { createStripeGateway } from './stripe-gateway.ts'

export const secretKey = 'sk_test_of_this_test'
export const webhookSecret = 'whsec_of_this_test'

export let stripe: StripeSimulator
export let receiver: WebhookReceiver
export let gateway: Gateway

/** Gives every test of a file a simulator, a webhook endpoint and the gateway that talks to them. */
export function useStripeGateway(): void {
  beforeEach(async () => {
    receiver = await startWebhookReceiver()
    stripe = await startStripeSimulator({ secretKey, webhookSecret, webhookUrl: receiver.url })
    gateway = createStripeGateway({ baseUrl: stripe.url, secretKey, webhookSecret })
  })

  afterEach(async () => {
    await stripe.close()
    await receiver.close()
  })
}

export const call = (key: string, more: Partial<GatewayCall> = {}): GatewayCall => ({
  key,
  signal: new AbortController().signal,
  timeoutMs: 5_000,
  ...more,
})

export const request = (more: Partial<ChargeRequest> = {}): ChargeRequest => ({
  amount: 4200,
  currency: 'INR',
  paymentMethod: 'pm_card_visa',
  order: 'o1',
  requestedAt: new Date().toISOString(),
  ...more,
})

const match = { method: 'POST', path: '/v1/payment_intents' }
export type FaultInput = Parameters<StripeSimulator['faults']['add']>[0]['faults'][number]
export const queue = (...faults: FaultInput[]) => stripe.faults.add({ match, faults })

/** The GatewayError that `work` fails with; anything else is thrown on. */
export async function failure(work: Promise<unknown>): Promise<GatewayError> {
  const thrown: unknown = await work.then(
    (value) => new Error(`no failure but ${JSON.stringify(value)}`),
    (error: unknown) => error,
  )
  if (thrown instanceof GatewayError) return thrown
  throw thrown
}

export const net = (key: string) => stripe.book.net('operation')[key]?.net ?? 0
export const total = () => stripe.book.total()['inr'] ?? 0
