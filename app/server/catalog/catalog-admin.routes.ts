import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { requireAdmin } from '../accounts/authenticate.ts'
import { documentedRead, isId, parseRequest, readCursor, sendTagged, writeCursor } from '../http.ts'
import type { Pantry } from '../pantry.ts'
import { adminProduct, adminProductPage, adminProductQuery, archivedProduct } from './catalog-admin.schema.ts'
import type { ProductOperations } from './product-operations.ts'
import { findStoredProduct, listStoredProducts } from './stored-products.queries.ts'
import { viewStoredProducts } from './view-stored-product.ts'
import { noSuchProduct } from './write-product.ts'

/** What administrators see of the catalogue, archive included, and do about it. */
export function catalogAdminRoutes(app: FastifyInstance, { database }: Pantry, operations: ProductOperations): void {
  const tags = ['administration']
  const onRequest = requireAdmin

  app.get(
    '/api/admin/products',
    {
      ...documentedRead({
        summary: 'Every product, with what is archived and what the shelves have',
        tags,
        querystring: adminProductQuery,
        response: adminProductPage,
      }),
      onRequest,
    },
    async (request, reply) => {
      const { search, archived, limit, cursor } = parseRequest(adminProductQuery, request.query)
      const [name, id] = readCursor(cursor, 2) ?? []
      const found = await listStoredProducts(database, {
        search,
        archived: archived === undefined ? undefined : archived === 'true',
        limit: limit + 1,
        after: name !== undefined && id !== undefined && isId(id) ? [name, id] : undefined,
      })
      const items = await viewStoredProducts(database, found.slice(0, limit))
      const last = items.at(-1)
      return reply.send({ items, nextCursor: found.length > limit && last ? writeCursor([last.name, last.id]) : null })
    },
  )

  app.get<{ Params: { id: string } }>(
    '/api/admin/products/:id',
    {
      ...documentedRead({
        summary: 'One product, archived or not',
        tags,
        params: z.strictObject({ id: z.string() }),
        response: adminProduct,
        tagged: true,
      }),
      onRequest,
    },
    async (request, reply) => {
      const { id } = request.params
      const stored = isId(id) ? await findStoredProduct(database, id) : undefined
      const [view] = await viewStoredProducts(database, stored ? [stored] : [])
      if (!view) throw noSuchProduct()
      return sendTagged(reply, view)
    },
  )

  app.operation({
    method: 'POST',
    url: '/api/admin/products',
    operation: operations.createProduct,
    key: 'optional',
    onRequest,
    schema: { summary: 'Put a product into the catalogue', tags, response: adminProduct, status: 201 },
  })
  app.operation({
    method: 'PATCH',
    url: '/api/admin/products/:id',
    operation: operations.changeProduct,
    key: 'optional',
    onRequest,
    schema: { summary: 'Change a product and its variants', tags, response: adminProduct },
  })
  app.operation({
    method: 'DELETE',
    url: '/api/admin/products/:id',
    operation: operations.archiveProduct,
    key: 'optional',
    onRequest,
    schema: { summary: 'Take a product out of the catalogue', tags, response: archivedProduct },
  })
}
