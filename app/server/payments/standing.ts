import { GatewayError } from './gateways/gateway-error.ts'
import type { Gateway, GatewayCall, Payment as GatewaysPayment } from './gateways/gateway.ts'
import type { GatewayPayment } from './payments.ts'

/** How a payment stands at its gateway, whatever we have written down of it. */
export type Standing =
  /** Nothing is taken, and the customer can pay. `declined`: why the last attempt on the page failed. */
  | {
      readonly state: 'open'
      readonly url: string | null
      readonly declined: { readonly code: string; readonly message: string } | null
    }
  /** The gateway does not know yet. */
  | { readonly state: 'processing'; readonly reference: string }
  /** Held by the bank; nothing is taken until we capture it. */
  | { readonly state: 'authorized'; readonly reference: string; readonly amount: number; readonly currency: string }
  /** Taken. `captured` and `refunded` are minor units of `currency`. */
  | {
      readonly state: 'captured'
      readonly reference: string
      readonly captured: number
      readonly refunded: number
      /** Of `refunded`, what is on its way and may fail. */
      readonly refundPending?: number
      readonly currency: string
    }
  | { readonly state: 'declined'; readonly reference: string }
  /** Nothing was taken, and as things stand nothing can be. `pageOpen`: but for a page that the gateway cannot close. */
  | { readonly state: 'gone'; readonly pageOpen: boolean }

/** Asks the gateway; with `close` it is also told that nobody wants to be paid any more, where it can be. */
export async function findStanding(
  gateway: Gateway,
  payment: GatewayPayment,
  call: GatewayCall,
  { close = false }: { readonly close?: boolean } = {},
): Promise<Standing> {
  let { reference } = payment
  if (payment.pageId !== undefined) {
    const page = close
      ? await gateway.closeCheckout(payment.pageId, { ...call, key: `${call.key}-page` })
      : await gateway.getCheckout(payment.pageId, call)
    assertOurs(gateway, payment, page)
    if (page.status === 'open') return { state: 'open', url: page.url, declined: page.declined ?? null }
    if (page.paymentId === null) return { state: 'gone', pageOpen: page.status === 'abandoned' }
    reference = page.paymentId
  } else if (reference !== undefined && close) {
    return standingOf(await gateway.cancelPayment(reference, call))
  }
  if (reference === undefined) return { state: 'gone', pageOpen: false }
  const found = await gateway.getPayment(reference, call)
  assertOurs(gateway, payment, found)
  return standingOf(found)
}

/**
 * What names another order is neither paid for this one nor given back for it, whatever its id says: nothing is done about it
 * but by a human. Nothing named: the gateway keeps no name of ours there.
 */
export function assertOurs(
  { name }: Gateway,
  { orderId }: Pick<GatewayPayment, 'orderId'>,
  { order }: { readonly order: string | null },
): void {
  if (order !== null && order !== orderId)
    throw new GatewayError(name, 'refused', 'not_ours', 'the answer is about another order')
}

export function standingOf(payment: GatewaysPayment): Standing {
  const { id: reference, amount, captured, refunded, refundPending, currency } = payment
  switch (payment.status) {
    case 'requires_action':
      return { state: 'open', url: null, declined: null }
    case 'processing':
      return { state: 'processing', reference }
    case 'authorized':
      return { state: 'authorized', reference, amount, currency }
    case 'captured':
      return { state: 'captured', reference, captured, refunded, ...(refundPending && { refundPending }), currency }
    case 'declined':
      return { state: 'declined', reference }
    case 'cancelled':
      return { state: 'gone', pageOpen: false }
  }
}

/** Exactly what was asked for is here, and nothing of it went back. */
export function isExact(standing: Standing, asked: { readonly amount: number; readonly currency: string }): boolean {
  if (standing.state === 'authorized') return standing.amount === asked.amount && standing.currency === asked.currency
  return (
    standing.state === 'captured' &&
    standing.captured === asked.amount &&
    standing.currency === asked.currency &&
    standing.refunded === 0
  )
}
