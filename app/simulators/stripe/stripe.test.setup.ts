import { afterEach, beforeEach, expect } from 'vitest'
import { startWebhookReceiver, type WebhookReceiver } from '../webhook-receiver.ts'
import { startStripeSimulator, type StripeSimulator } from './start-stripe-simulator.ts'

export const secretKey = 'sk_test_of_this_test'
export const webhookSecret = 'whsec_of_this_test'
/** Quick enough to watch a delivery being given up. */
export const retry = { attempts: 5, baseMs: 5, capMs: 20, timeoutMs: 2_000 }

export let stripe: StripeSimulator
export let receiver: WebhookReceiver

/** Gives every test of a file a simulator and a webhook endpoint of its own. */
export function useStripeSimulator(): void {
  beforeEach(async () => {
    receiver = await startWebhookReceiver()
    stripe = await startStripeSimulator({ secretKey, webhookSecret, webhookUrl: receiver.url, webhookRetry: retry })
  })

  afterEach(async () => {
    await stripe.close()
    await receiver.close()
  })
}

export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** Whatever the wire says is under test. */
  readonly body: any
}

export type Params = Record<string, string>

export async function call(
  method: string,
  path: string,
  params: Params = {},
  key?: string,
  signal?: AbortSignal,
  url = stripe.url,
): Promise<Reply> {
  const form = new URLSearchParams(params).toString()
  const response = await fetch(`${url}${path}${method === 'GET' && form ? `?${form}` : ''}`, {
    method,
    headers: { authorization: `Bearer ${secretKey}`, ...(key === undefined ? {} : { 'idempotency-key': key }) },
    ...(method === 'GET' ? {} : { body: new URLSearchParams(form) }),
    ...(signal ? { signal } : {}),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, body: JSON.parse(text) }
}

export const post = (path: string, params: Params = {}, key?: string) => call('POST', path, params, key)
export const get = (path: string, params: Params = {}) => call('GET', path, params)

export const visa: Params = {
  amount: '4200',
  currency: 'inr',
  confirm: 'true',
  payment_method: 'pm_card_visa',
  'payment_method_types[]': 'card',
}
export const charge = (key?: string, more: Params = {}) => post('/v1/payment_intents', { ...visa, ...more }, key)

export async function control(method: string, path: string, body?: unknown): Promise<Reply> {
  const response = await fetch(`${stripe.url}/_control${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, body: JSON.parse(text) }
}

export const queue = async (...faults: unknown[]) => {
  const reply = await control('POST', '/faults', { match: { method: 'POST', path: '/v1/payment_intents' }, faults })
  expect(reply.status).toBe(201)
  return String(reply.body.id)
}

export const charged = () => stripe.book.total()['inr'] ?? 0
