import type { FastifyInstance } from 'fastify'
import { refuse } from 'safepoint'
import { z } from 'zod'
import { documentedRead, isId, parseRequest, readCursor, sendHashed, writeCursor } from '../http.ts'
import type { Pantry } from '../pantry.ts'
import type { CachedCatalog } from './cache-catalog.ts'
import { product, productPage, productQuery } from './catalog.schema.ts'
import { joinStock } from './join-stock.ts'
import { drawProduct } from './pictures/draw-product.ts'

/** Kept by a browser, but asked about each time: the answer to that is mostly 304. */
const revalidated = 'no-cache'

export function catalogRoutes(app: FastifyInstance, { database }: Pantry, catalog: CachedCatalog): void {
  const tags = ['shop']

  app.get(
    '/api/products',
    documentedRead({
      summary: 'What is sold',
      tags,
      querystring: productQuery,
      response: productPage,
      open: true,
      tagged: true,
    }),
    async (request, reply) => {
      const { search, limit, cursor } = parseRequest(productQuery, request.query)
      const [name, id] = readCursor(cursor, 2) ?? []
      const after = name !== undefined && id !== undefined && isId(id) ? ([name, id] as const) : undefined
      const found = await catalog.listProducts({ search, limit: limit + 1, after })
      const items = await joinStock(database, found.slice(0, limit))
      const last = items.at(-1)
      const nextCursor = found.length > limit && last ? writeCursor([last.name, last.id]) : null
      return sendHashed(reply.header('cache-control', revalidated), { items, nextCursor })
    },
  )

  app.get<{ Params: { id: string } }>(
    '/api/products/:id',
    documentedRead({
      summary: 'One product',
      tags,
      params: z.strictObject({ id: z.string() }),
      response: product,
      open: true,
      tagged: true,
    }),
    async (request, reply) => {
      const { id } = request.params
      const found = isId(id) ? await catalog.findProduct(id) : undefined
      if (!found) throw refuse('product_not_found', 'There is no such product.')
      const [read] = await joinStock(database, [found])
      return sendHashed(reply.header('cache-control', revalidated), read!, found.version)
    },
  )

  app.get<{ Params: { file: string } }>(
    '/images/:file',
    documentedRead({
      summary: 'A picture of a product',
      tags,
      params: z.strictObject({ file: z.string() }),
      media: 'image/svg+xml',
      open: true,
    }),
    async (request, reply) => {
      const drawing = drawProduct(request.params.file.replace(/\.svg$/, ''))
      if (drawing === undefined) throw refuse('not_found', 'There is no such image.')
      return reply.type('image/svg+xml').header('cache-control', 'public, max-age=86400').send(drawing)
    },
  )
}
