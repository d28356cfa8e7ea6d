import type { ProblemTable } from 'safepoint/fastify'

/** The codes of this domain as they are told over HTTP. */
export const paymentProblems: ProblemTable = {
  payment_declined: {
    status: 402,
    title: { en: 'Payment declined', he: 'התשלום נדחה' },
    // Without a detail the gateway's own message is told: it is made for the customer.
    remedy:
      'Nothing was taken, and the items stay reserved for a while: confirm the order with another card, under a new key.',
  },
  payment_refused: {
    status: 422,
    title: { en: 'Payment not accepted', he: 'בקשת התשלום לא התקבלה' },
    detail: {
      en: 'The payment gateway turned the request down ({gatewayCode}); nothing was taken.',
      he: 'ספק התשלומים דחה את הבקשה ({gatewayCode}); דבר לא נגבה.',
    },
    remedy: 'Check the payment method, and confirm the order again under a new key.',
  },
  payment_disputed: {
    status: 409,
    title: { en: 'Payment under dispute', he: 'התשלום במחלוקת' },
    detail: {
      en: 'The bank of whoever paid holds this money, or has given it back: it is not given back here as well. Nothing was done.',
      he: 'הבנק של המשלם מחזיק בכסף זה או החזיר אותו, ולכן הוא לא יוחזר כאן פעם נוספת. לא בוצע דבר.',
    },
    remedy:
      'Answer the dispute at the gateway. What of the payment is not disputed (`left`) can be refunded by its amount; once the dispute is won, all of it.',
  },
  payment_method_unsupported: {
    status: 422,
    title: { en: 'Saved payment method not supported', he: 'אמצעי תשלום שמור אינו נתמך' },
    detail: {
      en: '{gateway} is paid on its own page; it charges no saved payment method. Nothing was done.',
      he: 'התשלום דרך {gateway} מתבצע בעמוד שלו בלבד, ללא אמצעי תשלום שמור. לא בוצע דבר.',
    },
    remedy: 'Leave `paymentMethod` out and send the customer to the page, or choose another gateway.',
  },
  /** Of a webhook, and of what a browser brings back. */
  signature_invalid: {
    status: 400,
    title: { en: 'Not from the gateway', he: 'לא הגיע מספק התשלומים' },
    detail: {
      en: 'This is not signed by the payment gateway, or the signature is too old; nothing has changed.',
      he: 'התוכן אינו חתום על ידי ספק התשלומים, או שתוקף החתימה פג; דבר לא השתנה.',
    },
    remedy:
      'A webhook: sign the bytes exactly as they are sent, with the secret that this shop is configured with. A return: send exactly what the page handed over, or nothing at all: then the gateway is simply asked.',
  },
  payment_not_found: {
    status: 404,
    title: { en: 'No such payment', he: 'אין תשלום כזה' },
    detail: { en: 'This account has no such payment.', he: 'לחשבון זה אין תשלום כזה.' },
    remedy: 'Check the id; a payment belongs to the account of its order.',
  },
  refund_not_in_doubt: {
    status: 409,
    title: { en: 'Nothing to decide', he: 'אין מה להחליט' },
    detail: {
      en: 'Nothing about this payment waits for a human: nothing was changed.',
      he: 'דבר בתשלום זה אינו ממתין להחלטת אדם: דבר לא השתנה.',
    },
    remedy:
      'Read the payment afresh. Where the run that took it has ended without giving it back, do so at the gateway, and then say that it is returned.',
  },
  gateway_unavailable: {
    status: 503,
    title: { en: 'Payment gateway not available', he: 'ספק התשלומים אינו זמין' },
    detail: {
      en: 'The payment gateway cannot be reached; nothing was taken.',
      he: 'אין גישה לספק התשלומים; דבר לא נגבה.',
    },
    remedy: 'Confirm the order again in a while, under a new key.',
  },
  currency_mismatch: {
    status: 422,
    title: { en: 'Currency not accepted', he: 'המטבע אינו מתקבל' },
    detail: { en: 'No payment in {currency} is taken here.', he: 'לא ניתן לשלם כאן ב-{currency}.' },
    remedy: 'Pay in the currency of the cart, or choose another gateway.',
  },
  not_configured: {
    status: 503,
    title: { en: 'Not offered here', he: 'לא מוצע כאן' },
    detail: {
      en: 'This service is not set up on this server; nothing was done.',
      he: 'שירות זה אינו מוגדר בשרת; לא בוצע דבר.',
    },
    remedy: 'Choose another gateway; whoever runs the server finds in its log which settings are missing.',
  },
}
