import CircuitBreaker from 'opossum'
import { GatewayError } from './gateways/gateway-error.ts'
import type { Gateway, GatewayCall } from './gateways/gateway.ts'
import type { OfferedGateways } from './offered-gateways.ts'

export interface BreakerSettings {
  /** Longest time of one call, its answer included, in milliseconds: of what moves money, of payment pages, of questions. */
  readonly timeouts: { readonly money: number; readonly page: number; readonly read: number }
  /** Opens where more of the calls than this have failed, of those within `window` milliseconds, being at least `calls`. */
  readonly percent: number
  readonly calls: number
  readonly window: number
  /** How long it stays open until one call is let through as a trial, in milliseconds. */
  readonly open: number
}

/**
 * With time-outs of ten seconds, failures come ten seconds after their calls: the window is several times that, or a slow
 * gateway would never open it.
 */
export const defaultBreaker: BreakerSettings = {
  timeouts: { money: 10_000, page: 8000, read: 6000 },
  percent: 50,
  calls: 5,
  window: 60_000,
  open: 15_000,
}

export interface BreakerLog {
  warn(fields: object, message: string): void
}

type Work = () => Promise<unknown>

/**
 * A gateway behind a circuit breaker, of this process: while it is open nobody waits for a gateway that is not there, and
 * begins nothing with it.
 *
 * - What **begins** something or looks (`charge`, `createCheckout`, `getCheckout`, `getPayment`, `capture`) is turned away
 *   while it is open: `unavailable`, surely not executed, with `retryAfterMs`. Of an earlier call under the same key that
 *   says nothing, as with any `unavailable`.
 * - What **ends** or settles something (`closeCharge`, `findCharge`, `reverse`, `closeCheckout`, `cancelPayment`, `refund`,
 *   `findRefund`) always reaches the gateway: money on its way back is never lost to a breaker, and "not found" is only ever the
 *   gateway's own word. Its outcome counts while the breaker is closed, and it may be the trial.
 * - `readWebhook` and `verifyReturn` are the gateway's own: most verify without a call.
 *
 * Failures are `unavailable` and `unknown`. A decline, a refusal and a cancel of ours are not: a gateway that says no is well.
 * Each call starts in the tick in which it is made, and its signal goes with it.
 */
export function gatewayBreaker(gateway: Gateway, settings: BreakerSettings, log: BreakerLog): Gateway {
  const { name } = gateway
  const { timeouts } = settings
  let openedAt = 0
  const breaker: CircuitBreaker<[Work], unknown> = new CircuitBreaker<[Work], unknown>((work) => work(), {
    name,
    // The gateway's own clients keep the time: they know what may have taken effect by then.
    timeout: false,
    errorThresholdPercentage: settings.percent,
    volumeThreshold: settings.calls,
    rollingCountTimeout: settings.window,
    resetTimeout: settings.open,
    rollingPercentilesEnabled: false,
    enableSnapshots: false,
    // A trial that we stopped ourselves has shown nothing: the next one has to.
    errorFilter: (error: unknown): boolean => !isFailure(error) && !(isOurStop(error) && breaker.halfOpen),
  })
  breaker.on('open', () => {
    openedAt = performance.now()
    log.warn(
      { gateway: name, state: 'open', ms: settings.open },
      'a payment gateway does not answer; nothing is begun with it',
    )
  })
  breaker.on('halfOpen', () => log.warn({ gateway: name, state: 'half-open' }, 'a payment gateway is tried again'))
  breaker.on('close', () => log.warn({ gateway: name, state: 'closed' }, 'a payment gateway answers again'))

  const admits = () => breaker.closed || breaker.pendingClose
  const fire = <T>(work: () => Promise<T>) => breaker.fire(work) as Promise<T>
  const begins = <T>(work: () => Promise<T>): Promise<T> => {
    if (admits()) return fire(work)
    const retryAfterMs = Math.max(1000, Math.ceil(openedAt + settings.open - performance.now()))
    return Promise.reject(
      new GatewayError(name, 'unavailable', 'circuit_open', 'not called: it has not been answering', { retryAfterMs }),
    )
  }
  const ends = <T>(work: () => Promise<T>): Promise<T> => (admits() ? fire(work) : work())
  const within = (kind: keyof typeof timeouts, call: GatewayCall): GatewayCall => ({
    ...call,
    timeoutMs: Math.min(call.timeoutMs, timeouts[kind]),
  })

  return {
    ...gateway,
    charge: (request, call) => begins(() => gateway.charge(request, within('money', call))),
    capture: (payment, call) => begins(() => gateway.capture(payment, within('money', call))),
    createCheckout: (request, call) => begins(() => gateway.createCheckout(request, within('page', call))),
    getCheckout: (checkoutId, call) => begins(() => gateway.getCheckout(checkoutId, within('read', call))),
    getPayment: (paymentId, call) => begins(() => gateway.getPayment(paymentId, within('read', call))),
    ...(gateway.getDispute && {
      getDispute: (disputeId, call) => begins(() => gateway.getDispute!(disputeId, within('read', call))),
    }),

    findCharge: (request, call) => ends(() => gateway.findCharge(request, within('read', call))),
    findRefund: (request, call) => ends(() => gateway.findRefund(request, within('read', call))),
    closeCharge: (request, call) => ends(() => gateway.closeCharge(request, within('money', call))),
    reverse: (payment, call) => ends(() => gateway.reverse(payment, within('money', call))),
    refund: (request, call) => ends(() => gateway.refund(request, within('money', call))),
    cancelPayment: (paymentId, call) => ends(() => gateway.cancelPayment(paymentId, within('money', call))),
    closeCheckout: (checkoutId, call) => ends(() => gateway.closeCheckout(checkoutId, within('page', call))),
  }
}

/** The same gateways, each behind a breaker of its own. */
export function breakGateways(offered: OfferedGateways, settings: BreakerSettings, log: BreakerLog): OfferedGateways {
  const broken = new Map(
    offered.names.map((name) => [name as string, gatewayBreaker(offered.get(name), settings, log)]),
  )
  return { ...offered, get: (name) => broken.get(name) ?? offered.get(name) }
}

const isOurStop = (error: unknown) => error instanceof GatewayError && error.code === 'aborted'

const isFailure = (error: unknown) => error instanceof GatewayError && error.kind !== 'refused' && !isOurStop(error)
