import type { FastifyInstance } from 'fastify'
import { requireAdmin } from '../accounts/authenticate.ts'
import { documentedRead, isId, parseRequest, readCursor, writeCursor } from '../http.ts'
import type { OrderOperations } from '../orders/order-operations.ts'
import type { Pantry } from '../pantry.ts'
import { listAdminPayments } from './list-admin-payments.ts'
import { adminPaymentPage, paymentQuery, paymentView } from './payments.schema.ts'

/** What administrators see of payments, and say of refunds that nobody else can tell about. */
export function adminPaymentsRoutes(
  app: FastifyInstance,
  { database, safepoint }: Pick<Pantry, 'database' | 'safepoint'>,
  operations: Pick<OrderOperations, 'resolveRefund'>,
): void {
  const tags = ['administration']
  const onRequest = requireAdmin

  app.get(
    '/api/admin/payments',
    {
      ...documentedRead({
        summary: 'Payments of all accounts, the latest first; or those that wait for a human',
        tags,
        querystring: paymentQuery,
        response: adminPaymentPage,
      }),
      onRequest,
    },
    async (request, reply) => {
      const { state, limit, cursor } = parseRequest(paymentQuery, request.query)
      const [after] = readCursor(cursor, 1) ?? []
      const found = await listAdminPayments(database, (scope, key) => safepoint.find(scope, key), {
        unsettled: state === 'needs_attention',
        limit,
        after: after !== undefined && isId(after) ? after : undefined,
      })
      const { items, last } = found
      return reply.send({ items, nextCursor: last === undefined ? null : writeCursor([last]) })
    },
  )

  app.operation({
    method: 'POST',
    url: '/api/admin/payments/:id/resolve-refund',
    operation: operations.resolveRefund,
    key: 'required',
    onRequest,
    schema: { summary: 'Say whether money went back, where nobody else can tell', tags, response: paymentView },
  })
}
