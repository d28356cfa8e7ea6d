import { z } from 'zod'
import { GatewayError } from '../gateway-error.ts'
import type { Checkout, Payment } from '../gateway.ts'
import { minorUnitsOf } from './decimal-amounts.ts'
import { readAs, refusal, type CardcomReply } from './cardcom-client.ts'
import { currencyOf, customFields, done, isDecline, isUndecidedPage, isValidation } from './cardcom-wire.ts'

/** What we read of CardCom's objects; it may add to them at any time. Numbers come as text (see `parseExact`). */

const integer = z
  .string()
  .regex(/^-?\d{1,15}$/)
  .transform(Number)
/** Has 64 bits: stays text. */
export const transactionId = z.string().regex(/^\d{1,19}$/)
export const amount = z.string().transform((text, context) => {
  const units = minorUnitsOf(text)
  if (units !== undefined) return units
  context.addIssue({ code: 'custom', message: 'is not an amount of two decimals' })
  return z.NEVER
})

export const transactionSchema = z.object({
  ResponseCode: integer,
  Description: z.string().nullish(),
  TranzactionId: transactionId,
  TerminalNumber: integer,
  Amount: amount,
  CoinId: integer,
  IsRefund: z.boolean().nullish(),
  DealType: z.string().nullish(),
  /** The same for a transaction and for what was given back of it. */
  Uid: z.string().nullish(),
  CustomFields: z.array(z.object({ Id: integer, Value: z.string().nullish() })).nullish(),
})
export type CardcomTransaction = z.infer<typeof transactionSchema>

const pageResultSchema = z.object({
  ResponseCode: integer,
  Description: z.string().nullish(),
  TerminalNumber: integer.nullish(),
  LowProfileId: z.string().nullish(),
  ReturnValue: z.string().nullish(),
  TranzactionInfo: transactionSchema.nullish(),
})

const envelope = pageResultSchema.pick({ ResponseCode: true })

/** A page, and what its word rests on. */
export interface PageResult {
  readonly checkout: Checkout
  /** Null: nobody has tried to pay there. */
  readonly decided: { readonly transactionId: string; readonly code: number } | null
}

/**
 * How a page stands by `GetLpResult`. It is paid only where both codes say so, of our terminal and of this page; what was
 * paid is answered as it is, so that whoever asked for something else can give it back.
 *
 * A page on which nobody has tried is answered without an amount, and like one that never was.
 */
export function toPageResult(reply: CardcomReply, pageId: string, terminalNumber: number): PageResult {
  const { code } = reply
  // A list, which has no envelope, would be a page on which nobody has tried to pay.
  readAs(envelope, reply)
  const undecided: Checkout = {
    id: pageId,
    status: 'open',
    url: null,
    expiresAt: null,
    declined: null,
    amount: 0,
    currency: 'XXX',
    order: null,
    paymentId: null,
  }
  const hasTransaction = (reply.body as { TranzactionInfo?: unknown }).TranzactionInfo != null
  if (!hasTransaction) {
    if (isUndecidedPage(code) || isValidation(code)) return { checkout: undecided, decided: null }
    if (!isDecline(code)) throw refusal(reply)
    const declined = { code: String(code), message: reply.description }
    return { checkout: { ...undecided, declined }, decided: { transactionId: '0', code } }
  }

  const result = readAs(pageResultSchema, reply)
  const transaction = result.TranzactionInfo!
  const known: Checkout = {
    ...undecided,
    amount: transaction.Amount,
    currency: currencyOf(transaction.CoinId),
    order: result.ReturnValue ?? null,
  }
  const ofPage = result.LowProfileId?.toLowerCase() === pageId.toLowerCase()
  if (!ofPage || transaction.TerminalNumber !== terminalNumber || result.TerminalNumber !== terminalNumber)
    throw new GatewayError('cardcom', 'refused', 'not_ours', 'the answer is about another page, or another terminal')
  const decided = { transactionId: transaction.TranzactionId, code: transaction.ResponseCode }

  if (transaction.ResponseCode === done) {
    // Taken, and yet no success: neither "paid" nor "open" would be safe to go on with.
    if (code !== done || transaction.IsRefund || transaction.TranzactionId === '0')
      throw new GatewayError(
        'cardcom',
        'unavailable',
        'contradictory',
        `code ${code} with a transaction that succeeded`,
      )
    return { checkout: { ...known, status: 'paid', paymentId: transaction.TranzactionId }, decided }
  }
  if (isValidation(transaction.ResponseCode)) return { checkout: known, decided }
  const message = transaction.Description || reply.description
  return { checkout: { ...known, declined: { code: String(transaction.ResponseCode), message } }, decided }
}

/** A charge that succeeded, and `refunded` minor units of it given back. */
export function toPayment(transaction: CardcomTransaction, refunded: number): Payment {
  const captured = transaction.ResponseCode === done
  return {
    id: transaction.TranzactionId,
    status: captured ? 'captured' : 'declined',
    amount: transaction.Amount,
    currency: currencyOf(transaction.CoinId),
    captured: captured ? transaction.Amount : 0,
    refunded,
    operation: null,
    order: customFieldOf(transaction, 'order'),
  }
}

export function customFieldOf({ CustomFields: fields }: CardcomTransaction, name: keyof typeof customFields) {
  return fields?.find(({ Id: id }) => id === customFields[name])?.Value || null
}

/** Money that went back: of a settled transaction a refund, of one of the same day a cancellation. */
export function givesBack({ ResponseCode, IsRefund, DealType }: CardcomTransaction): boolean {
  return ResponseCode === done && (IsRefund === true || DealType === 'Refund' || DealType === 'Cancel')
}
