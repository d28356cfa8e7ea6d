import type { FastifyInstance } from 'fastify'
import { identityOf, requireAccount } from '../accounts/authenticate.ts'
import { documentedRead } from '../http.ts'
import type { Pantry } from '../pantry.ts'
import { wishlistOperations } from './wishlist-operations.ts'
import { listWishes } from './wishlist.queries.ts'
import { removedWish, wish, wishlistPage } from './wishlist.schema.ts'

export function wishlistRoutes(app: FastifyInstance, { database }: Pantry): void {
  const tags = ['people']
  const onRequest = requireAccount

  // At most `wishLimit` of them: always one page.
  app.get(
    '/api/wishlist',
    { ...documentedRead({ summary: 'My wishlist, the latest first', tags, response: wishlistPage }), onRequest },
    async (request, reply) =>
      reply.send({ items: await listWishes(database, identityOf(request).accountId), nextCursor: null }),
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
      status: 201,
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
