import type { Gateway } from '../../server/payments/gateways/gateway.ts'

/** Whose charges ignore their signal: half of the orders, by the last digit of the id. */
export const isDeaf = (orderId: string): boolean => Number.parseInt(orderId.slice(-1), 16) < 8

/** Told to the parent process: when, by the host's monotonic clock, a charge of this order was handed to the network. */
export interface ChargeStarted {
  readonly chargeOf: string
  /** Milliseconds. */
  readonly at: number
}

/**
 * The same gateway, except that a charge of every other order is never told that nobody needs it any more: it goes on until
 * the gateway has answered, or its time is up.
 */
export function halfDeaf(gateway: Gateway): Gateway {
  return {
    ...gateway,
    charge(request, call) {
      process.send?.({ chargeOf: request.order, at: Number(process.hrtime.bigint()) / 1e6 } satisfies ChargeStarted)
      return gateway.charge(request, isDeaf(request.order) ? { ...call, signal: new AbortController().signal } : call)
    },
  }
}
