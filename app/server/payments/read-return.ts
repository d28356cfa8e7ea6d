import type { OfferedGateways } from './offered-gateways.ts'
import type { Payment } from './payments.ts'

/**
 * Whether what a browser brought back from the gateway's page claims to be the gateway's, and is not. Nothing brought back, or
 * a gateway that signs nothing: there is nothing to reject, and the gateway is asked all the same.
 */
export function rejectsReturn(
  gateways: OfferedGateways,
  payment: Pick<Payment, 'gateway' | 'pageId'>,
  params: Readonly<Record<string, string>>,
): boolean {
  const { gateway, pageId } = payment
  if (pageId === undefined || Object.keys(params).length === 0) return false
  const verified = gateways.get(gateway).verifyReturn?.(params, { pageId })
  return verified?.status === 'rejected'
}
