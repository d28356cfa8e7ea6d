import type { Locale } from '../../accounts/accounts.ts'
import type { Money } from '../../catalog/money.ts'
import { formatMoney, renderLetter, type RenderedMail } from '../letter.ts'
import { formatDay, orderNumber } from './order-letter.ts'

export interface DisputeLetterData {
  readonly orderId: string
  readonly paymentId: string
  readonly gateway: string
  /** The gateway's name for it. */
  readonly disputeId: string
  readonly status: 'inquiry' | 'open' | 'won' | 'lost' | 'closed'
  readonly amount: Money
  /** The gateway's word. */
  readonly reason: string | null
  /** ISO 8601. */
  readonly respondBy: string | null
}

const words = {
  en: {
    inquiry: 'The bank asks about this payment, and holds no money. A refund of the order ends it; so does an answer.',
    open: 'The bank holds this money. Answer it at the gateway; the shop refunds nothing of it meanwhile.',
    won: 'It is decided for the shop: the money is yours again, and the order goes on as it was.',
    lost: 'It is decided for the customer, who has the money. The shop refunds nothing of it as well; take back the goods if they have not left.',
    closed: 'It has come to nothing, and there is nothing to do.',
  },
  he: {
    inquiry: 'הבנק מברר לגבי תשלום זה ואינו מחזיק כסף. החזר כספי להזמנה מסיים את הבירור, וכך גם תשובה.',
    open: 'הבנק מחזיק בכסף. יש להשיב אצל ספק התשלומים; החנות אינה מחזירה ממנו דבר בינתיים.',
    won: 'הוחלט לטובת החנות: הכסף שוב שלך, וההזמנה ממשיכה כפי שהייתה.',
    lost: 'הוחלט לטובת הלקוח, והכסף אצלו. החנות אינה מחזירה אותו פעם נוספת; אם הסחורה טרם יצאה, אפשר להשאיר אותה.',
    closed: 'הבירור הסתיים ללא תוצאה, ואין מה לעשות.',
  },
} as const

/** To whoever runs the shop: a customer's bank doubts a payment, or has decided about it. */
export function dispute(data: DisputeLetterData, locale: Locale): RenderedMail {
  const number = orderNumber(data.orderId)
  const sum = formatMoney(data.amount, locale)
  const { gateway, disputeId, paymentId, orderId, status } = data
  const reason = data.reason ?? '–'
  const due = data.respondBy === null ? undefined : formatDay(new Date(data.respondBy), locale)
  const [subject, about, answer] = {
    en: [
      `Dispute of order ${number}: ${status}`,
      `${gateway} tells of the dispute ${disputeId} over ${sum} (${reason}), of the payment ${paymentId} of the order ${orderId}.`,
      `An answer has to be there by ${due}.`,
    ] as const,
    he: [
      `מחלוקת על הזמנה ${number}: ${status}`,
      `${gateway} מדווח על המחלוקת ${disputeId} בסך ${sum} (${reason}), בתשלום ${paymentId} של ההזמנה ${orderId}.`,
      `יש להשיב עד ${due}.`,
    ] as const,
  }[locale]
  const wanted = due !== undefined && (status === 'inquiry' || status === 'open')
  const texts = [about, words[locale][status], ...(wanted ? [answer] : [])]
  return renderLetter({ subject, parts: texts.map((text) => ({ part: 'paragraph', text })) }, locale)
}
