import { locale } from '../messages.ts'

const formats = new Map<string, Intl.NumberFormat>()

function formatOf(currency: string): Intl.NumberFormat {
  let format = formats.get(currency)
  if (format === undefined) {
    format = new Intl.NumberFormat(locale, { style: 'currency', currency })
    formats.set(currency, format)
  }
  return format
}

/** Integer minor units as a person reads them; how many make one unit is the currency's own (0 for JPY, 3 for KWD). */
export function formatMoney(money: { readonly amount: number; readonly currency: string }): string {
  const format = formatOf(money.currency)
  return format.format(money.amount / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2))
}
