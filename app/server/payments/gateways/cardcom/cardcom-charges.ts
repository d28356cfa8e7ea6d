import { createHash } from 'node:crypto'
import { GatewayError } from '../gateway-error.ts'
import type { ChargeRequest, ChargeResult, GatewayCall, Payment } from '../gateway.ts'
import { sharingTime } from '../gateway-request.ts'
import { readAs, refusal, type CardcomClient, type CardcomReply } from './cardcom-client.ts'
import { toPayment, transactionSchema } from './cardcom-objects.ts'
import { exactAmount, requireCoin, unsendable } from './cardcom-pages.ts'
import {
  alreadyCharged,
  customFields,
  done,
  isDecline,
  isNothingCharged,
  limits,
  operations,
  referenceLength,
  replayFlag,
} from './cardcom-wire.ts'

/** Our reference at CardCom of what `key` makes. */
export function referenceOf(key: string): string {
  return createHash('sha256').update(key).digest('hex').slice(0, referenceLength)
}

/** A saved method is CardCom's token and the expiry that goes with every charge of it: `<token>:<MMYY>`. */
const savedMethod = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}):((?:0[1-9]|1[0-2])\d\d)$/i

/**
 * Charges a token, at most once for a key, as long as calls under it follow one another: CardCom takes a repeat for one
 * only when the first has succeeded. Whoever lost an answer therefore looks (`findCharge`) until it can have come, and
 * does not repeat before.
 */
export async function charge(client: CardcomClient, request: ChargeRequest, call: GatewayCall): Promise<ChargeResult> {
  const [, token, expiry] = savedMethod.exec(request.paymentMethod) ?? []
  if (token === undefined) throw unsendable('payment_method_invalid', 'a saved method is <token>:<MMYY>')
  const remaining = sharingTime(call)
  const reference = referenceOf(call.key)
  const reply = await client.act(
    operations.charge,
    {
      Amount: exactAmount(request.amount),
      ISOCoinId: requireCoin(request.currency),
      Token: token,
      CardExpirationMMYY: expiry,
      ExternalUniqTranId: reference,
      // A repeat is answered with what the first was answered.
      [replayFlag]: true,
      NumOfPayments: 1,
      CustomFields: fieldsOf(request.order, reference),
    },
    remaining(),
    false,
  )
  if (reply.code === done) return captured(reply, request, call.key)
  if (reply.code === alreadyCharged) {
    const found = await findCharge(client, request, remaining())
    if (found) return found
    throw new GatewayError('cardcom', 'unknown', String(alreadyCharged), 'was charged, and cannot be found', {
      retryable: false,
    })
  }
  if (!isDecline(reply.code)) throw refusal(reply)
  return { status: 'declined', code: String(reply.code), message: reply.description, payment: declinedPayment(reply) }
}

/**
 * The charge of that key, where one succeeded: a declined one is not kept under its reference, and takes nothing.
 * An answer that is not known to mean "nothing" is thrown: nobody may conclude from it that nothing was charged.
 */
export async function findCharge(
  client: CardcomClient,
  request: ChargeRequest,
  call: GatewayCall,
): Promise<ChargeResult | undefined> {
  const body = { ExternalUniqTranId: referenceOf(call.key) }
  const reply = await client.ask(operations.findByReference, body, call)
  if (reply.code === done) return captured(reply, request, call.key)
  if (isNothingCharged(reply.code)) return undefined
  throw new GatewayError('cardcom', 'unavailable', String(reply.code), reply.description)
}

/** On the transaction, so that it is known again in CardCom's lists. */
export function fieldsOf(order: string | undefined, reference: string): object[] {
  const ours = { Id: customFields.reference, Value: reference }
  return order === undefined || order.length > limits.customField
    ? [ours]
    : [{ Id: customFields.order, Value: order }, ours]
}

/** What was given back since is not known here; whoever needs it asks `getPayment`. */
function captured(reply: CardcomReply, request: ChargeRequest, key: string): ChargeResult {
  const transaction = readAs(transactionSchema, reply)
  if (transaction.TranzactionId === '0')
    throw new GatewayError('cardcom', reply.lost, 'bad_response', 'a success without a transaction')
  return { status: 'captured', payment: { ...toPayment(transaction, 0, key), order: request.order } }
}

function declinedPayment({ body }: CardcomReply): Payment | null {
  const transaction = transactionSchema.safeParse(body)
  return transaction.success && transaction.data.TranzactionId !== '0' ? toPayment(transaction.data, 0, null) : null
}
