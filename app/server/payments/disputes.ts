import type { Dispute } from './gateways/gateway.ts'

/** A dispute as it was when its gateway was last asked. */
export interface KnownDispute extends Dispute {
  /** Of ours. */
  readonly ourPaymentId: string
  readonly gateway: string
  readonly updatedAt: string
  /** Raised by every change. */
  readonly version: number
}
