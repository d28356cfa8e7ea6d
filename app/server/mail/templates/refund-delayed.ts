import type { Locale } from '../../accounts/accounts.ts'
import type { Money } from '../../catalog/money.ts'
import { formatMoney, renderLetter, type RenderedMail } from '../letter.ts'
import { formatDay, orderNumber } from './order-letter.ts'

export interface RefundDelayedData {
  readonly orderId: string
  readonly paymentId: string
  readonly gateway: string
  /** What is on its way. */
  readonly amount: Money
  /** ISO 8601. */
  readonly since: string
}

/** To whoever runs the shop: money has been on its way back to a customer for long. */
export function refundDelayed(data: RefundDelayedData, locale: Locale): RenderedMail {
  const { orderId, paymentId, gateway } = data
  const number = orderNumber(orderId)
  const sum = formatMoney(data.amount, locale)
  const day = formatDay(new Date(data.since), locale)
  const [subject, text, advice] = {
    en: [
      `A refund of order ${number} takes long`,
      `${sum} have been on their way back since ${day}: payment ${paymentId} of the order ${orderId}, at ${gateway}.`,
      'The gateway is asked every six hours until they have arrived, or have come back. Ask its support if the customer does.',
    ] as const,
    he: [
      `החזר כספי עבור הזמנה ${number} מתעכב`,
      `סכום של ${sum} נמצא בדרכו חזרה מאז ${day}: תשלום ${paymentId} של ההזמנה ${orderId}, אצל ${gateway}.`,
      'ספק התשלומים נשאל כל שש שעות עד שהכסף יגיע או יחזור. אם הלקוח פונה, יש לפנות לתמיכה של הספק.',
    ] as const,
  }[locale]
  return renderLetter({ subject, parts: [text, advice].map((line) => ({ part: 'paragraph', text: line })) }, locale)
}
