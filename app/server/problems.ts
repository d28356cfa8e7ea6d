import type { ProblemTable } from 'safepoint/fastify'
import { addressLimit } from './addresses/addresses.ts'
import { lineLimit, quantityLimit } from './cart/cart.ts'
import { catalogProblems } from './catalog/catalog-problems.ts'
import { eventProblems } from './events/event-problems.ts'
import { inventoryProblems } from './inventory/inventory-problems.ts'
import { methodProblems } from './known-methods.ts'
import { mailProblems } from './mail/mail-problems.ts'
import { orderProblems } from './orders/order-problems.ts'
import { paymentProblems } from './payments/payment-problems.ts'
import { webhookProblems } from './payments/webhooks/webhook-problems.ts'
import { wishLimit } from './wishlist/wishlist.ts'

const accountProblems: ProblemTable = {
  email_taken: {
    status: 409,
    title: { en: 'Address already in use', he: 'הכתובת כבר בשימוש' },
    detail: { en: 'There is an account with this e-mail address.', he: 'כבר קיים חשבון עם כתובת דוא"ל זו.' },
    remedy: 'Log in, or register with another address.',
  },
  credentials_invalid: {
    status: 401,
    title: { en: 'Not logged in', he: 'ההתחברות נכשלה' },
    detail: { en: 'No account has this e-mail address and password.', he: 'אין חשבון עם כתובת דוא"ל וסיסמה אלה.' },
    remedy: 'Check both and try again. Nothing was stored: the key may be used again.',
  },
  token_invalid: {
    status: 401,
    title: { en: 'Session over', he: 'החיבור הסתיים' },
    detail: {
      en: 'The refresh token is not valid, or its session has ended.',
      he: 'אסימון הרענון אינו תקף, או שהחיבור הסתיים.',
    },
    remedy: 'Log in again.',
  },
  token_reused: {
    status: 401,
    title: { en: 'Session ended for safety', he: 'החיבור נותק מטעמי בטיחות' },
    detail: {
      en: 'The refresh token had been exchanged before, so that somebody else may have it: this session is ended everywhere.',
      he: 'אסימון הרענון כבר הוחלף, ולכן ייתכן שהגיע לידי אחר: חיבור זה נותק בכל מקום.',
    },
    remedy: 'Log in again.',
  },
  session_ended: {
    status: 401,
    title: { en: 'Session over', he: 'החיבור הסתיים' },
    detail: {
      en: 'This request was done before, and the session it opened has ended since.',
      he: 'הבקשה בוצעה בעבר, והחיבור שנפתח בה הסתיים מאז.',
    },
    remedy: 'Log in again under a new key.',
  },
  reset_invalid: {
    status: 422,
    title: { en: 'Link no longer good', he: 'הקישור אינו תקף עוד' },
    detail: {
      en: 'This link to a new password was used, is too old, or was replaced by a change of password.',
      he: 'הקישור לבחירת סיסמה כבר נוצל, פג תוקפו, או שהסיסמה שונתה מאז.',
    },
    remedy: 'Ask for a new one: POST /api/auth/password/forgot.',
  },
  password_wrong: {
    status: 422,
    title: { en: 'Wrong password', he: 'סיסמה שגויה' },
    detail: {
      en: 'The current password is another one; nothing was changed.',
      he: 'הסיסמה הנוכחית שונה; לא שונה דבר.',
    },
    remedy: 'Try again, or ask for a link to a new one.',
  },
  account_unsettled: {
    status: 409,
    title: { en: 'Orders not settled', he: 'יש הזמנות שטרם הסתיימו' },
    detail: {
      en: 'Money of an order of this account may still come or go; `orders` says of which. Nothing was erased.',
      he: 'ייתכן שכסף של הזמנה בחשבון זה עוד יגבה או יוחזר; `orders` אומר של אילו. דבר לא נמחק.',
    },
    remedy: 'Pay or cancel these orders, or wait until they are decided, and ask again.',
  },
  last_administrator: {
    status: 409,
    title: { en: 'The last administrator', he: 'המנהל האחרון' },
    detail: {
      en: 'This is the only administrator there is; a shop without one could not be run. Nothing was erased.',
      he: 'זה המנהל היחיד; אי אפשר לנהל חנות בלי מנהל. דבר לא נמחק.',
    },
    remedy: 'Make somebody else an administrator first.',
  },
  busy: {
    status: 503,
    title: { en: 'Busy at the moment', he: 'עמוס כרגע' },
    detail: { en: 'Too many log-ins at once; nothing was done.', he: 'יותר מדי התחברויות בו-זמנית; לא בוצע דבר.' },
    remedy: 'Send the same request under the same key after Retry-After.',
  },
}

const addressProblems: ProblemTable = {
  address_exists: {
    status: 409,
    title: { en: 'Equal address', he: 'כתובת זהה קיימת' },
    detail: {
      en: 'Another of your addresses would be equal to this one; nothing was changed.',
      he: 'כתובת אחרת שלך תהיה זהה לזו; לא שונה דבר.',
    },
    remedy: 'Use the one that is there, or delete it first.',
  },
  address_limit: {
    status: 422,
    title: { en: 'Too many addresses', he: 'יותר מדי כתובות' },
    detail: { en: `An account keeps at most ${addressLimit} addresses.`, he: `חשבון שומר עד ${addressLimit} כתובות.` },
    remedy: 'Delete one that is not needed.',
  },
}

const shopProblems: ProblemTable = {
  product_not_found: {
    status: 404,
    title: { en: 'No such product', he: 'אין מוצר כזה' },
    detail: { en: 'There is no such product, or it has no such variant.', he: 'אין מוצר כזה, או שאין לו גרסה כזו.' },
    remedy: 'Read the catalogue afresh.',
  },
  product_unavailable: {
    status: 409,
    title: { en: 'No longer sold', he: 'אינו נמכר עוד' },
    detail: { en: 'This product has left the catalogue; nothing was added.', he: 'מוצר זה הוסר מהקטלוג; דבר לא נוסף.' },
    remedy: 'Choose another product.',
  },
  quantity_limit: {
    status: 422,
    title: { en: 'Too many of one item', he: 'כמות גדולה מדי' },
    detail: {
      en: `A line of a cart has at most ${quantityLimit} units; nothing was changed.`,
      he: `שורה בעגלה מוגבלת ל-${quantityLimit} יחידות; לא שונה דבר.`,
    },
    remedy: 'Ask for less.',
  },
  cart_full: {
    status: 422,
    title: { en: 'Cart full', he: 'העגלה מלאה' },
    detail: {
      en: `A cart has at most ${lineLimit} lines; nothing was added.`,
      he: `עגלה מוגבלת ל-${lineLimit} שורות; דבר לא נוסף.`,
    },
    remedy: 'Order what is in it, or remove a line.',
  },
  cart_item_not_found: {
    status: 404,
    title: { en: 'Not in the cart', he: 'לא נמצא בעגלה' },
    detail: { en: 'The active cart has no such line.', he: 'אין שורה כזו בעגלה הפעילה.' },
    remedy: 'Read the cart afresh: the line may have been removed elsewhere.',
  },
  wishlist_full: {
    status: 422,
    title: { en: 'Wishlist full', he: 'רשימת המשאלות מלאה' },
    detail: {
      en: `A wishlist has at most ${wishLimit} products; nothing was added.`,
      he: `רשימת משאלות מוגבלת ל-${wishLimit} מוצרים; דבר לא נוסף.`,
    },
    remedy: 'Take something off it.',
  },
  undo_outdated: {
    status: 409,
    title: { en: 'Changed since', he: 'שונה מאז' },
    detail: {
      en: 'It has been changed again since; undoing would lose that. Nothing was changed.',
      he: 'בוצע שינוי נוסף מאז, והשחזור היה מוחק אותו. לא שונה דבר.',
    },
    remedy: 'Read it afresh and change it as it should be.',
  },
}

/** Every code of the shop with its status and words; the engine's own are in the library. */
export const problems: ProblemTable = together(
  accountProblems,
  addressProblems,
  shopProblems,
  orderProblems,
  paymentProblems,
  inventoryProblems,
  catalogProblems,
  mailProblems,
  webhookProblems,
  eventProblems,
  methodProblems,
)

/** Each code is told in one place: two tables that know it would tell different stories. */
function together(...tables: readonly ProblemTable[]): ProblemTable {
  const all: Record<string, ProblemTable[string]> = {}
  for (const [code, problem] of tables.flatMap((table) => Object.entries(table))) {
    if (code in all) throw new Error(`The problem ${code} is told in two places.`)
    all[code] = problem
  }
  return all
}
