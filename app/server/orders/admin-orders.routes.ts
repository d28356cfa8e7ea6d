import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { requireAdmin } from '../accounts/authenticate.ts'
import { documentedRead, isId, pageQuery, parseRequest, readCursor, sendTagged, writeCursor } from '../http.ts'
import type { Pantry } from '../pantry.ts'
import { listOrdersOfAll } from './admin-orders.queries.ts'
import { noSuchOrder } from './cancel-order.ts'
import type { OrderOperations } from './order-operations.ts'
import { findOrder, listOrderHistory } from './orders.queries.ts'
import { orderStatuses } from './orders.ts'
import { adminOrderPage, orderView, orderWithHistory, viewOrder, viewWithHistory } from './orders.schema.ts'

const orderQuery = pageQuery.extend({ status: z.enum(orderStatuses).optional(), email: z.string().max(254).optional() })

/** What administrators see of orders, and do about them. */
export function adminOrdersRoutes(
  app: FastifyInstance,
  { database }: Pick<Pantry, 'database'>,
  operations: Pick<OrderOperations, 'shipOrder' | 'refundOrder'>,
): void {
  const tags = ['administration']
  const onRequest = requireAdmin

  app.get(
    '/api/admin/orders',
    {
      ...documentedRead({
        summary: 'Orders of all accounts, the latest first',
        tags,
        querystring: orderQuery,
        response: adminOrderPage,
      }),
      onRequest,
    },
    async (request, reply) => {
      const { limit, cursor, status, email } = parseRequest(orderQuery, request.query)
      const [after] = readCursor(cursor, 1) ?? []
      const found = await listOrdersOfAll(database, {
        status,
        email,
        limit: limit + 1,
        after: after !== undefined && isId(after) ? after : undefined,
      })
      const items = found.slice(0, limit).map(({ order, customer }) => ({ ...viewOrder(order), customer }))
      const last = items.at(-1)
      return reply.send({ items, nextCursor: found.length > limit && last ? writeCursor([last.id]) : null })
    },
  )

  app.get<{ Params: { id: string } }>(
    '/api/admin/orders/:id',
    {
      ...documentedRead({
        summary: 'An order of any account, with its history',
        tags,
        params: z.strictObject({ id: z.string() }),
        response: orderWithHistory,
        tagged: true,
      }),
      onRequest,
    },
    async (request, reply) => {
      const { id } = request.params
      const found = isId(id) ? await findOrder(database, id) : undefined
      if (!found) throw noSuchOrder()
      return sendTagged(reply, viewWithHistory(found.order, await listOrderHistory(database, id), { actors: true }))
    },
  )

  app.operation({
    method: 'POST',
    url: '/api/admin/orders/:id/ship',
    operation: operations.shipOrder,
    key: 'required',
    onRequest,
    schema: { summary: 'Send an order on its way', tags, response: orderView },
  })

  app.operation({
    method: 'POST',
    url: '/api/admin/orders/:id/refund',
    operation: operations.refundOrder,
    key: 'required',
    onRequest,
    schema: { summary: 'Give money back: all that is left, or a part', tags, response: orderView },
  })
}
