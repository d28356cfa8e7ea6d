import { afterEach, beforeEach } from 'vitest'
import { press } from '../../../../simulators/cardcom/browser.ts'
import { startCardcomSimulator, type CardcomSimulator } from '../../../../simulators/cardcom/start-cardcom-simulator.ts'
import { startWebhookReceiver, type WebhookReceiver } from '../../../../simulators/webhook-receiver.ts'
import { GatewayError } from '../gateway-error.ts'
import type { Checkout, CheckoutRequest, Gateway, GatewayCall, WebhookRequest } from '../gateway.ts'
import { createCardcomGateway } from './cardcom-gateway.ts'

export const credentials = { terminalNumber: 1000, apiName: 'api_of_this_test', apiPassword: 'password_of_this_test' }

export let cardcom: CardcomSimulator
export let receiver: WebhookReceiver
export let gateway: Gateway

/** Gives every test of a file a simulator, a webhook endpoint and the gateway that talks to them. */
export function useCardcomGateway(options: { readonly reportDeclines?: boolean } = {}): void {
  beforeEach(async () => {
    receiver = await startWebhookReceiver()
    cardcom = await startCardcomSimulator({ ...credentials, ...options })
    gateway = createCardcomGateway({ baseUrl: cardcom.url, ...credentials })
  })

  afterEach(async () => {
    await cardcom.close()
    await receiver.close()
  })
}

export const call = (key = 'k1', more: Partial<GatewayCall> = {}): GatewayCall => ({
  key,
  signal: new AbortController().signal,
  timeoutMs: 5_000,
  ...more,
})

export const pageRequest = (more: Partial<CheckoutRequest> = {}): CheckoutRequest => ({
  amount: 4210,
  currency: 'ILS',
  order: 'o1',
  description: 'Groceries',
  successUrl: 'https://shop.example/return',
  cancelUrl: 'https://shop.example/cancelled',
  webhookUrl: receiver.url,
  ...more,
})

export const page = (more?: Partial<CheckoutRequest>): Promise<Checkout> =>
  gateway.createCheckout(pageRequest(more), call('page'))

/** A page that its customer has paid, and the payment's id. */
export async function paidPage(more?: Partial<CheckoutRequest>): Promise<{ page: Checkout; paymentId: string }> {
  const opened = await page(more)
  await press(opened, 'pay')
  const { paymentId } = await gateway.getCheckout(opened.id, call())
  if (paymentId === null) throw new Error('the page is not paid')
  return { page: opened, paymentId }
}

export type FaultInput = Parameters<CardcomSimulator['faults']['add']>[0]['faults'][number]
export const paths = {
  create: '/api/v11/LowProfile/Create',
  result: '/api/v11/LowProfile/GetLpResult',
  info: '/api/v11/Transactions/GetTransactionInfoById',
  list: '/api/v11/Transactions/ListTransactions',
  refund: '/api/v11/Transactions/RefundByTransactionId',
}
export const queue = (path: keyof typeof paths, ...faults: FaultInput[]) =>
  cardcom.faults.add({ match: { path: paths[path] }, faults })
export const calls = (path: keyof typeof paths) => cardcom.calls.list().filter((one) => one.path === paths[path])

export async function control(path: string, body: object): Promise<any> {
  const answer = await fetch(`${cardcom.url}/_control${path}`, { method: 'POST', body: JSON.stringify(body) })
  if (!answer.ok) throw new Error(await answer.text())
  return answer.json()
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

export const total = () => cardcom.book.total()['1'] ?? 0

/** What the receiver got, as the route hands it to the gateway: a GET's query is its body. */
export function received(index = 0): WebhookRequest {
  const { method, path, rawBody, headers } = receiver.received[index]!
  if (method !== 'GET') return { rawBody, headers }
  return { rawBody: Buffer.from(path.slice(path.indexOf('?') + 1)), headers }
}

export const body = (content: string): WebhookRequest => ({ rawBody: Buffer.from(content), headers: {} })
