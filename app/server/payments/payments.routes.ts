import type { FastifyInstance } from 'fastify'
import { refuse } from 'safepoint'
import { z } from 'zod'
import { accountOf } from '../accounts/accounts.ts'
import { caller, requireAccount } from '../accounts/authenticate.ts'
import { documentedRead, isId } from '../http.ts'
import type { Pantry } from '../pantry.ts'
import { findPayment } from './payments.queries.ts'
import { paymentView, viewPayment } from './payments.schema.ts'

export function paymentsRoutes(app: FastifyInstance, { database }: Pantry): void {
  app.get<{ Params: { id: string } }>(
    '/api/payments/:id',
    {
      ...documentedRead({
        summary: 'A payment',
        tags: ['shop'],
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
}
