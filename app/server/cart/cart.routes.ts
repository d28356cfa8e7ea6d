import type { FastifyInstance } from 'fastify'
import { documented, eventStreamResponse } from 'safepoint/fastify'
import { requireAccount, identityOf } from '../accounts/authenticate.ts'
import { accountStream } from '../events/account-stream.ts'
import { documentedRead, sendTagged } from '../http.ts'
import type { Pantry } from '../pantry.ts'
import type { addCartItem } from './add-cart-item.ts'
import { cart, mergedCart } from './cart.schema.ts'
import type { changeCartItem } from './change-cart-item.ts'
import type { clearCart } from './clear-cart.ts'
import type { mergeCart } from './merge-cart.ts'
import { readCart } from './read-cart.ts'
import type { removeCartItem } from './remove-cart-item.ts'
import { watchCart } from './watch-cart.ts'

export interface CartOperations {
  readonly addCartItem: ReturnType<typeof addCartItem>
  readonly changeCartItem: ReturnType<typeof changeCartItem>
  readonly removeCartItem: ReturnType<typeof removeCartItem>
  readonly clearCart: ReturnType<typeof clearCart>
  readonly mergeCart: ReturnType<typeof mergeCart>
}

export function cartRoutes(app: FastifyInstance, pantry: Pantry, operations: CartOperations): void {
  const { database, safepoint } = pantry
  const tags = ['shop']
  const onRequest = requireAccount

  app.get(
    '/api/cart',
    { ...documentedRead({ summary: 'The active cart', tags, response: cart, tagged: true }), onRequest },
    async (request, reply) => {
      return sendTagged(reply, await readCart(pantry, identityOf(request).accountId))
    },
  )

  app.get(
    '/api/cart/events',
    {
      ...documented({ summary: 'Versions of the cart, as they come', tags, response: eventStreamResponse }),
      onRequest,
      exposeHeadRoute: false,
    },
    (request, reply) => {
      const identity = identityOf(request)
      const { accountId } = identity
      return accountStream(
        reply,
        identity,
        () =>
          async function* (signal) {
            for await (const data of watchCart({ bus: safepoint.bus, database, accountId, signal })) yield { data }
          },
      )
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
  app.operation({
    method: 'POST',
    url: '/api/cart/merge',
    operation: operations.mergeCart,
    key: 'required',
    onRequest,
    schema: {
      summary: "Merge a guest's cart, once",
      description:
        "What does not fit does not hold up the rest: it comes back as `notMerged`. The key belongs to the guest's cart, so that several tabs that log in at once merge it once.",
      tags,
      response: mergedCart,
    },
  })
}
