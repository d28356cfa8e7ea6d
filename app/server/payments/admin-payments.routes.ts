import type { FastifyInstance } from 'fastify'
import { requireAdmin } from '../accounts/authenticate.ts'
import { documentedRead, isId, parseRequest, readCursor, writeCursor } from '../http.ts'
import type { OrderOperations } from '../orders/order-operations.ts'
import type { Pantry } from '../pantry.ts'
import { listPayments, type PaymentAndRun } from './list-payments.ts'
import { adminPaymentPage, paymentQuery, paymentView, viewPayment, type AdminPayment } from './payments.schema.ts'

/** What administrators see of payments, and say of refunds that nobody else can tell about. */
export function adminPaymentsRoutes(
  app: FastifyInstance,
  { database, safepoint }: Pick<Pantry, 'database' | 'safepoint'>,
  operations: Pick<OrderOperations, 'resolveRefund'>,
): void {
  const tags = ['administration']
  const onRequest = requireAdmin

  async function attentionOf({ payment, run }: PaymentAndRun): Promise<AdminPayment['attention']> {
    const { captured, refunded, refundPart, owed } = payment
    const { currency, amount } = payment.amount
    if (run) {
      const view = await safepoint.find(run.scope, run.key)
      if (view.state === 'running' || view.state === 'undoing') return undefined
      const known = view.state === 'none' ? undefined : view
      const step = known?.steps?.find(({ state }) => state === 'needs_attention')?.step
      return {
        because: 'refund_unknown',
        amount: { amount: refundPart ?? (captured > 0 ? captured - refunded : amount), currency },
        operation: { key: run.key, ...(known?.name !== undefined && { name: known.name }), ...(step && { step }) },
      }
    }
    // Sent once more, and on its way.
    if (payment.status === 'refunding') return undefined
    return owed > 0 ? { because: 'refund_failed', amount: { amount: owed, currency } } : undefined
  }

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
      const unsettled = state === 'needs_attention'
      const found = await listPayments(database, {
        unsettled,
        limit: limit + 1,
        after: after !== undefined && isId(after) ? after : undefined,
      })
      const page = found.slice(0, limit)
      const viewed = await Promise.all(
        page.map(async (one): Promise<AdminPayment> => {
          const attention = await attentionOf(one)
          return { ...viewPayment(one.payment), ...(attention && { attention }) }
        }),
      )
      const items = unsettled ? viewed.filter(({ attention }) => attention) : viewed
      const last = page.at(-1)
      return reply.send({ items, nextCursor: found.length > limit && last ? writeCursor([last.payment.id]) : null })
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
