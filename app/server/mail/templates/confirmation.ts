import type { Locale } from '../../accounts/accounts.ts'
import { renderLetter, type RenderedMail } from '../letter.ts'
import { formatDay, orderAddresses, orderLines, orderLink, orderNumber, type OrderLetterData } from './order-letter.ts'

/** The order has arrived; it is not said to be paid. */
export function confirmation(data: OrderLetterData, locale: Locale): RenderedMail {
  const number = orderNumber(data.orderId)
  const day = formatDay(data.placedAt, locale)
  const [subject, text] = {
    en: [
      `We have your order ${number}`,
      `Thank you. Your order of ${day} has reached us. A receipt follows as soon as it is paid.`,
    ] as const,
    he: [`קיבלנו את הזמנה ${number}`, `תודה. ההזמנה מיום ${day} הגיעה אלינו. קבלה תישלח מיד עם התשלום.`] as const,
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
