import { GatewayError } from '../gateway-error.ts'
import type { Gateway } from '../gateway.ts'
import { closeCheckout, createCheckout, getCheckout } from './razorpay-checkout.ts'
import { createRazorpayClient, readAs, refusal } from './razorpay-client.ts'
import type { RazorpayConfig } from './razorpay-config.ts'
import { disputeSchema, toDispute } from './razorpay-objects.ts'
import {
  cancelPayment,
  capture,
  findRefund,
  getPaymentAndRefunds,
  refund,
  reversePayment,
} from './razorpay-payments.ts'
import { readCheckoutReturn } from './razorpay-signatures.ts'
import { readRazorpayWebhook } from './razorpay-webhooks.ts'

/** Currencies whose minor units are ISO's. https://razorpay.com/docs/payments/international-payments/#supported-currencies */
const currencies = new Set(
  'AED AUD BRL CAD CHF CZK DKK EUR GBP HKD ILS INR JPY MXN MYR NOK NZD PLN RON SEK SGD THB USD ZAR'.split(' '),
)

/**
 * How long a refund's key is honoured is not documented. Nothing rests on it: a repeated refund is looked for by our key in
 * its notes before it is sent.
 */
const refundKeyWindowMs = 23 * 60 * 60 * 1000

/** Razorpay as a gateway. `config.baseUrl` is the vendor's, or the simulator's: the wire is the same. */
export function createRazorpayGateway(config: RazorpayConfig): Gateway {
  const client = createRazorpayClient(config)
  const noSavedMethods = async (): Promise<never> => {
    throw new GatewayError('razorpay', 'refused', 'no_saved_methods', 'is paid on its own page only')
  }
  return {
    name: 'razorpay',
    currencies,
    settling: {
      charge: { methods: [], repeatWindow: 0 },
      refund: { methods: ['find', 'repeat'], repeatWindow: refundKeyWindowMs },
    },

    savedMethods: false,
    refundsMayFail: true,
    formOrigin: new URL(config.baseUrl).origin,

    charge: noSavedMethods,
    findCharge: noSavedMethods,
    closeCharge: noSavedMethods,
    reverse: (payment, call) => reversePayment(client, payment, call),

    createCheckout: (request, call) => createCheckout(client, config.keyId, request, call),
    getCheckout: (checkoutId, call) => getCheckout(client, checkoutId, call),
    closeCheckout: (checkoutId, call) => closeCheckout(client, checkoutId, call),

    getPayment: (paymentId, call) => getPaymentAndRefunds(client, paymentId, call),
    capture: (payment, call) => capture(client, payment, call),
    cancelPayment: (paymentId, call) => cancelPayment(client, paymentId, call),
    refund: (request, call) => refund(client, request, call),
    findRefund: (request, call) => findRefund(client, request, call),

    async getDispute(disputeId, call) {
      const reply = await client.get(`disputes/${encodeURIComponent(disputeId)}`, {}, call)
      if (!reply.ok) throw refusal(reply)
      return toDispute(readAs(disputeSchema, reply.body))
    },

    readWebhook: async (request) => readRazorpayWebhook(request, config.webhookSecrets),
    verifyReturn: (params, stored) => readCheckoutReturn(params, stored, config.keySecret),
  }
}
