import { afterEach, beforeEach } from 'vitest'
import {
  startRazorpaySimulator,
  type RazorpaySimulator,
} from '../../../../simulators/razorpay/start-razorpay-simulator.ts'
import { press } from '../../../../simulators/razorpay/browser.ts'
import { startWebhookReceiver, type WebhookReceiver } from '../../../../simulators/webhook-receiver.ts'
import { GatewayError } from '../gateway-error.ts'
import type { Checkout, CheckoutRequest, Gateway, GatewayCall } from '../gateway.ts'
import type { RazorpayConfig } from './razorpay-config.ts'
import { createRazorpayGateway } from './razorpay-gateway.ts'

export const credentials = { keyId: 'rzp_test_of_this_test', keySecret: 'secret_of_this_test' }
export const webhookSecret = 'whsec_of_this_test'

export let razorpay: RazorpaySimulator
export let receiver: WebhookReceiver
export let config: RazorpayConfig
export let gateway: Gateway

/** Gives every test of a file a simulator, a webhook endpoint and the gateway that talks to them. */
export function useRazorpayGateway(): void {
  beforeEach(async () => {
    receiver = await startWebhookReceiver()
    razorpay = await startRazorpaySimulator({ ...credentials, webhookSecret, webhookUrl: receiver.url })
    config = { baseUrl: razorpay.url, ...credentials, webhookSecrets: [webhookSecret] }
    gateway = createRazorpayGateway(config)
  })

  afterEach(async () => {
    await razorpay.close()
    await receiver.close()
  })
}

export const call = (key: string, more: Partial<GatewayCall> = {}): GatewayCall => ({
  key,
  signal: new AbortController().signal,
  timeoutMs: 5_000,
  ...more,
})

export const request = (more: Partial<CheckoutRequest> = {}): CheckoutRequest => ({
  amount: 4200,
  currency: 'INR',
  order: 'o1',
  description: 'Groceries',
  successUrl: 'https://shop.example/thanks?order=o1',
  cancelUrl: 'https://shop.example/cart',
  ...more,
})

type Rule = Parameters<RazorpaySimulator['faults']['add']>[0]
export type FaultInput = Rule['faults'][number]
export const creating = { method: 'POST', path: '/v1/orders' }
export const capturing = { path: '/v1/payments/*/capture' }
export const refunding = { path: '/v1/payments/*/refund' }
export const queue = (match: Rule['match'], ...faults: FaultInput[]) => razorpay.faults.add({ match, faults })

export async function control(path: string, body: object = {}): Promise<void> {
  const reply = await fetch(`${razorpay.url}/_control${path}`, { method: 'POST', body: JSON.stringify(body) })
  if (!reply.ok) throw new Error(await reply.text())
}

/** The GatewayError that `work` fails with; anything else is thrown on. */
export async function failure(work: Promise<unknown>): Promise<GatewayError> {
  const thrown: unknown = await work.then(
    (value) => new Error(`no failure but ${JSON.stringify(value)}`),
    (error: unknown) => error,
  )
  if (thrown instanceof GatewayError) return thrown
  throw thrown
}

/** A page on which a customer has paid: the bank holds the amount. */
export async function authorized(key = 'c1'): Promise<{ page: Checkout; paymentId: string }> {
  const page = await gateway.createCheckout(request(), call(key))
  await press(page, 'pay')
  const { paymentId } = await gateway.getCheckout(page.id, call('g'))
  if (paymentId === null) throw new Error('nobody has paid')
  return { page, paymentId }
}

/** The same, with the amount taken. */
export async function captured(key = 'c1'): Promise<string> {
  const { paymentId } = await authorized(key)
  await gateway.capture({ paymentId, amount: 4200, currency: 'INR' }, call('t'))
  return paymentId
}

export const total = () => razorpay.book.total()['INR'] ?? 0
