import { invalidParameter } from './stripe-error.ts'

/** Smallest charge in minor units. https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts (ILS: about the same value; the page has none.) */
const minimum: Readonly<Record<string, number>> = {
  aed: 200,
  aud: 50,
  brl: 50,
  cad: 50,
  chf: 50,
  czk: 1500,
  dkk: 250,
  eur: 50,
  gbp: 30,
  hkd: 400,
  huf: 17500,
  ils: 200,
  inr: 50,
  jpy: 50,
  mxn: 1000,
  myr: 200,
  nok: 300,
  nzd: 50,
  pln: 200,
  ron: 200,
  sek: 300,
  sgd: 50,
  thb: 1000,
  usd: 50,
}

/** Refuses a currency or an amount that Stripe would refuse before it begins. Returns the currency in lower case. */
export function checkMoney(amount: number, currency: string, param = 'amount'): string {
  const code = currency.toLowerCase()
  const least = minimum[code]
  if (least === undefined) {
    throw invalidParameter(
      undefined,
      'currency',
      `Invalid currency: ${code}. Stripe currently supports these currencies: ${Object.keys(minimum).join(', ')}`,
    )
  }
  if (amount < 1)
    throw invalidParameter('parameter_invalid_integer', param, 'This value must be greater than or equal to 1.')
  if (amount < least)
    throw invalidParameter('amount_too_small', param, `Amount must be at least ${least} in the minor unit of ${code}`)
  if (amount > 99_999_999)
    throw invalidParameter(
      'amount_too_large',
      param,
      `Amount must be no more than 99999999 in the minor unit of ${code}`,
    )
  return code
}
