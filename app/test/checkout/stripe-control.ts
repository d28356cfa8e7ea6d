import type { Call } from '../../simulators/call-log.ts'
import type { Point } from '../../simulators/faults.ts'
import type { NetAmount } from '../../simulators/net-amounts.ts'

export type { Call, NetAmount, Point }

/** Steers the gateway's simulator, and reads its book and its call log. */
export function stripeControl(url: string) {
  const control = async <T>(method: string, route: string, body?: object): Promise<T> => {
    const response = await fetch(`${url}/_control${route}`, {
      method,
      ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    })
    if (!response.ok) throw new Error(`${method} ${route}: ${response.status} ${await response.text()}`)
    return (await response.json()) as T
  }
  const charging = (orderId: string) => ({
    method: 'POST',
    path: '/v1/payment_intents',
    params: { 'metadata[order]': orderId, confirm: 'true' },
  })
  return {
    /** The next charge of this order takes so many milliseconds longer. */
    delayCharge: (orderId: string, at: Point, ms: number) =>
      control('POST', '/faults', { match: charging(orderId), faults: [{ kind: 'delay', ms, at }] }),
    /** Holds the next charge of this order until it is released. */
    async holdCharge(orderId: string, at: Point) {
      const { id } = await control<{ id: string }>('POST', '/barriers', { match: charging(orderId), at })
      return {
        arrived: () => control('GET', `/barriers/${id}?waitMs=10000`),
        release: () => control('POST', `/barriers/${id}/release`, {}),
      }
    },
    /** What was taken and given back, by order id. */
    readBook: async () => (await control<{ net: { byOrder: Record<string, NetAmount> } }>('GET', '/book')).net.byOrder,
    readCalls: async () => (await control<{ calls: Call[] }>('GET', '/calls')).calls,
  }
}

export type StripeControl = ReturnType<typeof stripeControl>

/** The order a call is about, as far as the call says. */
export const orderOf = ({ params }: Call): string | undefined => params['metadata[order]']

/** The request of a charge itself. Settling repeats it too, but only once it has closed the key: see {@link forwardCharges}. */
const looksLikeCharge = ({ method, path, params }: Call) =>
  method === 'POST' && path === '/v1/payment_intents' && params['confirm'] === 'true'

/** The charges among the calls of one order: without those by which settling reads the answer under a key it has closed. */
export function forwardCharges(calls: readonly Call[]): Call[] {
  const closings = calls.filter(({ params }) => params['metadata[closes]'] !== undefined)
  return calls.filter(
    (call) =>
      looksLikeCharge(call) &&
      !closings.some((one) => one.key === call.key && one.arrivedAt.monotonic < call.arrivedAt.monotonic),
  )
}
