import type { FastifyInstance } from 'fastify'
import { identityOf, requireAccount } from '../accounts/authenticate.ts'
import { documentedRead, pageOf, parseRequest, shortQuery } from '../http.ts'
import type { Pantry } from '../pantry.ts'
import { addressOperations } from './address-operations.ts'
import { listAddresses } from './addresses.queries.ts'
import { address, addressPage } from './addresses.schema.ts'

export function addressesRoutes(app: FastifyInstance, { database }: Pantry): void {
  const tags = ['people']
  const onRequest = requireAccount

  app.get(
    '/api/addresses',
    {
      ...documentedRead({ summary: 'My addresses', tags, querystring: shortQuery, response: addressPage }),
      onRequest,
    },
    async (request, reply) => {
      const asked = parseRequest(shortQuery, request.query)
      const all = await listAddresses(database, identityOf(request).accountId)
      return reply.send(pageOf(all, asked, ({ id }) => id))
    },
  )

  app.operation({
    method: 'POST',
    url: '/api/addresses',
    operation: addressOperations.addAddress,
    key: 'optional',
    onRequest,
    schema: {
      summary: 'Keep an address',
      description: '200 with the equal one that is there, 201 for a new one.',
      tags,
      response: address,
      status: [200, 201],
    },
  })
  app.operation({
    method: 'PATCH',
    url: '/api/addresses/:id',
    operation: addressOperations.changeAddress,
    key: 'optional',
    onRequest,
    schema: { summary: 'Change an address', tags, response: address },
  })
  app.operation({
    method: 'DELETE',
    url: '/api/addresses/:id',
    operation: addressOperations.deleteAddress,
    key: 'optional',
    onRequest,
    schema: { summary: 'Delete an address', tags },
  })
}
