import type { FastifyInstance } from 'fastify'
import { requireAdmin } from '../../accounts/authenticate.ts'
import { documentedRead, isId, parseRequest, readCursor, writeCursor } from '../../http.ts'
import type { Pantry } from '../../pantry.ts'
import type { EventApplier } from './apply-events.ts'
import type { ReplayWebhook } from './replay-webhook.ts'
import { listEvents } from './webhook-events.queries.ts'
import { viewEvent, webhookEventView, webhookPage, webhookQuery } from './webhooks.schema.ts'

export interface WebhookAdminOptions {
  readonly pantry: Pantry
  readonly replayWebhook: ReplayWebhook
  readonly applier: EventApplier
}

/** What administrators see of the inbox, and do about its dead letters. */
export function webhooksAdminRoutes(
  app: FastifyInstance,
  { pantry, replayWebhook, applier }: WebhookAdminOptions,
): void {
  const tags = ['administration']

  app.get(
    '/api/admin/webhooks',
    {
      ...documentedRead({
        summary: 'Events received from gateways, the latest first',
        tags,
        querystring: webhookQuery,
        response: webhookPage,
      }),
      onRequest: requireAdmin,
    },
    async (request, reply) => {
      const { state, gateway, limit, cursor } = parseRequest(webhookQuery, request.query)
      const [after] = readCursor(cursor, 1) ?? []
      const found = await listEvents(pantry.database, {
        state,
        gateway,
        limit: limit + 1,
        after: after !== undefined && isId(after) ? after : undefined,
      })
      const items = found.slice(0, limit).map((event) => ({ ...viewEvent(event), payload: event.payload }))
      const last = items.at(-1)
      return reply.send({ items, nextCursor: found.length > limit && last ? writeCursor([last.id]) : null })
    },
  )

  app.operation({
    method: 'POST',
    url: '/api/admin/webhooks/:id/replay',
    operation: replayWebhook,
    key: 'optional',
    onRequest: requireAdmin,
    onResponse: async (request, reply) => {
      if (reply.statusCode === 200 && !reply.hasHeader('idempotent-replayed'))
        applier.soon((request.params as { id: string }).id)
    },
    schema: { summary: 'Apply an event once more', tags, response: webhookEventView },
  })
}
