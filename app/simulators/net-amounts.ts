/** What was taken and given back under one name, in minor units of `currency`. */
export interface NetAmount {
  readonly currency: string
  /** Charges that took money: more than one is a double charge. */
  readonly charges: number
  readonly charged: number
  /** Refunds that did not fail. */
  readonly refunds: number
  readonly refunded: number
  readonly net: number
}

/** A charge of a gateway's book, with the sums that were given back of it. */
export interface Charged {
  /** What it is summed up under; `undefined`: left out. */
  readonly name: string | undefined
  readonly currency: string
  /** 0: it has not been captured. */
  readonly amount: number
  readonly refunds: readonly number[]
}

/** Sums a book up by name. */
export function netAmounts(charges: Iterable<Charged>): Record<string, NetAmount> {
  const found = Object.create(null) as Record<string, NetAmount>
  for (const { name, currency, amount, refunds } of charges) {
    if (name === undefined) continue
    const before = found[name] ?? { currency, charges: 0, charged: 0, refunds: 0, refunded: 0, net: 0 }
    const refunded = refunds.reduce((total, refund) => total + refund, 0)
    found[name] = {
      currency: before.currency,
      charges: before.charges + (amount > 0 ? 1 : 0),
      charged: before.charged + amount,
      refunds: before.refunds + refunds.length,
      refunded: before.refunded + refunded,
      net: before.net + amount - refunded,
    }
  }
  return found
}

/** The net of each name. */
export const netsOf = (amounts: Record<string, NetAmount>): Record<string, number> =>
  Object.fromEntries(Object.entries(amounts).map(([name, { net }]) => [name, net]))
