import type { Gateway, GatewayCall, Reversal, ChargeRequest } from '../gateway.ts'
import { sharingTime } from '../gateway-request.ts'
import { charge, findCharge } from './cardcom-charges.ts'
import { createCardcomClient, type CardcomClient } from './cardcom-client.ts'
import type { CardcomConfig } from './cardcom-config.ts'
import { closeCheckout, createCheckout, getCheckout, unsendable } from './cardcom-pages.ts'
import { findRefund, getPayment, refund, reversePayment } from './cardcom-payments.ts'
import { readCardcomWebhook } from './cardcom-webhooks.ts'
import { currencies } from './cardcom-wire.ts'

/**
 * CardCom as a gateway. `config.baseUrl` is the vendor's, or the simulator's: the wire is the same.
 *
 * What a lost answer is settled by:
 * - of a charge: looking for it, until it can have come. Not repeating: CardCom does not tell a repeat from a charge that
 *   is being executed, and says so. https://support.cardcom.solutions/hc/he/articles/4409682268434
 * - of a refund: a human. The list of transactions would show it, but how soon is not documented, and a refund that is sent
 *   twice in parts may be given twice.
 */
export function createCardcomGateway(config: CardcomConfig): Gateway {
  const client = createCardcomClient(config)
  return {
    name: 'cardcom',
    currencies,
    settling: { charge: { methods: ['find'], repeatWindow: 0 }, refund: { methods: [], repeatWindow: 0 } },

    savedMethods: true,
    refundsMayFail: false,

    charge: (request, call) => charge(client, request, call),
    findCharge: (request, call) => findCharge(client, request, call),
    closeCharge: (request, call) => closeCharge(client, request, call),
    reverse: (payment, call) => reversePayment(client, payment, call),

    createCheckout: (request, call) => createCheckout(client, request, call),
    getCheckout: (checkoutId, call) => getCheckout(client, checkoutId, call),
    closeCheckout: (checkoutId, call) => closeCheckout(client, checkoutId, call),

    getPayment: (paymentId, call) => getPayment(client, paymentId, call),
    // What CardCom charges is captured: there is nothing else to capture, and nothing to cancel before it.
    capture: ({ paymentId }, call) => getPayment(client, paymentId, call),
    cancelPayment: (paymentId, call) => getPayment(client, paymentId, call),
    refund: (request, call) => refund(client, request, call),
    findRefund: (request, call) => findRefund(client, request, call),

    readWebhook: (request, now, call) => readCardcomWebhook(client, request, now, call),
  }
}

/** Gives back what is found. A charge that may still be on its way cannot be refused in advance, and is not promised to be. */
async function closeCharge(client: CardcomClient, request: ChargeRequest, call: GatewayCall): Promise<Reversal> {
  const remaining = sharingTime(call)
  const found = await findCharge(client, request, remaining())
  if (found?.status === 'captured')
    return reversePayment(client, { paymentId: found.payment.id, order: request.order }, remaining())
  throw unsendable('cannot_close', 'cannot refuse a charge that has not come yet')
}
