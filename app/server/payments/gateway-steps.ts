import { outsideStep, SafepointError, type CallContext } from 'safepoint'
import { callOf, giveUp, mustBeBack, repeatsRefunds, reversePayment, speak, stepTimeout } from './gateway-calls.ts'
import type {
  ChargeRequest,
  ChargeResult,
  Checkout,
  CheckoutRequest,
  GatewayName,
  RefundResult,
  Reversal,
} from './gateways/gateway.ts'
import type { OfferedGateways } from './offered-gateways.ts'
import type { GatewayPayment, Payment } from './payments.ts'
import { findStanding, isExact, standingOf, type Standing } from './standing.ts'

/** Whatever only reads, or may be done again at any time. */
const always = { repeat: { window: 365 * 24 * 3600_000 } }

const gatewayNames = ['stripe', 'razorpay', 'cardcom'] as const satisfies readonly GatewayName[]

/** Those that charge a saved payment method (`savedMethods`): the others have no such step, because it could never run. */
const chargingNames = ['stripe'] as const satisfies readonly GatewayName[]

/** Throws for a gateway that is paid on its own page only: `assertOffered` refuses that before anything is done. */
export function assertCharges(name: GatewayName): asserts name is (typeof chargingNames)[number] {
  if (!(chargingNames as readonly GatewayName[]).includes(name)) throw new Error(`${name} has no step that charges.`)
}

/** The step of one gateway: a step declares once how it is settled, and each gateway has its own means. */
export function stepOf<Prefix extends string, Name extends GatewayName>(prefix: Prefix, gateway: Name) {
  return `${prefix}${gateway[0]!.toUpperCase()}${gateway.slice(1)}` as `${Prefix}${Capitalize<Name>}`
}

function stepsOf<Prefix extends string, S, Name extends GatewayName>(
  prefix: Prefix,
  names: readonly Name[],
  make: (gateway: Name) => S,
) {
  return Object.fromEntries(names.map((name) => [stepOf(prefix, name), make(name)])) as {
    readonly [Step in `${Prefix}${Capitalize<Name>}`]: S
  }
}

/** `chargeStripe`, …: take money from a saved payment method. A decline is an answer. */
export function chargeSteps(gateways: OfferedGateways) {
  return stepsOf('charge', chargingNames, (name) => {
    const { methods, repeatWindow } = gateways.names.includes(name)
      ? gateways.get(name).settling.charge
      : { methods: [], repeatWindow: 0 }
    return outsideStep<ChargeRequest, ChargeResult>({
      timeout: stepTimeout,
      call: (charge, context) =>
        speak(() => gateways.get(name).charge(charge, callOf(context)), context.attempt === 1 ? 'first' : 'nothing'),
      settle: {
        ...(methods.includes('close') && {
          close: async (charge: ChargeRequest, context: CallContext) => {
            const gateway = gateways.get(name)
            await speak(async () => mustBeBack(gateway, await gateway.closeCharge(charge, callOf(context))), 'nothing')
          },
        }),
        ...(methods.includes('find') && {
          find: (charge: ChargeRequest, context: CallContext) =>
            speak(() => gateways.get(name).findCharge(charge, callOf(context)), 'nothing'),
        }),
        ...(methods.includes('repeat') && { repeat: { window: repeatWindow } }),
      },
      undo: async ({ request, response }, context) => {
        if (response.status === 'declined') return
        await reversePayment(gateways.get(name), { paymentId: response.payment.id, order: request.order }, context)
      },
    })
  })
}

/** How a payment that waits for its customer stands, for whoever wants it paid: what the bank holds is taken. */
export type Waiting =
  | { readonly state: 'open'; readonly url: string | null }
  | { readonly state: 'paid'; readonly reference: string; readonly captured: number }
  /** It cannot be used any more. What came of it all the same is for `payment.settle`. */
  | { readonly state: 'gone'; readonly pageOpen: boolean }

/** The steps of pages on which customers pay. */
export function pageSteps(gateways: OfferedGateways) {
  return {
    /** Opens the page. */
    openPage: outsideStep<{ gateway: string; page: CheckoutRequest }, Checkout>({
      timeout: stepTimeout,
      call: ({ gateway, page }, context) =>
        speak(
          () => gateways.get(gateway).createCheckout(page, callOf(context)),
          context.attempt === 1 ? 'first' : 'nothing',
        ),
      // A page that nobody was told of takes no money, and ends by itself: where a gateway honours no key, at worst one more is
      // made, and where its answer was lost, there is nothing to close it by.
      settle: { repeat: { window: 23 * 3600_000 } },
      cleanup: async (
        { request, response }: { request: { gateway: string; page: CheckoutRequest }; response: Checkout | undefined },
        context: CallContext,
      ) => {
        if (!response) return
        const { order: orderId, amount, currency } = request.page
        const payment = { gateway: request.gateway, orderId, pageId: response.id, amount, currency }
        await giveUp(gateways.get(request.gateway), payment, context)
      },
    }),

    /** Looks how a payment stands that waits for its customer, or closes it. */
    settleWaiting: outsideStep<{ payment: GatewayPayment; close: boolean }, Waiting>({
      timeout: stepTimeout,
      call: ({ payment, close }, context) =>
        speak(async () => {
          const gateway = gateways.get(payment.gateway)
          const call = callOf(context)
          let standing = await findStanding(gateway, payment, call, { close })
          if (standing.state === 'authorized' && isExact(standing, payment)) {
            const { reference: paymentId, amount, currency } = standing
            standing = standingOf(await gateway.capture({ paymentId, amount, currency }, call))
          }
          return waitingOf(standing, payment)
        }, 'nothing'),
      // Looking, closing and capturing may be done again at any time.
      settle: always,
      tries: 5,
      undo: async ({ request, response }, context) => {
        if (response.state !== 'paid') return
        const { gateway, orderId: order } = request.payment
        await reversePayment(gateways.get(gateway), { paymentId: response.reference, order }, context)
      },
    }),
  }
}

function waitingOf(standing: Standing, payment: GatewayPayment): Waiting {
  if (standing.state === 'open') return { state: 'open', url: standing.url }
  if (standing.state === 'processing' || standing.state === 'authorized') return { state: 'open', url: null }
  // A page that was paid, and whose money was given back since, is of no use to anybody.
  if (standing.state === 'captured' && isExact(standing, payment))
    return { state: 'paid', reference: standing.reference, captured: standing.captured }
  return { state: 'gone', pageOpen: standing.state === 'gone' && standing.pageOpen }
}

/** What of a payment a look has to be compared with: its row may have gone on since. */
export type Asked = GatewayPayment & Pick<Payment, 'refunded' | 'version'>

export interface Look {
  readonly standing: Standing
  /** Of the payment as it was when the gateway was asked. */
  readonly version: number
}

/** Looking, and taking what the bank holds: nothing that would have to be taken back. */
export function lookSteps(gateways: OfferedGateways) {
  return {
    look: outsideStep<Asked, Look>({
      timeout: stepTimeout,
      call: (payment, context) =>
        speak(async () => {
          const gateway = gateways.get(payment.gateway)
          const standing = await findStanding(gateway, payment, callOf(context))
          const { version } = payment
          if (gateway.refundsMayFail || standing.state !== 'captured') return { standing, version }
          return { standing: { ...standing, refunded: Math.max(standing.refunded, payment.refunded) }, version }
        }, 'attempt'),
      settle: always,
      keep: 'Looking changes nothing.',
    }),
    /** Nobody wants to be paid there any more. */
    closePage: outsideStep<GatewayPayment, Standing>({
      timeout: stepTimeout,
      call: (payment, context) =>
        speak(() => findStanding(gateways.get(payment.gateway), payment, callOf(context), { close: true }), 'reads'),
      settle: always,
      keep: 'A page that nobody wants stays closed.',
    }),
    capture: outsideStep<
      { readonly gateway: string; readonly paymentId: string; readonly amount: number; readonly currency: string },
      Standing
    >({
      timeout: stepTimeout,
      call: ({ gateway, ...held }, context) =>
        speak(async () => standingOf(await gateways.get(gateway).capture(held, callOf(context))), 'nothing'),
      // Captured twice is captured once.
      settle: always,
      tries: 5,
      keep: 'It is taken for an order that waits for it; whoever settles it next goes on from there.',
    }),
  }
}

const notTakenAgain = 'Money that was given back is not taken again.'

/** Where a refund cannot be repeated, a doubt about it stops the whole undo, for a human. */
const stopUndo = async (): Promise<void> => {
  throw new SafepointError('payment_refused', notTakenAgain, { effect: 'none', retryable: false })
}

/** `returnMoneyStripe`, …: give back whatever was taken, and make sure that nothing is taken later. */
export function returnSteps(gateways: OfferedGateways) {
  return stepsOf('returnMoney', gatewayNames, (name) => {
    const repeats = gateways.names.includes(name) && repeatsRefunds(gateways.get(name))
    return outsideStep<GatewayPayment, Reversal & { readonly pageOpen?: boolean }>({
      timeout: stepTimeout,
      call: (payment, context) => giveUp(gateways.get(name), payment, context),
      // A reversal that may be repeated gives back what is left. It goes on for as long as the gateway is away.
      ...(repeats && { settle: always }),
      tries: 100_000,
      ...(repeats ? { keep: notTakenAgain } : { undo: stopUndo }),
    })
  })
}

/** `refundStripe`, …: give a part back. */
export function refundSteps(gateways: OfferedGateways) {
  return stepsOf('refund', gatewayNames, (name) => {
    const { methods, repeatWindow } = gateways.names.includes(name)
      ? gateways.get(name).settling.refund
      : { methods: [], repeatWindow: 0 }
    return outsideStep<{ paymentId: string; amount: number; order: string }, RefundResult>({
      timeout: stepTimeout,
      call: (request, context) => speak(() => gateways.get(name).refund(request, callOf(context)), 'attempt'),
      settle: {
        ...(methods.includes('find') && {
          find: (request: { paymentId: string; amount: number; order: string }, context: CallContext) =>
            speak(() => gateways.get(name).findRefund(request, callOf(context)), 'nothing'),
        }),
        ...(methods.includes('repeat') && { repeat: { window: repeatWindow } }),
      },
      tries: 20,
      undo: async ({ response }) => {
        if (response.status === 'refunded' || response.status === 'processing') await stopUndo()
      },
    })
  })
}
