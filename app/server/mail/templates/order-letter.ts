import type { Locale } from '../../accounts/accounts.ts'
import type { AddressFields } from '../../addresses/addresses.ts'
import { multiplyMoney, type Money } from '../../catalog/money.ts'
import { formatMoney, type LetterPart } from '../letter.ts'

/** What the letters about an order know. */
export interface OrderLetterData {
  readonly orderId: string
  readonly placedAt: Date
  readonly lines: readonly { readonly name: string; readonly quantity: number; readonly unitPrice: Money }[]
  readonly total: Money
  /** What was paid, refunded, or declined: not always all of it. */
  readonly amount: Money
  readonly shippingAddress: AddressFields
  readonly billingAddress: AddressFields
  readonly shopUrl: string
}

/** How a person reads an order's id, here as in the shop. */
export const orderNumber = (orderId: string): string => orderId.slice(-8).toUpperCase()

const words = {
  en: {
    total: 'Total',
    shipTo: 'Delivered to',
    billTo: 'Billed to',
    both: 'Delivered and billed to',
    open: 'See your order',
  },
  he: {
    total: 'סך הכול',
    shipTo: 'כתובת למשלוח',
    billTo: 'כתובת לחיוב',
    both: 'כתובת למשלוח ולחיוב',
    open: 'צפייה בהזמנה',
  },
} as const

export function orderLines({ lines, total }: OrderLetterData, locale: Locale): LetterPart {
  return {
    part: 'lines',
    lines: lines.map(({ name, quantity, unitPrice }) => ({
      name,
      quantity,
      price: formatMoney(multiplyMoney(unitPrice, quantity), locale),
    })),
    total: { label: words[locale].total, price: formatMoney(total, locale) },
  }
}

export function orderAddresses({ shippingAddress, billingAddress }: OrderLetterData, locale: Locale): LetterPart[] {
  const shipping = addressLines(shippingAddress, locale)
  const billing = addressLines(billingAddress, locale)
  const { shipTo, billTo, both } = words[locale]
  if (shipping.join('\n') === billing.join('\n')) return [{ part: 'address', title: both, lines: shipping }]
  return [
    { part: 'address', title: shipTo, lines: shipping },
    { part: 'address', title: billTo, lines: billing },
  ]
}

export const orderLink = ({ orderId, shopUrl }: OrderLetterData, locale: Locale): LetterPart => ({
  part: 'link',
  text: words[locale].open,
  url: `${shopUrl}/?order=${encodeURIComponent(orderId)}`,
})

export const formatDay = (date: Date, locale: Locale): string =>
  new Intl.DateTimeFormat(locale, { dateStyle: 'long', timeZone: 'UTC' }).format(date)

function addressLines(address: AddressFields, locale: Locale): string[] {
  const country = new Intl.DisplayNames(locale, { type: 'region' }).of(address.country) ?? address.country
  return [
    address.name,
    address.line1,
    address.line2,
    `${address.city} ${address.postalCode}`,
    address.region,
    country,
    address.phone,
  ].filter((line) => line !== undefined)
}
