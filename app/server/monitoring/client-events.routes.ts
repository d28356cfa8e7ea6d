import type { FastifyInstance } from 'fastify'
import { documented } from 'safepoint/fastify'
import { z } from 'zod'
import { requireAccount } from '../accounts/authenticate.ts'
import { jsonSchema, parseRequest } from '../http.ts'
import { clientEventTypes, countClientEvents } from './client-events.ts'

/** Counts of one request: no client counts more between two of them, and who lies does not spoil the figures of a day. */
const most = 10_000

const clientEvents = z.strictObject({
  events: z
    .array(z.strictObject({ type: z.enum(clientEventTypes), count: z.int().min(1).max(most) }))
    .max(clientEventTypes.length)
    .refine((events) => new Set(events.map(({ type }) => type)).size === events.length, 'One entry a type.'),
})

export function clientEventsRoutes(app: FastifyInstance): void {
  app.post(
    '/api/client-events',
    {
      ...documented({
        summary: 'What a client has counted',
        description: 'Feeds the figures of the administration only; nothing is stored.',
        tags: ['monitoring'],
        body: jsonSchema(clientEvents, 'input'),
        response: { 204: { description: 'Counted.', type: 'null' } },
      }),
      // Not among the writes: figures do not use up what an account may do in the shop.
      config: { limit: 'read' },
      onRequest: requireAccount,
    },
    async (request, reply) => {
      countClientEvents(parseRequest(clientEvents, request.body).events)
      return reply.code(204).send()
    },
  )
}
