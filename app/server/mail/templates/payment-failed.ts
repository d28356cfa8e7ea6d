import type { Locale } from '../../accounts/accounts.ts'
import { formatMoney, renderLetter, type RenderedMail } from '../letter.ts'
import { orderLines, orderLink, orderNumber, type OrderLetterData } from './order-letter.ts'

/** A payment was declined; the order can be paid again. */
export function paymentFailed(data: OrderLetterData, locale: Locale): RenderedMail {
  const number = orderNumber(data.orderId)
  const asked = formatMoney(data.amount, locale)
  const [subject, text] = {
    en: [
      `The payment for order ${number} did not go through`,
      `Your payment of ${asked} was declined, and nothing was taken. You can pay the order again, in another way if you like.`,
    ] as const,
    he: [
      `התשלום עבור הזמנה ${number} לא התקבל`,
      `התשלום בסך ${asked} נדחה, ודבר לא חויב. אפשר לשלם עבור ההזמנה שוב, גם באמצעי אחר.`,
    ] as const,
  }[locale]
  return renderLetter(
    { subject, parts: [{ part: 'paragraph', text }, orderLines(data, locale), orderLink(data, locale)] },
    locale,
  )
}
