import { z } from 'zod'
import { GatewayError } from '../gateway-error.ts'
import type { Checkout, CheckoutRequest, GatewayCall } from '../gateway.ts'
import { readAs, refusal, type CardcomClient } from './cardcom-client.ts'
import { toPageResult, type PageResult } from './cardcom-objects.ts'
import { coinOf, done, limits, operations } from './cardcom-wire.ts'
import { decimalOf } from './decimal-amounts.ts'
import { exactNumber } from './exact-json.ts'

export const pageIdSchema = z.guid()
const created = z.object({ LowProfileId: pageIdSchema, Url: z.url({ protocol: /^https?$/ }) })

/**
 * A page of CardCom's (a "LowProfile") that charges once. Creating has no idempotency: a repeat makes a second page. That
 * takes no money unless somebody pays there, which nobody does who was not told of it.
 */
export async function createCheckout(
  client: CardcomClient,
  request: CheckoutRequest,
  call: GatewayCall,
): Promise<Checkout> {
  const { amount, currency, order, description, successUrl, cancelUrl, webhookUrl, customerEmail } = request
  if (webhookUrl === undefined) throw unsendable('webhook_url_missing', 'is told with every page where to report')
  if ([successUrl, cancelUrl, webhookUrl].some((url) => url.length > limits.url) || order.length > limits.returnValue)
    throw unsendable('too_long', 'takes no URL and no order id that long')
  const reply = await client.act(
    operations.createPage,
    {
      Operation: 'ChargeOnly',
      ReturnValue: order,
      Amount: exactAmount(amount),
      ISOCoinId: requireCoin(currency),
      ProductName: cut(description, limits.productName),
      SuccessRedirectUrl: successUrl,
      FailedRedirectUrl: cancelUrl,
      CancelRedirectUrl: cancelUrl,
      WebHookUrl: webhookUrl,
      ...(customerEmail !== undefined &&
        customerEmail.length <= limits.email && { UIDefinition: { CardOwnerEmailValue: customerEmail } }),
    },
    call,
    true,
  )
  if (reply.code !== done) throw refusal(reply)
  const { LowProfileId, Url: url } = readAs(created, reply)
  const id = LowProfileId.toLowerCase()
  // CardCom does not say how long a page lives.
  return { id, status: 'open', url, expiresAt: null, declined: null, amount, currency, order, paymentId: null }
}

/** How a page stands. Its `url` is null: CardCom tells it once, to whoever created the page. */
export async function getCheckout(client: CardcomClient, pageId: string, call: GatewayCall): Promise<Checkout> {
  return (await getPageResult(client, pageId, call)).checkout
}

export async function getPageResult(client: CardcomClient, pageId: string, call: GatewayCall): Promise<PageResult> {
  const reply = await client.ask(operations.getPageResult, { LowProfileId: pageId }, call)
  return toPageResult(reply, pageId, client.terminalNumber)
}

/** A page of CardCom's cannot be closed: where nobody has paid, it is `abandoned`. */
export async function closeCheckout(client: CardcomClient, pageId: string, call: GatewayCall): Promise<Checkout> {
  const page = await getCheckout(client, pageId, call)
  return page.status === 'open' ? { ...page, status: 'abandoned' } : page
}

/** Not in the middle of a character. */
function cut(text: string, length: number): string {
  return text.slice(0, length).replace(/[\ud800-\udbff]$/, '')
}

/** The number on the wire. */
export function exactAmount(minorUnits: number): object {
  return exactNumber(decimalOf(minorUnits))
}

export function requireCoin(currency: string): number {
  const coin = coinOf(currency)
  if (coin === undefined) throw unsendable('currency_not_taken', `takes no ${currency}`)
  return coin
}

/** A no of our own, before anything is sent. */
export function unsendable(code: string, message: string): GatewayError {
  return new GatewayError('cardcom', 'refused', code, message)
}
