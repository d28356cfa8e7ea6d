import type { FastifyInstance } from 'fastify'
import { documented, eventStreamResponse } from 'safepoint/fastify'
import { z } from 'zod'
import { accountOf } from '../accounts/accounts.ts'
import { caller, identityOf, requireAccount } from '../accounts/authenticate.ts'
import { accountStream } from '../events/account-stream.ts'
import {
  documentedRead,
  isId,
  jsonSchema,
  pageQuery,
  parseRequest,
  readCursor,
  sendTagged,
  writeCursor,
} from '../http.ts'
import type { Pantry } from '../pantry.ts'
import { noSuchOrder } from './cancel-order.ts'
import type { OrderOperations } from './order-operations.ts'
import { findOrder, listOrderHistory, listOrders } from './orders.queries.ts'
import { orderAndPayment, orderPage, orderView, orderWithHistory, viewOrder, viewWithHistory } from './orders.schema.ts'
import { watchOrder } from './watch-order.ts'

export function ordersRoutes(app: FastifyInstance, pantry: Pantry, operations: OrderOperations): void {
  const { database } = pantry
  const tags = ['shop']
  const account = (request: Parameters<typeof caller>[0]) => accountOf(caller(request).scope)
  const byId = z.strictObject({ id: z.string() })

  app.operation({
    method: 'POST',
    url: '/api/orders',
    operation: operations.placeOrder,
    key: 'required',
    onRequest: requireAccount,
    schema: {
      summary: 'Turn the cart into an order',
      description: '200 with the order that this cart has become under another key.',
      tags,
      response: orderView,
      status: [200, 201],
    },
  })

  app.operation({
    method: 'POST',
    url: '/api/orders/:id/confirm',
    operation: operations.confirmOrder,
    key: 'required',
    onRequest: requireAccount,
    schema: { summary: 'Pay an order', tags, response: orderAndPayment },
  })

  app.operation({
    method: 'POST',
    url: '/api/orders/:id/cancel',
    operation: operations.cancelOrder,
    key: 'required',
    onRequest: requireAccount,
    schema: { summary: 'Cancel an order: stock is released, money goes back', tags, response: orderView },
  })

  app.get(
    '/api/orders',
    {
      ...documentedRead({ summary: 'My orders, the latest first', tags, querystring: pageQuery, response: orderPage }),
      onRequest: requireAccount,
    },
    async (request, reply) => {
      const { limit, cursor } = parseRequest(pageQuery, request.query)
      const [after] = readCursor(cursor, 1) ?? []
      const found = await listOrders(database, {
        accountId: account(request),
        limit: limit + 1,
        after: after !== undefined && isId(after) ? after : undefined,
      })
      const items = found.slice(0, limit).map(viewOrder)
      const last = items.at(-1)
      return reply.send({ items, nextCursor: found.length > limit && last ? writeCursor([last.id]) : null })
    },
  )

  app.get<{ Params: { id: string } }>(
    '/api/orders/:id',
    {
      ...documentedRead({
        summary: 'An order with its history',
        tags,
        params: byId,
        response: orderWithHistory,
        tagged: true,
      }),
      onRequest: requireAccount,
    },
    async (request, reply) => {
      const { id } = request.params
      const found = isId(id) ? await findOrder(database, id, account(request)) : undefined
      if (!found) throw noSuchOrder()
      return sendTagged(reply, viewWithHistory(found.order, await listOrderHistory(database, id)))
    },
  )

  app.get<{ Params: { id: string } }>(
    '/api/orders/:id/events',
    {
      ...documented({
        summary: 'Server-sent events: the order at each change',
        tags,
        params: jsonSchema(byId, 'input'),
        response: eventStreamResponse,
      }),
      onRequest: requireAccount,
      exposeHeadRoute: false,
    },
    (request, reply) => {
      const { id } = request.params
      const identity = identityOf(request)
      return accountStream(reply, identity, async () => {
        if (!isId(id) || !(await findOrder(database, id, identity.accountId))) throw noSuchOrder()
        return (signal) => watchOrder(pantry, id, signal)
      })
    },
  )
}
