/** Integer minor units and ISO 4217 code. Never a float: the minor unit is the smallest there is. */
export interface Money {
  readonly amount: number
  readonly currency: string
}

/** Throws a RangeError when the product is no longer an exact integer. */
export function multiplyMoney(money: Money, by: number): Money {
  return { amount: exact(money.amount * by), currency: money.currency }
}

/** The sum, in `currency`; throws a RangeError when an amount is in another one or the sum is not exact. */
export function sumMoney(amounts: readonly Money[], currency: string): Money {
  let sum = 0
  for (const money of amounts) {
    if (money.currency !== currency) throw new RangeError(`${money.currency} cannot be added to ${currency}.`)
    sum = exact(sum + money.amount)
  }
  return { amount: sum, currency }
}

function exact(amount: number): number {
  if (!Number.isSafeInteger(amount)) throw new RangeError(`${amount} is not an exact number of minor units.`)
  return amount
}
