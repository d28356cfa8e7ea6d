import type { Locale } from '../../accounts/accounts.ts'
import { formatMoney, renderLetter, type RenderedMail } from '../letter.ts'
import { formatDay, orderAddresses, orderLines, orderLink, orderNumber, type OrderLetterData } from './order-letter.ts'

/** The money has arrived. */
export function receipt(data: OrderLetterData, locale: Locale): RenderedMail {
  const number = orderNumber(data.orderId)
  const paid = formatMoney(data.amount, locale)
  const day = formatDay(data.placedAt, locale)
  const [subject, text] = {
    en: [
      `Receipt for order ${number}`,
      `Thank you. We have received your payment of ${paid} for the order of ${day}.`,
    ] as const,
    he: [`קבלה עבור הזמנה ${number}`, `תודה. קיבלנו את התשלום בסך ${paid} עבור ההזמנה מיום ${day}.`] as const,
  }[locale]
  return renderLetter(
    {
      subject,
      parts: [
        { part: 'paragraph', text },
        orderLines(data, locale),
        ...orderAddresses(data, locale),
        orderLink(data, locale),
      ],
    },
    locale,
  )
}
