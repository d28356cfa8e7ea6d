import { createHash } from 'node:crypto'
import { z } from 'zod'
import { GatewayError } from '../gateway-error.ts'
import type { GatewayCall, Payment, RefundRequest, RefundResult, Reversal } from '../gateway.ts'
import { sharingTime } from '../gateway-request.ts'
import { readAs, refusal, type CardcomClient } from './cardcom-client.ts'
import {
  customFieldOf,
  givesBack,
  toPayment,
  transactionId,
  transactionSchema,
  type CardcomTransaction,
} from './cardcom-objects.ts'
import { exactAmount, unsendable } from './cardcom-pages.ts'
import { alreadyGivenBack, customFields, done, limits, operations, pageSize, referenceLength } from './cardcom-wire.ts'
import { exactNumber } from './exact-json.ts'

const dealsSchema = z.array(z.object({ InternalDealNumber: transactionId, DealDate: z.string() }))
const listSchema = z.object({ Tranzactions: z.array(transactionSchema).nullish() })
const refundSchema = z.object({ NewTranzactionId: transactionId.nullish() })

/** A charge, and what was given back of it: CardCom's list holds both under one `Uid`. */
interface Story {
  readonly payment: Payment
  readonly givenBack: readonly CardcomTransaction[]
}

export async function getPayment(client: CardcomClient, paymentId: string, call: GatewayCall): Promise<Payment> {
  return (await getStory(client, paymentId, call)).payment
}

/**
 * Two questions, because none of CardCom's tells all: the transaction by its id, which has a date, but neither a currency
 * nor what was given back; and the list of all transactions since.
 */
async function getStory(client: CardcomClient, paymentId: string, call: GatewayCall): Promise<Story> {
  if (!transactionId.safeParse(paymentId).success)
    throw unsendable('no_such_transaction', `${paymentId} is no transaction of CardCom's`)
  const remaining = sharingTime(call)
  const reply = await client.ask(operations.getTransaction, { InternalDealNumber: exactNumber(paymentId) }, remaining())
  if (reply.code !== done) throw refusal(reply)
  const deal = readAs(dealsSchema, reply).find(({ InternalDealNumber: id }) => id === paymentId)
  if (!deal) throw unsendable('no_such_transaction', `knows no transaction ${paymentId}`)

  const all = await listSince(client, deal.DealDate, remaining)
  const charge = all.find(({ TranzactionId: id }) => id === paymentId)
  if (!charge) {
    const options = { retryable: true, retryAfterMs: 1000 }
    throw new GatewayError('cardcom', 'unavailable', 'not_listed', `${paymentId} is not in the list yet`, options)
  }
  const givenBack = charge.Uid ? all.filter((one) => one.Uid === charge.Uid && givesBack(one)) : []
  const refunded = givenBack.reduce((total, one) => total + Math.abs(one.Amount), 0)
  return { payment: toPayment(charge, Math.min(refunded, charge.Amount)), givenBack }
}

/** All transactions of our terminal since the day before `date`, which is a time in Israel, to the day after today. */
async function listSince(client: CardcomClient, date: string, remaining: () => GatewayCall) {
  const day = 24 * 3600_000
  const from = Date.parse(`${date.slice(0, 10)}T00:00:00Z`)
  if (Number.isNaN(from)) throw new GatewayError('cardcom', 'unavailable', 'bad_response', `${date} is not a date`)
  const all: CardcomTransaction[] = []
  for (let page = 1; ; page += 1) {
    const reply = await client.ask(
      operations.listTransactions,
      {
        FromDate: toDay(from - day),
        ToDate: toDay(Date.now() + day),
        // Should a cancellation turn its charge into no success, it is still seen.
        TranStatus: 'All',
        Page: page,
        Page_size: pageSize,
        LimitForTerminal: client.terminalNumber,
      },
      remaining(),
    )
    if (reply.code !== done) throw refusal(reply)
    const { Tranzactions: found } = readAs(listSchema, reply)
    all.push(...(found ?? []))
    if ((found?.length ?? 0) < pageSize) return all
  }
}

/** DDMMYYYY */
function toDay(time: number): string {
  return new Date(time).toISOString().slice(0, 10).split('-').toReversed().join('')
}

/**
 * Gives back all that is left. Where an earlier attempt may have done so, it is seen in CardCom's list, and nothing is
 * sent; an attempt of unknown outcome is thrown as it is, for a human: nothing of CardCom's makes sending it again safe.
 */
export async function reversePayment(
  client: CardcomClient,
  payment: { readonly paymentId: string; readonly order?: string },
  call: GatewayCall,
): Promise<Reversal> {
  const remaining = sharingTime(call)
  const { payment: before } = await getStory(client, payment.paymentId, remaining())
  if (before.captured === 0) return { status: 'voided', payment: before }
  const left = before.captured - before.refunded
  if (left > 0) await sendRefund(client, { ...payment, amount: left }, before, call.key, remaining)
  return { status: 'refunded', payment: { ...before, refunded: before.captured } }
}

/** Gives back part, or all that is left. A repeat looks for the first in CardCom's list, and is otherwise a new refund. */
export async function refund(client: CardcomClient, request: RefundRequest, call: GatewayCall): Promise<RefundResult> {
  const remaining = sharingTime(call)
  const { payment, givenBack } = await getStory(client, request.paymentId, remaining())
  const found = call.repeated && givenBack.find(isOf(call.key))
  if (found) return { status: 'refunded', refundId: found.TranzactionId, amount: Math.abs(found.Amount) }
  const left = payment.captured - payment.refunded
  if (left <= 0 && payment.captured > 0) return { status: 'already_refunded' }
  const amount = request.amount ?? left
  if (amount <= 0 || amount > left) throw unsendable('refund_exceeds_payment', `${left} are left to give back`)
  const refundId = await sendRefund(client, { ...request, amount }, payment, call.key, remaining)
  return refundId === undefined ? { status: 'already_refunded' } : { status: 'refunded', refundId, amount }
}

/**
 * By our reference on it. Undefined only where nothing at all was given back: something without our reference may still be
 * ours, because that CardCom keeps it on refunds is not documented.
 */
export async function findRefund(
  client: CardcomClient,
  request: RefundRequest,
  call: GatewayCall,
): Promise<RefundResult | undefined> {
  const { givenBack } = await getStory(client, request.paymentId, call)
  const found = givenBack.find(isOf(call.key))
  if (found) return { status: 'refunded', refundId: found.TranzactionId, amount: Math.abs(found.Amount) }
  if (givenBack.every((one) => customFieldOf(one, 'reference') !== null)) return undefined
  const options = { retryable: false }
  throw new GatewayError('cardcom', 'unavailable', 'refund_ambiguous', 'a refund has no reference of ours', options)
}

/** Our reference at CardCom of what `key` makes. */
export function referenceOf(key: string): string {
  return createHash('sha256').update(key).digest('hex').slice(0, referenceLength)
}

/** On the transaction, so that it is known again in CardCom's lists. */
function fieldsOf(order: string | undefined, reference: string): object[] {
  const ours = { Id: customFields.reference, Value: reference }
  return order === undefined || order.length > limits.customField
    ? [ours]
    : [{ Id: customFields.order, Value: order }, ours]
}

const isOf = (key: string) => (one: CardcomTransaction) => customFieldOf(one, 'reference') === referenceOf(key)

/**
 * Undefined: all of it had been given back by somebody who was faster. As long as nothing was, CardCom is told to refuse a
 * second refund of the transaction; so a whole refund that is sent twice is refused once, by CardCom itself.
 */
async function sendRefund(
  client: CardcomClient,
  request: RefundRequest & { readonly amount: number },
  before: Payment,
  key: string,
  remaining: () => GatewayCall,
): Promise<string | undefined> {
  const { paymentId, amount, order } = request
  const whole = before.refunded === 0 && amount === before.captured
  const reply = await client.act(
    operations.refund,
    {
      TransactionId: exactNumber(paymentId),
      ...(whole ? {} : { PartialSum: exactAmount(amount) }),
      CancelOnly: false,
      AllowMultipleRefunds: before.refunded > 0,
      CustomFields: fieldsOf(order, referenceOf(key)),
    },
    remaining(),
    false,
  )
  if (reply.code === done) return readAs(refundSchema, reply).NewTranzactionId ?? '0'
  if (reply.code === alreadyGivenBack) {
    const { payment: now } = await getStory(client, paymentId, remaining())
    if (now.refunded >= now.captured) return undefined
  }
  throw refusal(reply)
}
