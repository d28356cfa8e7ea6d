import { z } from 'zod'
import { invalid } from './cardcom-error.ts'

const digits = (pattern: RegExp, message: string) =>
  z.strictObject({ digits: z.string().regex(pattern, message) }, message).transform(({ digits }) => digits)
const integer = (name: string) => digits(/^\d{1,9}$/, `${name} must be an integer`).transform(Number)
const id = digits(/^\d{1,19}$/, 'must be an integer of 64 bits')
/** To two decimals: a float beside it is refused. */
const amount = digits(/^\d{1,10}(\.\d{1,2})?$/, 'Amount can have up to two decimals').transform((text) => {
  const [whole = '', fraction = ''] = text.split('.')
  return Number(whole + fraction.padEnd(2, '0'))
})
const url = z.url({ protocol: /^https?$/ }).max(500)
const guid = z.guid()
/** Length as .NET counts it. */
const text = (max: number) => z.string().refine(({ length }) => length <= max, `takes ${max} characters at the most`)
const customFields = z.array(z.strictObject({ Id: integer('Id'), Value: text(50) })).default([])

const terminal = { TerminalNumber: integer('TerminalNumber'), ApiName: z.string().min(1) }
const company = { ApiName: z.string().min(1), ApiPassword: z.string().min(1) }

/** Requests are closed: CardCom's OpenAPI document says `additionalProperties: false` of each. */
export const requests = {
  createPage: z.strictObject({
    ...terminal,
    Operation: z.literal('ChargeOnly').default('ChargeOnly'),
    ReturnValue: text(250).nullish(),
    Amount: amount,
    SuccessRedirectUrl: url,
    FailedRedirectUrl: url,
    CancelRedirectUrl: url.nullish(),
    WebHookUrl: url,
    ProductName: text(50).nullish(),
    Language: text(2).nullish(),
    ISOCoinId: integer('ISOCoinId').default(1),
    UIDefinition: z.strictObject({ CardOwnerEmailValue: text(50).nullish() }).nullish(),
  }),
  getPageResult: z.strictObject({ ...terminal, LowProfileId: guid }),
  charge: z.strictObject({
    ...terminal,
    Amount: amount,
    Token: guid,
    CardExpirationMMYY: z.string().regex(/^(0[1-9]|1[0-2])\d\d$/),
    CVV2: z.string().nullish(),
    ExternalUniqTranId: text(250).nullish(),
    // The article's spelling and OpenAPI's: which one the service reads is not known, so both are.
    ExternalUniqTranIdResponse: z.boolean().default(false),
    ExternalUniqUniqTranIdResponse: z.boolean().default(false),
    NumOfPayments: integer('NumOfPayments').default(1),
    ISOCoinId: integer('ISOCoinId').default(1),
    CustomFields: customFields,
  }),
  findByReference: z.strictObject({ ...terminal, ExternalUniqTranId: z.string().min(1) }),
  getTransaction: z.strictObject({
    TerminalNumber: integer('TerminalNumber'),
    UserName: z.string().min(1),
    UserPassword: z.string().min(1),
    InternalDealNumber: id,
  }),
  listTransactions: z.strictObject({
    ...company,
    FromDate: z.string().regex(/^\d{8}$/),
    ToDate: z.string().regex(/^\d{8}$/),
    TranStatus: z.enum(['Success', 'All', 'Failure']).default('Success'),
    Page: integer('Page').refine((page) => page >= 1),
    Page_size: integer('Page_size').refine((size) => size >= 10 && size <= 2000),
    LimitForTerminal: integer('LimitForTerminal').nullish(),
  }),
  refund: z.strictObject({
    ...company,
    TransactionId: id,
    PartialSum: amount.nullish(),
    CancelOnly: z.boolean().default(false),
    AllowMultipleRefunds: z.boolean().default(false),
    CustomFields: customFields,
  }),
}
export type Requests = { readonly [Name in keyof typeof requests]: z.output<(typeof requests)[Name]> }

export function readRequest<T extends z.ZodType>(schema: T, given: unknown): z.output<T> {
  if (typeof given !== 'object' || given === null) throw invalid('The request body is not JSON')
  const read = schema.safeParse(given)
  if (read.success) return read.data
  throw invalid(z.prettifyError(read.error))
}
