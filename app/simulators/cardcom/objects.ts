import { randomInt } from 'node:crypto'
import { wireAmount, wireId } from './wire-json.ts'

/** A transaction with a card, whatever became of it. */
export interface Transaction {
  readonly id: string
  /** The same for a charge and for what was given back of it. */
  readonly uid: string
  readonly terminalNumber: number
  readonly responseCode: number
  readonly description: string
  /** Hundredths; what a refund gives back is positive, too. */
  readonly amount: number
  readonly coinId: number
  readonly isRefund: boolean
  /** A refund before the charge was deposited. */
  readonly isCancellation: boolean
  /** The charge that a refund gives back. */
  readonly refundOf: string | null
  /** `ExternalUniqTranId` */
  readonly reference: string | null
  readonly pageId: string | null
  /** Our order, however it was told: by the page's `ReturnValue`, or by a custom field. */
  readonly order: string | null
  readonly customFields: readonly { readonly Id: number; readonly Value: string }[]
  readonly createdAt: Date
}

/** A "LowProfile". */
export interface Page {
  readonly id: string
  readonly terminalNumber: number
  readonly amount: number
  readonly coinId: number
  readonly returnValue: string | null
  readonly productName: string
  readonly successUrl: string
  readonly failedUrl: string
  readonly cancelUrl: string | null
  readonly webhookUrl: string
  /** The last attempt to pay. */
  transaction: Transaction | null
  /** What `GetLpResult` says instead of what was asked for, by order of a test. */
  shownReturnValue: string | null
}

export const ok = 0
export const codes = {
  cardRefused: 4,
  cardUnknown: 33,
  cardExpired: 36,
  invalid: 600,
  wrongCredentials: 603,
  alreadyCharged: 608,
  pendingOrNotFound: 5096,
  alreadyGivenBack: 5111,
  notRefundable: 5112,
} as const

const descriptions: Readonly<Record<number, string>> = {
  0: 'העסקה בוצעה בהצלחה',
  4: 'סירוב',
  33: 'מספר כרטיס שגוי',
  36: 'פג תוקף',
  603: 'שם משתמש או סיסמה שגויים',
  608: 'ExternalUniqTranId already exists',
  700: 'J5 OK',
  701: 'J2 OK',
  5096: 'עסקה ממתינה או לא נמצאה',
  5111: 'Canceled deal cannot canceled again',
}
export const descriptionOf = (code: number): string => descriptions[code] ?? `Error ${code}`

let lastId = 9_007_199_254_740_992n + 2n * BigInt(randomInt(1_000_000))

/** Odd, and larger than 2^53: an adapter that makes a float of it asks for another transaction, which is nobody's. */
export function newTransactionId(): string {
  lastId += 2n
  return String(lastId + 1n)
}

const israel = new Intl.DateTimeFormat('sv-SE', {
  timeZone: 'Asia/Jerusalem',
  dateStyle: 'short',
  timeStyle: 'medium',
})

/** A time in Israel, without a zone: `2025-05-06T10:48:21`. */
export const israelTime = (date: Date): string => israel.format(date).replace(' ', 'T')

/** `TransactionInfo` */
export function onTheWire(transaction: Transaction): Record<string, unknown> {
  return {
    ResponseCode: transaction.responseCode,
    Description: transaction.description,
    TranzactionId: wireId(transaction.id),
    TerminalNumber: transaction.terminalNumber,
    Amount: wireAmount(transaction.amount),
    CoinId: transaction.coinId,
    CreateDate: israelTime(transaction.createdAt),
    Last4CardDigits: 8,
    Last4CardDigitsString: '0008',
    ApprovalNumber: transaction.responseCode === ok ? '0012345' : '',
    NumberOfPayments: 1,
    CardInfo: 'Israeli',
    Brand: 'Visa',
    DealType: transaction.isCancellation ? 'Cancel' : transaction.isRefund ? 'Refund' : 'Debit',
    IsRefund: transaction.isRefund,
    Uid: transaction.uid,
    CustomFields: transaction.customFields,
    Rrn: '',
  }
}

/** `LowProfileResult`: the answer of `GetLpResult`, and the webhook. */
export function pageOnTheWire(page: Page): Record<string, unknown> {
  const { transaction } = page
  const code = transaction === null ? codes.pendingOrNotFound : transaction.responseCode
  return {
    ResponseCode: code,
    Description: descriptionOf(code),
    TerminalNumber: page.terminalNumber,
    LowProfileId: page.id,
    TranzactionId: transaction === null ? 0 : wireId(transaction.id),
    ReturnValue: page.shownReturnValue ?? page.returnValue,
    Operation: 'ChargeOnly',
    UIValues: {},
    DocumentInfo: null,
    TokenInfo: null,
    SuspendedInfo: null,
    TranzactionInfo: transaction && onTheWire(transaction),
    Country: 'IL',
    UTM: null,
  }
}

/** What `GetLpResult` says of a page on which nobody has tried, and of one that never was. */
export function undecided(pageId: string, terminalNumber: number): Record<string, unknown> {
  return {
    ResponseCode: codes.pendingOrNotFound,
    Description: descriptionOf(codes.pendingOrNotFound),
    TerminalNumber: terminalNumber,
    LowProfileId: pageId,
    TranzactionId: 0,
    ReturnValue: null,
    TranzactionInfo: null,
  }
}
