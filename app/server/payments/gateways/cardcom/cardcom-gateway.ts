import type { Gateway } from '../gateway.ts'
import { createCardcomClient } from './cardcom-client.ts'
import type { CardcomConfig } from './cardcom-config.ts'
import { closeCheckout, createCheckout, getCheckout, unsendable } from './cardcom-pages.ts'
import { findRefund, getPayment, refund, reversePayment } from './cardcom-payments.ts'
import { readCardcomWebhook } from './cardcom-webhooks.ts'
import { currencies } from './cardcom-wire.ts'

/**
 * CardCom as a gateway. `config.baseUrl` is the vendor's, or the simulator's: the wire is the same.
 *
 * It is paid on its own page only. CardCom charges tokens of cards too, but a token is anybody's who knows it: before one is
 * taken from a request, the shop has to have made it (`ChargeAndCreateToken`) and to know whose it is.
 *
 * Its API tells of no disputes, neither asked nor by itself: a chargeback reaches the merchant from CardCom by mail, and is
 * answered there. What the shop has of such a payment stays as it is (docs/decisions/0005-disputes-are-noted.md).
 *
 * What a lost answer of a refund is settled by: a human. The list of transactions would show it, but how soon is not
 * documented, and a refund that is sent twice in parts may be given twice.
 */
export function createCardcomGateway(config: CardcomConfig): Gateway {
  const client = createCardcomClient(config)
  const noSavedMethods = async (): Promise<never> => {
    throw unsendable('no_saved_methods', 'is paid on its own page only')
  }
  return {
    name: 'cardcom',
    currencies,
    settling: { charge: { methods: [], repeatWindow: 0 }, refund: { methods: [], repeatWindow: 0 } },

    savedMethods: false,
    refundsMayFail: false,

    charge: noSavedMethods,
    findCharge: noSavedMethods,
    closeCharge: noSavedMethods,
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
