import type { FastifyInstance } from 'fastify'
import { refuse } from 'safepoint'
import { z } from 'zod'
import { accountOf } from '../accounts/accounts.ts'
import { caller, requireAccount } from '../accounts/authenticate.ts'
import { documentedRead, isId } from '../http.ts'
import type { OrderOperations } from '../orders/order-operations.ts'
import { cartPayment } from '../orders/orders.schema.ts'
import { shopScope } from '../orders/orders.ts'
import type { Pantry } from '../pantry.ts'
import type { OfferedGateways } from './offered-gateways.ts'
import { findPayment } from './find-payment.ts'
import { adminPaymentsRoutes } from './admin-payments.routes.ts'
import { paymentView, viewPayment } from './payments.schema.ts'
import { returnRoutes } from './return.routes.ts'

export interface PaymentRouteOptions {
  readonly pantry: Pantry
  readonly gateways: OfferedGateways
  readonly operations: Pick<OrderOperations, 'payCart' | 'verifyPayment' | 'settlePayment' | 'resolveRefund'>
}

export async function paymentsRoutes(app: FastifyInstance, options: PaymentRouteOptions): Promise<void> {
  const { pantry, gateways, operations } = options
  const { database, safepoint } = pantry
  const tags = ['shop']

  app.operation({
    method: 'POST',
    url: '/api/payments/create-from-cart',
    operation: operations.payCart,
    key: 'required',
    onRequest: requireAccount,
    schema: {
      summary: 'Order the cart and open the gateway’s page',
      tags,
      response: cartPayment,
      status: [200, 201],
    },
  })

  app.operation({
    method: 'POST',
    url: '/api/payments/:id/verify',
    operation: operations.verifyPayment,
    key: 'optional',
    onRequest: requireAccount,
    schema: { summary: 'Back from the gateway’s page: ask how the payment stands', tags, response: paymentView },
  })

  app.get<{ Params: { id: string } }>(
    '/api/payments/:id',
    {
      ...documentedRead({
        summary: 'A payment',
        tags,
        params: z.strictObject({ id: z.string() }),
        response: paymentView,
      }),
      onRequest: requireAccount,
    },
    async (request, reply) => {
      const { id } = request.params
      const found = isId(id) ? await findPayment(database, id, accountOf(caller(request).scope)) : undefined
      if (!found) throw refuse('payment_not_found', 'There is no such payment.')
      return reply.send(viewPayment(found))
    },
  )

  adminPaymentsRoutes(app, pantry, operations)

  await app.register(
    returnRoutes({
      pantry,
      gateways,
      settle: (paymentId, wait) => safepoint.run(operations.settlePayment, { paymentId }, { scope: shopScope, wait }),
    }),
  )
}
