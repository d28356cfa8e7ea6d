import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { documentedRead } from '../http.ts'
import type { OfferedGateways } from './offered-gateways.ts'

const gatewayList = z.object({
  items: z.array(
    z.object({
      name: z.string(),
      /** It charges a saved payment method too; without it a payment is made on the gateway's own page only. */
      savedMethods: z.boolean(),
      /** Payment methods of its test mode, by which no real money moves. */
      testMethods: z.array(z.string()),
      /** ISO 4217 codes. */
      currencies: z.array(z.string()),
    }),
  ),
})

/** Decided at start-up, and the same for everybody: a checkout offers those that take the cart's currency. */
export function gatewaysRoute(app: FastifyInstance, gateways: OfferedGateways): void {
  const items = gateways.names.map((name) => {
    const { savedMethods, testMethods = [], currencies } = gateways.get(name)
    return { name, savedMethods, testMethods: [...testMethods], currencies: [...currencies].sort() }
  })
  app.get(
    '/api/payments/gateways',
    documentedRead({ summary: 'Ways to pay', tags: ['shop'], response: gatewayList, open: true }),
    async () => ({ items }),
  )
}
