import { refuse, SafepointError, type CallContext } from 'safepoint'
import { GatewayError } from './gateways/gateway-error.ts'
import type { Gateway, GatewayCall, GatewayName, Reversal } from './gateways/gateway.ts'
import type { OfferedGateways } from './offered-gateways.ts'
import type { GatewayPayment } from './payments.ts'
import { assertOurs } from './standing.ts'

/** Of one attempt, its answer included, in milliseconds. The engine's own limit is a little later, so that this one speaks. */
export const callTimeout = 10_000
export const stepTimeout = callTimeout + 2000

export const callOf = (context: CallContext): GatewayCall => ({
  key: context.key,
  signal: context.signal,
  timeoutMs: callTimeout,
  repeated: context.attempt > 1,
})

/**
 * What a call without an answer promises about its key:
 * - `first`: it is the first under its key, so that what did nothing is told at once as having done nothing.
 * - `reads`: it reads before it acts, so that a refusal speaks of how things stand; anything else says nothing.
 * - `attempt`: only of itself, so that what surely did nothing is tried again.
 * - `nothing`: an earlier call under the key may have taken effect, though its answer was lost.
 */
export type Certainty = 'first' | 'reads' | 'attempt' | 'nothing'

/** A gateway's error in the engine's words. */
export async function speak<T>(call: () => Promise<T>, certain: Certainty): Promise<T> {
  try {
    return await call()
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    const refused = error.kind === 'refused'
    const promised = certain === 'first' || certain === 'attempt' || (certain === 'reads' && refused)
    throw new SafepointError(
      refused ? 'payment_refused' : 'gateway_unavailable',
      refused ? 'The payment gateway turned the request down.' : 'The payment gateway cannot be reached.',
      {
        cause: error,
        effect: promised ? error.effect : 'unknown',
        // Surely without effect: told at once, rather than tried until it is no longer sure.
        retryable: !refused && error.retryable && certain !== 'first',
        ...(error.retryAfterMs !== undefined && { retryAfterMs: error.retryAfterMs }),
        details: {
          gateway: error.gateway,
          gatewayCode: error.code,
          // Of an error that ends its operation the details are kept, and nothing else.
          ...(error.retryAfterMs !== undefined && { retryAfterMs: Math.ceil(error.retryAfterMs) }),
        },
      },
    )
  }
}

/** Whether the gateway takes the same refund twice for one. Where it does not, a lost answer is a human's. */
export const repeatsRefunds = (gateway: Gateway): boolean => gateway.settling.refund.methods.includes('repeat')

/** Undo of a payment that is known, whatever of it the gateway has taken. */
export async function reversePayment(
  gateway: Gateway,
  payment: { readonly paymentId: string; readonly order: string },
  context: CallContext,
): Promise<Reversal> {
  if (repeatsRefunds(gateway))
    return speak(async () => mustBeBack(gateway, await gateway.reverse(payment, callOf(context))), 'nothing')
  // An undo is tried until it is done, which would give the money back twice: after the first doubt a human looks.
  if (context.attempt > 1) throw humanNeeded(gateway.name)
  try {
    return await gateway.reverse(payment, callOf(context))
  } catch (cause) {
    throw humanNeeded(gateway.name, cause)
  }
}

/** An undo is told as done: it waits until what is on its way has arrived. */
export function mustBeBack(gateway: Gateway, reversal: Reversal): Reversal {
  if (reversal.status !== 'refunded' || !reversal.payment.refundPending) return reversal
  const { id, refundPending } = reversal.payment
  throw new GatewayError(gateway.name, 'unavailable', 'refund_pending', `${refundPending} of ${id} are on their way`, {
    retryable: true,
  })
}

const humanNeeded = (gateway: GatewayName, cause?: unknown) =>
  new SafepointError('payment_refused', 'Whether the money went back is not known; nobody tries again by himself.', {
    cause,
    effect: 'none',
    retryable: false,
    details: { gateway },
  })

/** Closes the page, and gives back whatever was taken there or elsewhere of this payment. */
export async function giveUp(
  gateway: Gateway,
  payment: GatewayPayment,
  context: CallContext,
): Promise<Reversal & { readonly pageOpen?: boolean }> {
  const call = callOf(context)
  const order = payment.orderId
  return speak(
    async () => {
      if (payment.pageId !== undefined) {
        const page = await gateway.closeCheckout(payment.pageId, { ...call, key: `${call.key}-page` })
        assertOurs(gateway, payment, page)
        if (page.paymentId === null || page.status === 'expired')
          return { status: 'nothing_taken', pageOpen: page.status === 'abandoned' }
        return gateway.reverse({ paymentId: page.paymentId, order }, call)
      }
      const { reference: paymentId, aside } = payment
      if (paymentId === undefined) return { status: 'nothing_taken' }
      return aside === undefined
        ? gateway.reverse({ paymentId, order }, call)
        : refundRest(gateway, { paymentId, order, aside }, call)
    },
    repeatsRefunds(gateway) ? 'reads' : 'attempt',
  )
}

/** As `reverse`, of a payment of which a part went back past the gateway: that does not go back there as well. */
async function refundRest(
  gateway: Gateway,
  { paymentId, order, aside }: { readonly paymentId: string; readonly order: string; readonly aside: number },
  call: GatewayCall,
): Promise<Reversal> {
  const before = await gateway.getPayment(paymentId, call)
  const left = before.captured - before.refunded - aside
  if (left > 0) {
    const result = await gateway.refund({ paymentId, amount: left, order }, call)
    if (result.status === 'failed')
      throw new GatewayError(gateway.name, 'refused', result.code, `the refund ${result.refundId} failed`)
  }
  return { status: 'refunded', payment: await gateway.getPayment(paymentId, call) }
}

/** Throws `not_configured` for a gateway that this shop does not offer, and for what it does not take. */
export function assertOffered(
  gateways: OfferedGateways,
  name: string,
  asked: { readonly currency?: string | undefined; readonly paymentMethod?: string | undefined } = {},
): asserts name is GatewayName {
  const gateway = gateways.get(name)
  const { currency } = asked
  if (currency !== undefined && !gateway.currencies.has(currency))
    throw refuse('currency_mismatch', `${name} takes no ${currency}.`, { details: { gateway: name, currency } })
  if (asked.paymentMethod !== undefined && !gateway.savedMethods)
    throw refuse('payment_method_unsupported', `${name} charges no saved payment method.`, {
      details: { gateway: name },
    })
}
