import { afterEach, beforeEach, expect } from 'vitest'
import { startWebhookReceiver, type WebhookReceiver } from '../webhook-receiver.ts'
import { startRazorpaySimulator, type RazorpaySimulator } from './start-razorpay-simulator.ts'

export const keyId = 'rzp_test_of_this_test'
export const keySecret = 'secret_of_this_test'
export const webhookSecret = 'whsec_of_this_test'
/** Quick enough to watch a delivery being given up. */
const retry = { attempts: 5, baseMs: 5, capMs: 20, timeoutMs: 2_000 }

export let razorpay: RazorpaySimulator
export let receiver: WebhookReceiver

/** Gives every test of a file a simulator and a webhook endpoint of its own. */
export function useRazorpaySimulator(): void {
  beforeEach(async () => {
    receiver = await startWebhookReceiver()
    razorpay = await startRazorpaySimulator({
      keyId,
      keySecret,
      webhookSecret,
      webhookUrl: receiver.url,
      webhookRetry: retry,
    })
  })

  afterEach(async () => {
    await razorpay.close()
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

export const basic = (id = keyId, secret = keySecret) => `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`

export async function call(
  method: string,
  path: string,
  body?: object,
  headers: Record<string, string> = {},
): Promise<Reply> {
  const response = await fetch(`${razorpay.url}${path}`, {
    method,
    headers: { authorization: basic(), 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, body: JSON.parse(text) }
}

export const post = (path: string, body: object = {}, headers?: Record<string, string>) =>
  call('POST', path, body, headers)
export const get = (path: string) => call('GET', path)
export const control = (method: string, path: string, body?: object) => call(method, `/_control${path}`, body)

export const manual = { capture: 'manual', capture_options: { manual_expiry_period: 60, refund_speed: 'normal' } }

export async function order(more: object = {}): Promise<any> {
  const reply = await post('/v1/orders', { amount: 4200, currency: 'INR', payment: manual, ...more })
  expect(reply.status).toBe(200)
  return reply.body
}

/** A customer's attempt without a browser. */
export async function attempt(orderId: string, outcome = 'authorized', more: object = {}): Promise<any> {
  const reply = await control('POST', `/orders/${orderId}/pay`, { outcome, ...more })
  expect(reply.status).toBe(200)
  return reply.body
}

export const capture = (id: string, amount = 4200, currency = 'INR') =>
  post(`/v1/payments/${id}/capture`, { amount, currency })

export async function captured(more: object = {}): Promise<any> {
  const made = await order(more)
  const payment = await attempt(made.id)
  expect((await capture(payment.id)).status).toBe(200)
  return payment
}

/** The fields that a shop's form posts to the hosted page. */
export const pageFields = (made: { id: string; amount: number; currency: string }, more: object = {}) => ({
  key_id: keyId,
  order_id: made.id,
  amount: String(made.amount),
  currency: made.currency,
  name: 'Pantry',
  description: 'Groceries',
  callback_url: 'https://shop.example/return',
  cancel_url: 'https://shop.example/cart',
  ...more,
})

export const net = () => razorpay.book.total()['INR'] ?? 0
export const eventTypes = () =>
  receiver.received.map(({ rawBody }) => (JSON.parse(rawBody.toString()) as { event: string }).event)
export const eventIds = () => receiver.received.map(({ headers }) => headers['x-razorpay-event-id'])
