/**
 * What is known of CardCom's API v11 beside its shapes, and where from, so that it is corrected in one place:
 *
 * - [O] CardCom's OpenAPI document, https://secure.cardcom.solutions/swagger/v11/swagger.json
 * - [A] an article of CardCom's help centre for developers
 * - [L] seen by somebody else at the live service
 * - [X] inferred; not confirmed by CardCom
 */

/** The calls, and what each takes for credentials [O]. Requests are closed: a field that is not listed is refused. */
export const operations = {
  createPage: { path: 'LowProfile/Create', credentials: 'terminal' },
  getPageResult: { path: 'LowProfile/GetLpResult', credentials: 'terminal' },
  getTransaction: { path: 'Transactions/GetTransactionInfoById', credentials: 'user' },
  listTransactions: { path: 'Transactions/ListTransactions', credentials: 'company' },
  refund: { path: 'Transactions/RefundByTransactionId', credentials: 'company' },
} as const
export type Operation = (typeof operations)[keyof typeof operations]

/** `ResponseCode` of a success [O]. */
export const done = 0

/** "Success" of a card that was only looked at (J2), or of an amount that is only held (J5): nothing is taken [O]. */
const validated = new Set([700, 701])
export const isValidation = (code: number): boolean => validated.has(code)

/** "Transaction is pending or was not found", one code for both [L]: an open page looks like one that never was. */
const pendingOrNotFound = 5096

export const isUndecidedPage = (code: number): boolean => code === done || code === pendingOrNotFound

/** "Canceled deal cannot canceled again": of the older API [A]; for v11 [X]. */
export const alreadyGivenBack = 5111

/**
 * The card company's own answers stand below CardCom's, which begin at 603, wrong credentials [L] [X]. A no of the card
 * company is a decline; a no of CardCom is a refusal of the request.
 */
export const isDecline = (code: number): boolean => code > done && code < 600

/** `ISOCoinId`: 1 and 2 are CardCom's own, all others ISO 4217's numbers [O]. A terminal has to be opened for each. */
const coins: Readonly<Record<string, number>> = { ILS: 1, USD: 2, EUR: 978, GBP: 826 }
const currenciesOfCoins = new Map([
  ...Object.entries(coins).map(([currency, coin]) => [coin, currency] as const),
  // Their ISO numbers, should an answer use them [X].
  [376, 'ILS'],
  [840, 'USD'],
])

/** Those with two decimals, because amounts have no more [A]. */
export const currencies: ReadonlySet<string> = new Set(Object.keys(coins))

export const coinOf = (currency: string): number | undefined =>
  Object.hasOwn(coins, currency) ? coins[currency] : undefined

/** `XXX`, ISO's code for "no currency", where we do not know the coin: equal to no currency that anybody asked for. */
export const currencyOf = (coin: number): string => currenciesOfCoins.get(coin) ?? 'XXX'

/** Of our reference: half of what a custom field takes. */
export const referenceLength = 25

/** `CustomFields` by which our transactions are known again: up to 25, of 50 characters each [O]. */
export const customFields = { order: 1, reference: 2 } as const

/** Characters. OpenAPI allows a product name of 250, the article 50. */
export const limits = { returnValue: 250, productName: 50, url: 500, email: 50, customField: 50 } as const

/** `Page_size` of a list, at the most [O]. */
export const pageSize = 2000
