import type { FastifyInstance } from 'fastify'
import { eventStream } from 'safepoint/fastify'
import { requireAccount, identityOf } from '../accounts/authenticate.ts'
import { documentedRead, sendTagged } from '../http.ts'
import type { Pantry } from '../pantry.ts'
import type { addCartItem } from './add-cart-item.ts'
import { getCart } from './cart.queries.ts'
import { cart } from './cart.schema.ts'
import type { changeCartItem } from './change-cart-item.ts'
import type { clearCart } from './clear-cart.ts'
import type { removeCartItem } from './remove-cart-item.ts'
import { watchCart } from './watch-cart.ts'

export interface CartOperations {
  readonly addCartItem: ReturnType<typeof addCartItem>
  readonly changeCartItem: ReturnType<typeof changeCartItem>
  readonly removeCartItem: ReturnType<typeof removeCartItem>
  readonly clearCart: ReturnType<typeof clearCart>
}

export function cartRoutes(
  app: FastifyInstance,
  { database, safepoint, currency }: Pantry,
  operations: CartOperations,
): void {
  const tags = ['shop']
  const onRequest = requireAccount

  app.get(
    '/api/cart',
    { ...documentedRead({ summary: 'The active cart', tags, response: cart }), onRequest },
    async (request, reply) => {
      return sendTagged(reply, await getCart(database, identityOf(request).accountId, currency))
    },
  )

  app.get(
    '/api/cart/events',
    { ...documentedRead({ summary: 'Versions of the cart, as they come', tags }), onRequest },
    (request, reply) => {
      const { accountId, expiresAt } = identityOf(request)
      // A stream is not open for longer than the token it was opened with; the client comes back with a new one.
      return eventStream(reply, async function* (left) {
        const signal = AbortSignal.any([left, AbortSignal.timeout(Math.max(0, expiresAt * 1000 - Date.now()))])
        for await (const data of watchCart({ bus: safepoint.bus, database, accountId, signal })) yield { data }
      })
    },
  )

  app.operation({
    method: 'POST',
    url: '/api/cart/add',
    operation: operations.addCartItem,
    key: 'optional',
    onRequest,
    schema: { summary: 'Add to the cart', tags, response: cart },
  })
  app.operation({
    method: 'PATCH',
    url: '/api/cart/items/:id',
    operation: operations.changeCartItem,
    key: 'optional',
    onRequest,
    schema: { summary: 'Set the quantity of a line; 0 removes it', tags, response: cart },
  })
  app.operation({
    method: 'DELETE',
    url: '/api/cart/items/:id',
    operation: operations.removeCartItem,
    key: 'optional',
    onRequest,
    schema: { summary: 'Remove a line', tags, response: cart },
  })
  app.operation({
    method: 'DELETE',
    url: '/api/cart',
    operation: operations.clearCart,
    key: 'optional',
    onRequest,
    schema: { summary: 'Empty the cart', tags, response: cart },
  })
}
