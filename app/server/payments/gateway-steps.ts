import { outsideStep, refuse, SafepointError, type CallContext } from 'safepoint'
import { GatewayError } from './gateways/gateway-error.ts'
import type {
  ChargeRequest,
  ChargeResult,
  Checkout,
  CheckoutRequest,
  Gateway,
  GatewayCall,
  GatewayName,
  Reversal,
} from './gateways/gateway.ts'
import type { OfferedGateways } from './offered-gateways.ts'

/** Of one attempt, its answer included, in milliseconds. The engine's own limit is a little later, so that this one speaks. */
const callTimeout = 10_000
const stepTimeout = callTimeout + 2000

/** What a payment is known by at its gateway: the page it is paid on, or the payment itself. */
export interface GatewayPayment {
  readonly gateway: string
  readonly orderId: string
  readonly pageId?: string | undefined
  readonly reference?: string | undefined
  readonly amount: number
}

/** How a payment that waits for its customer stands. */
export type Waiting =
  | { readonly state: 'open'; readonly url: string | null }
  | { readonly state: 'paid'; readonly reference: string }
  /** Nobody can pay it any more, and nothing of it is kept. */
  | { readonly state: 'gone' }

/** The calls to gateways, as steps that `order.confirm`, `order.cancel` and, later, whatever else moves money are made of. */
export function gatewaySteps(gateways: OfferedGateways) {
  const { charge: chargeSettling } = gateways.settling
  const reverse = async (
    gateway: string,
    payment: { paymentId: string; order: string },
    context: CallContext,
  ): Promise<Reversal> => speak(() => gateways.get(gateway).reverse(payment, callOf(context)), { certain: false })

  return {
    /** Takes money from a saved payment method. A decline is an answer. */
    charge: outsideStep<{ gateway: string; charge: ChargeRequest }, ChargeResult>({
      timeout: stepTimeout,
      call: ({ gateway, charge }, context) =>
        speak(() => gateways.get(gateway).charge(charge, callOf(context)), { certain: context.attempt === 1 }),
      settle: {
        ...(chargeSettling.methods.includes('close') && {
          close: async ({ gateway, charge }, context) => {
            await speak(() => gateways.get(gateway).closeCharge(charge, callOf(context)), { certain: false })
          },
        }),
        ...(chargeSettling.methods.includes('find') && {
          find: ({ gateway, charge }, context) =>
            speak(() => gateways.get(gateway).findCharge(charge, callOf(context)), { certain: false }),
        }),
        ...(chargeSettling.methods.includes('repeat') && { repeat: { window: chargeSettling.repeatWindow } }),
      },
      undo: async ({ request, response }, context) => {
        if (response.status === 'declined') return
        await reverse(request.gateway, { paymentId: response.payment.id, order: request.charge.order }, context)
      },
    }),

    /** Opens the page on which the customer pays. */
    openPage: outsideStep<{ gateway: string; page: CheckoutRequest }, Checkout>({
      timeout: stepTimeout,
      call: ({ gateway, page }, context) =>
        speak(() => gateways.get(gateway).createCheckout(page, callOf(context)), { certain: context.attempt === 1 }),
      // A page that nobody was told of takes no money, and ends by itself: where a gateway honours no key, at worst one more is
      // made, and where its answer was lost, there is nothing to close it by.
      settle: { repeat: { window: 23 * 3600_000 } },
      cleanup: async (
        { request, response }: { request: { gateway: string; page: CheckoutRequest }; response: Checkout | undefined },
        context: CallContext,
      ) => {
        if (response)
          await giveUp(
            gateways.get(request.gateway),
            { gateway: request.gateway, orderId: request.page.order, pageId: response.id, amount: request.page.amount },
            context,
          )
      },
    }),

    /** Looks how a payment stands that waits for its customer, or closes it. */
    settleWaiting: outsideStep<{ payment: GatewayPayment; close: boolean }, Waiting>({
      timeout: stepTimeout,
      call: ({ payment, close }, context) =>
        speak(() => settleWaiting(gateways.get(payment.gateway), payment, close, callOf(context)), { certain: false }),
      // Looking and closing may be done again at any time.
      settle: { repeat: { window: 365 * 24 * 3600_000 } },
      tries: 5,
      undo: async ({ request, response }, context) => {
        if (response.state !== 'paid') return
        await reverse(
          request.payment.gateway,
          { paymentId: response.reference, order: request.payment.orderId },
          context,
        )
      },
    }),

    /** Gives back whatever was taken, and makes sure that nothing is taken later. */
    returnMoney: outsideStep<GatewayPayment, Reversal>({
      timeout: stepTimeout,
      call: (payment, context) => giveUp(gateways.get(payment.gateway), payment, context),
      // A reversal may be repeated: it gives back what is left. It goes on for as long as the gateway is away.
      settle: { repeat: { window: 365 * 24 * 3600_000 } },
      tries: 100_000,
      keep: 'Money that was given back is not taken again.',
    }),
  }
}

async function giveUp(gateway: Gateway, payment: GatewayPayment, context: CallContext): Promise<Reversal> {
  const call = callOf(context)
  return speak(
    async () => {
      if (payment.pageId !== undefined) {
        const page = await gateway.closeCheckout(payment.pageId, { ...call, key: `${call.key}-page` })
        if (page.status === 'expired' || page.paymentId === null) return { status: 'nothing_taken' }
        return gateway.reverse({ paymentId: page.paymentId, order: payment.orderId }, call)
      }
      if (payment.reference === undefined) return { status: 'nothing_taken' }
      return gateway.reverse({ paymentId: payment.reference, order: payment.orderId }, call)
    },
    // It reads before it acts, so that a refusal speaks of how things stand.
    { certain: 'refused' },
  )
}

async function settleWaiting(
  gateway: Gateway,
  payment: GatewayPayment,
  close: boolean,
  call: GatewayCall,
): Promise<Waiting> {
  let { reference } = payment
  if (payment.pageId !== undefined) {
    const page = close
      ? await gateway.closeCheckout(payment.pageId, { ...call, key: `${call.key}-page` })
      : await gateway.getCheckout(payment.pageId, call)
    if (page.status === 'open') return { state: 'open', url: page.url }
    if (page.status === 'expired' || page.paymentId === null) return { state: 'gone' }
    reference = page.paymentId
  } else if (reference !== undefined && close) {
    await gateway.cancelPayment(reference, call)
  }
  if (reference === undefined) return { state: 'gone' }
  const paid = await gateway.getPayment(reference, call)
  // A page that was paid, and whose money was given back since, is of no use to anybody.
  if (paid.status === 'captured')
    return paid.captured - paid.refunded >= payment.amount ? { state: 'paid', reference } : { state: 'gone' }
  return paid.status === 'declined' || paid.status === 'cancelled' ? { state: 'gone' } : { state: 'open', url: null }
}

const callOf = (context: CallContext): GatewayCall => ({
  key: context.key,
  signal: context.signal,
  timeoutMs: callTimeout,
})

/**
 * A gateway's error in the engine's words. Only where this call is the first under its key (`certain`) does "it did
 * nothing" mean that nothing was done: an earlier one may have taken effect though its answer was lost.
 */
async function speak<T>(call: () => Promise<T>, { certain }: { readonly certain: boolean | 'refused' }): Promise<T> {
  try {
    return await call()
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    const refused = error.kind === 'refused'
    throw new SafepointError(
      refused ? 'payment_refused' : 'gateway_unavailable',
      refused ? 'The payment gateway turned the request down.' : 'The payment gateway cannot be reached.',
      {
        cause: error,
        effect: certain === true || (certain === 'refused' && refused) ? error.effect : 'unknown',
        // Surely without effect: told at once, rather than tried until it is no longer sure.
        retryable: !refused && error.retryable && certain !== true,
        ...(error.retryAfterMs !== undefined && { retryAfterMs: error.retryAfterMs }),
        details: { gateway: error.gateway, gatewayCode: error.code },
      },
    )
  }
}

/** Throws `not_configured` for a gateway that this shop does not offer. */
export function assertOffered(gateways: OfferedGateways, name: string, currency?: string): asserts name is GatewayName {
  const gateway = gateways.get(name)
  if (currency !== undefined && !gateway.currencies.has(currency)) {
    throw refuse('currency_mismatch', `${name} takes no ${currency}.`, { details: { gateway: name, currency } })
  }
}
