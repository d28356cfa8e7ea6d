import type { FastifyInstance } from 'fastify'
import { refuse } from 'safepoint'
import { z } from 'zod'
import { requireAdmin } from '../accounts/authenticate.ts'
import { documentedRead, isId, pageQuery, parseRequest, readCursor, writeCursor } from '../http.ts'
import type { Pantry } from '../pantry.ts'
import { adjustStock } from './adjust-stock.ts'
import { hasStock, listMovements, listStock } from './inventory.queries.ts'
import { adjusted, movementPage, stockPage, stockQuery } from './inventory.schema.ts'

/** What administrators see of the shelves, and do about them. */
export function inventoryRoutes(app: FastifyInstance, { database }: Pantry): void {
  const tags = ['administration']
  const onRequest = requireAdmin

  app.get(
    '/api/admin/stock',
    {
      ...documentedRead({
        summary: 'Stock of what is sold, the least first',
        tags,
        querystring: stockQuery,
        response: stockPage,
      }),
      onRequest,
    },
    async (request, reply) => {
      const { below, limit, cursor } = parseRequest(stockQuery, request.query)
      const [available, variantId] = readCursor(cursor, 2) ?? []
      const after =
        variantId !== undefined && isId(variantId) && /^-?\d{1,9}$/.test(available ?? '')
          ? ([Number(available), variantId] as const)
          : undefined
      const found = await listStock(database, { below, limit: limit + 1, after })
      const items = found.slice(0, limit)
      const last = items.at(-1)
      const more = found.length > limit && last
      return reply.send({ items, nextCursor: more ? writeCursor([String(last.available), last.variantId]) : null })
    },
  )

  app.operation({
    method: 'POST',
    url: '/api/admin/stock/:variantId',
    operation: adjustStock,
    key: 'optional',
    onRequest,
    schema: { summary: 'Take goods in or out', tags, response: adjusted },
  })

  app.get<{ Params: { variantId: string } }>(
    '/api/admin/stock/:variantId/movements',
    {
      ...documentedRead({
        summary: 'What went in and out of one variant, the latest first',
        tags,
        params: z.strictObject({ variantId: z.string() }),
        querystring: pageQuery,
        response: movementPage,
      }),
      onRequest,
    },
    async (request, reply) => {
      const { variantId } = request.params
      const { limit, cursor } = parseRequest(pageQuery, request.query)
      const [at, id] = readCursor(cursor, 2) ?? []
      const after = at !== undefined && id !== undefined && isId(id) && isMoment(at) ? ([at, id] as const) : undefined
      if (!isId(variantId) || !(await hasStock(database, variantId)))
        throw refuse('variant_not_found', 'There is no such variant.')
      const { items, next } = await listMovements(database, { variantId, limit, after })
      return reply.send({ items, nextCursor: next ? writeCursor(next) : null })
    },
  )
}

const isMoment = (value: string): boolean =>
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/.test(value) && Number.isFinite(Date.parse(value))
