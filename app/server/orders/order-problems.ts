import type { ProblemTable } from 'safepoint/fastify'

/** The codes of this domain as they are told over HTTP. */
export const orderProblems: ProblemTable = {
  cart_empty: {
    status: 400,
    title: { en: 'The cart is empty', he: 'העגלה ריקה' },
    detail: { en: 'There is nothing to order in this cart.', he: 'אין בעגלה זו מה להזמין.' },
    remedy: 'Add something to the cart. Nothing was stored: the key may be used again.',
  },
  cart_not_found: {
    status: 404,
    title: { en: 'No such cart', he: 'אין עגלה כזו' },
    detail: { en: 'This account has no such cart.', he: 'לחשבון זה אין עגלה כזו.' },
    remedy: 'Read the cart afresh and order what is in it.',
  },
  address_not_found: {
    status: 404,
    title: { en: 'No such address', he: 'אין כתובת כזו' },
    detail: { en: 'This account has no such address.', he: 'לחשבון זה אין כתובת כזו.' },
    remedy: 'Choose one of the addresses of GET /api/addresses, or add one.',
  },
  cart_changed: {
    status: 409,
    title: { en: 'The total has changed', he: 'הסכום השתנה' },
    detail: {
      en: 'A price or the cart has changed since the total was shown. `total` is what it comes to now; nothing was ordered.',
      he: 'מחיר או העגלה השתנו מאז שהוצג הסכום. ב-`total` הסכום הנוכחי; דבר לא הוזמן.',
    },
    remedy: 'Show the new total, and order again with it under a new key.',
  },
  out_of_stock: {
    status: 409,
    title: { en: 'Not enough in stock', he: 'אין מספיק במלאי' },
    detail: {
      en: 'There is not enough of some items any more; `items` says what can be had. Nothing was ordered or charged.',
      he: 'חלק מהפריטים אזלו; ב-`items` מפורט מה זמין. דבר לא הוזמן ולא חויב.',
    },
    remedy: 'Lower the quantities to `available`, and order again under a new key.',
  },
  order_not_found: {
    status: 404,
    title: { en: 'No such order', he: 'אין הזמנה כזו' },
    detail: { en: 'This account has no such order.', he: 'לחשבון זה אין הזמנה כזו.' },
    remedy: 'Check the id; an order belongs to the account that placed it.',
  },
  order_cancelled: {
    status: 409,
    title: { en: 'The order is cancelled', he: 'ההזמנה בוטלה' },
    detail: {
      en: 'A cancelled order cannot be paid. Nothing was charged.',
      he: 'אי אפשר לשלם עבור הזמנה שבוטלה. דבר לא חויב.',
    },
    remedy: 'The lines are back in the cart: order again.',
  },
  order_not_paid: {
    status: 409,
    title: { en: 'The order is not paid', he: 'ההזמנה לא שולמה' },
    detail: {
      en: 'Only an order that is completed is shipped; this one is {status}.',
      he: 'רק הזמנה שהושלמה נשלחת; מצב הזמנה זו הוא {status}.',
    },
    remedy: 'Wait until it is completed.',
  },
  nothing_to_refund: {
    status: 409,
    title: { en: 'Nothing to refund', he: 'אין מה להחזיר' },
    detail: { en: 'Nothing of this order is taken.', he: 'לא נגבה דבר עבור הזמנה זו.' },
    remedy: 'Read the order afresh: it may be unpaid, or its money may be back already.',
  },
  refund_too_large: {
    status: 422,
    title: { en: 'More than was paid', he: 'יותר ממה ששולם' },
    detail: {
      en: 'That is more than is left of what was paid; `left` says how much is. Nothing was given back.',
      he: 'הסכום גדול ממה שנותר מהתשלום; ב-`left` מופיעה היתרה. דבר לא הוחזר.',
    },
    remedy: 'Give back `left` at the most, under a new key.',
  },
  order_shipped: {
    status: 409,
    title: { en: 'The order is on its way', he: 'ההזמנה כבר בדרך' },
    detail: { en: 'An order that was shipped cannot be cancelled any more.', he: 'אי אפשר לבטל הזמנה שכבר נשלחה.' },
    remedy: 'Send it back when it has arrived.',
  },
}
