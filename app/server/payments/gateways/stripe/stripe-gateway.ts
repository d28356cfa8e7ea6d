import type { Gateway } from '../gateway.ts'
import { charge, closeCharge, findIntent, keyWindowMs } from './stripe-charges.ts'
import { closeCheckout, createCheckout, getCheckout } from './stripe-checkout.ts'
import { createStripeClient, refusal } from './stripe-client.ts'
import { vendorUrl, type StripeConfig } from './stripe-config.ts'
import { toChargeResult, toDispute, toPayment } from './stripe-objects.ts'
import { cancelIntent, findRefund, getIntent, getPayment, refund, reversePayment } from './stripe-reversal.ts'
import { readStripeWebhook } from './stripe-webhooks.ts'

/** Currencies whose minor units are ISO's and that Stripe charges cards in. https://docs.stripe.com/currencies */
const currencies = new Set(
  'AED AUD BRL CAD CHF CZK DKK EUR GBP HKD ILS INR JPY MXN MYR NOK NZD PLN RON SEK SGD THB USD'.split(' '),
)

/** Of Stripe's test mode (https://docs.stripe.com/testing), and the slow card, which only the simulator has. */
const testMethods = ({ baseUrl }: StripeConfig): readonly string[] => [
  'pm_card_visa',
  ...(baseUrl === vendorUrl ? [] : ['pm_card_visa_slow']),
  'pm_card_chargeDeclined',
]

/** Stripe as a gateway. `config.baseUrl` is the vendor's, or the simulator's: the wire is the same. */
export function createStripeGateway(config: StripeConfig): Gateway {
  const client = createStripeClient(config)
  return {
    name: 'stripe',
    currencies,
    settling: {
      charge: { methods: ['close', 'find', 'repeat'], repeatWindow: keyWindowMs },
      refund: { methods: ['find', 'repeat'], repeatWindow: keyWindowMs },
    },

    savedMethods: true,
    ...(/^[sr]k_test_/.test(config.secretKey) && { testMethods: testMethods(config) }),
    refundsMayFail: true,

    charge: (request, call) => charge(client, request, call),
    async findCharge(request, call) {
      const intent = await findIntent(client, request, call)
      return intent && toChargeResult(intent)
    },
    closeCharge: (request, call) => closeCharge(client, request, call),
    reverse: (payment, call) => reversePayment(client, payment, call),

    createCheckout: (request, call) => createCheckout(client, request, call),
    getCheckout: (checkoutId, call) => getCheckout(client, checkoutId, call),
    closeCheckout: (checkoutId, call) => closeCheckout(client, checkoutId, call),

    getPayment: (paymentId, call) => getPayment(client, paymentId, call),
    // Our intents are captured as they are confirmed: there is nothing else to capture.
    capture: async ({ paymentId }, call) => toPayment(await getIntent(client, paymentId, call)),
    cancelPayment: async (paymentId, call) => toPayment(await cancelIntent(client, paymentId, call)),
    refund: (request, call) => refund(client, request, call),
    findRefund: (request, call) => findRefund(client, request, call),

    async getDispute(disputeId, call) {
      const reply = await client.get(`disputes/${encodeURIComponent(disputeId)}`, {}, call)
      if (!reply.ok) throw refusal(reply)
      return toDispute(reply.body)
    },

    readWebhook: async (request, now) => readStripeWebhook(request, config.webhookSecret, now),
  }
}
