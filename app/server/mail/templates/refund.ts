import type { Locale } from '../../accounts/accounts.ts'
import { formatMoney, renderLetter, type RenderedMail } from '../letter.ts'
import { orderLines, orderLink, orderNumber, type OrderLetterData } from './order-letter.ts'

/** Money was given back, all of it or a part. */
export function refund(data: OrderLetterData, locale: Locale): RenderedMail {
  const number = orderNumber(data.orderId)
  const given = formatMoney(data.amount, locale)
  const [subject, text] = {
    en: [
      `Refund for order ${number}`,
      `We have refunded ${given} to the way you paid. It may take your bank some days to show it.`,
    ] as const,
    he: [
      `החזר כספי עבור הזמנה ${number}`,
      `החזרנו ${given} לאמצעי התשלום שבו שילמת. ייתכן שיחלפו כמה ימים עד שהסכום יופיע בחשבונך.`,
    ] as const,
  }[locale]
  return renderLetter(
    { subject, parts: [{ part: 'paragraph', text }, orderLines(data, locale), orderLink(data, locale)] },
    locale,
  )
}
