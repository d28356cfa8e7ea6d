import type { FastifyInstance } from 'fastify'
import { identityOf, requireAccount } from '../accounts/authenticate.ts'
import { documentedRead, pageOf, parseRequest, shortQuery } from '../http.ts'
import type { Pantry } from '../pantry.ts'
import { wishlistOperations } from './wishlist-operations.ts'
import { listWishes } from './wishlist.queries.ts'
import { removedWish, wish, wishlistPage } from './wishlist.schema.ts'

export function wishlistRoutes(app: FastifyInstance, { database }: Pantry): void {
  const tags = ['people']
  const onRequest = requireAccount

  app.get(
    '/api/wishlist',
    {
      ...documentedRead({
        summary: 'My wishlist, the latest first',
        tags,
        querystring: shortQuery,
        response: wishlistPage,
      }),
      onRequest,
    },
    async (request, reply) => {
      const asked = parseRequest(shortQuery, request.query)
      const all = await listWishes(database, identityOf(request).accountId)
      return reply.send(pageOf(all, asked, ({ productId }) => productId))
    },
  )

  app.operation({
    method: 'PUT',
    url: '/api/wishlist/:productId',
    operation: wishlistOperations.addWish,
    key: 'optional',
    onRequest,
    schema: {
      summary: 'Put a product on the wishlist',
      description: '201 where it is new there, 200 where it was there.',
      tags,
      response: wish,
      status: [200, 201],
    },
  })
  app.operation({
    method: 'DELETE',
    url: '/api/wishlist/:productId',
    operation: wishlistOperations.removeWish,
    key: 'optional',
    onRequest,
    schema: { summary: 'Take a product off the wishlist', tags, response: removedWish },
  })
}
