import { afterEach, beforeEach } from 'vitest'
import { startWebhookReceiver, type WebhookReceiver } from '../webhook-receiver.ts'
import {
  startCardcomSimulator,
  type CardcomSimulator,
  type CardcomSimulatorOptions,
} from './start-cardcom-simulator.ts'

export const credentials = { terminalNumber: 1000, apiName: 'api_of_this_test', apiPassword: 'password_of_this_test' }
/** Quick enough to watch a delivery being given up. */
const webhookRetry = { attempts: 5, baseMs: 5, capMs: 20, timeoutMs: 2_000 }

export let cardcom: CardcomSimulator
export let receiver: WebhookReceiver

/** Gives every test of a file a simulator and a webhook endpoint of its own. */
export function useCardcomSimulator(options: Partial<CardcomSimulatorOptions> = {}): void {
  beforeEach(async () => {
    receiver = await startWebhookReceiver()
    cardcom = await startCardcomSimulator({ ...credentials, webhookRetry, ...options })
  })

  afterEach(async () => {
    await cardcom.close()
    await receiver.close()
  })
}

export interface Reply {
  readonly status: number
  readonly text: string
  /** Whatever the wire says is under test. */
  readonly body: any
}

export async function raw(path: string, text: string): Promise<Reply> {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(`${cardcom.url}/api/v11/${path}`, { method: 'POST', headers, body: text })
  const answered = await response.text()
  return { status: response.status, text: answered, body: JSON.parse(answered) }
}
export const post = (path: string, body: object) => raw(path, JSON.stringify(body))

export const terminal = { TerminalNumber: 1000, ApiName: credentials.apiName }
export const company = { ApiName: credentials.apiName, ApiPassword: credentials.apiPassword }

export const pageBody = (more: object = {}) => ({
  ...terminal,
  Amount: 10.5,
  ReturnValue: 'Z12332X',
  SuccessRedirectUrl: 'https://shop.example/success',
  FailedRedirectUrl: 'https://shop.example/failed',
  WebHookUrl: receiver.url,
  ...more,
})

export async function createPage(more?: object): Promise<{ id: string; url: string }> {
  const { body } = await post('LowProfile/Create', pageBody(more))
  if (body.ResponseCode !== 0) throw new Error(body.Description)
  return { id: body.LowProfileId, url: body.Url }
}

export const result = async (LowProfileId: string) =>
  (await post('LowProfile/GetLpResult', { ...terminal, LowProfileId })).body

export const chargeBody = (more: object = {}) => ({
  ...terminal,
  Amount: 20.11,
  Token: '84cc1f4f-c089-410b-9f93-6437ac9abba6',
  CardExpirationMMYY: '1239',
  ExternalUniqTranId: 'uniq-1',
  ...more,
})
export const charge = (more?: object) => post('Transactions/Transaction', chargeBody(more))

/** Ids have 64 bits: they are read and written as text. */
export const idIn = ({ text }: Reply, name = 'TranzactionId') => new RegExp(`"${name}":(\\d+)`).exec(text)?.[1] ?? ''
export const refund = (id: string, more: object = {}) =>
  raw(
    'Transactions/RefundByTransactionId',
    JSON.stringify({ ...company, TransactionId: 0, ...more }).replace('"TransactionId":0', `"TransactionId":${id}`),
  )

export async function control(method: string, path: string, body?: object): Promise<{ status: number; body: any }> {
  const response = await fetch(`${cardcom.url}/_control${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return { status: response.status, body: await response.json() }
}

export const fault = (path: string, ...faults: object[]) =>
  control('POST', '/faults', { match: { path: path.startsWith('/') ? path : `/api/v11/${path}` }, faults })
