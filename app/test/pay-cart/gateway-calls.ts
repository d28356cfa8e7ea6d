import type { Point } from '../../simulators/faults.ts'
import type { GatewayName } from '../shop/start-shop.ts'
import type { SimulatorControl } from '../shop/simulator-control.ts'

/** What the shop asks of a gateway, by what it is for. */
export type Call = 'page' | 'look' | 'capture' | 'close' | 'refund'

interface Match {
  readonly method: string
  readonly path: string
}

/** Absent: this gateway is not asked for such a thing. */
export const gatewayCalls: Readonly<Record<GatewayName, Readonly<Partial<Record<Call, Match>>>>> = {
  stripe: {
    page: { method: 'POST', path: '/v1/checkout/sessions' },
    look: { method: 'GET', path: '/v1/checkout/sessions/*' },
    close: { method: 'POST', path: '/v1/checkout/sessions/*/expire' },
    refund: { method: 'POST', path: '/v1/refunds' },
  },
  razorpay: {
    page: { method: 'POST', path: '/v1/orders' },
    look: { method: 'GET', path: '/v1/orders/*' },
    capture: { method: 'POST', path: '/v1/payments/*/capture' },
    refund: { method: 'POST', path: '/v1/payments/*/refund' },
  },
  cardcom: {
    page: { method: 'POST', path: '/api/v11/LowProfile/Create' },
    look: { method: 'POST', path: '/api/v11/LowProfile/GetLpResult' },
    refund: { method: 'POST', path: '/api/v11/Transactions/RefundByTransactionId' },
  },
}

/** Holds the next such call until it is released. */
export async function holdCall(gateway: GatewayName, control: SimulatorControl, call: Call, at: Point) {
  const match = gatewayCalls[gateway][call]
  if (!match) throw new Error(`${gateway} knows no ${call}.`)
  const { id } = await control<{ id: string }>('POST', '/barriers', { match, at })
  return {
    /** Resolves when one is held. */
    arrived: () => control('GET', `/barriers/${id}?waitMs=10000`),
    release: () => control('POST', `/barriers/${id}/release`, {}),
  }
}
