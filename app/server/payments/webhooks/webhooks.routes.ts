import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { isSafepointError, refuse } from 'safepoint'
import { headers } from 'safepoint/protocol'
import { z } from 'zod'
import { documentedRead } from '../../http.ts'
import type { Pantry } from '../../pantry.ts'
import type { GatewayName } from '../gateways/gateway.ts'
import type { OfferedGateways } from '../offered-gateways.ts'
import type { EventApplier } from './apply-events.ts'
import { readWebhook, type VerifiedWebhook } from './read-webhook.ts'
import type { ReceiveEvent } from './receive-event.ts'
import { gatewayScope } from './webhook-events.ts'

export interface WebhookRoutesOptions {
  readonly pantry: Pantry
  readonly gateways: OfferedGateways
  readonly receiveEvent: ReceiveEvent
  readonly applier: EventApplier
}

const bodyLimit = 512 * 1024
const received = z.object({ received: z.boolean() })

const verified = new WeakMap<FastifyRequest, VerifiedWebhook>()

/** What the hook has verified; the route is not reached without it. */
function webhookOf(request: FastifyRequest): VerifiedWebhook {
  const webhook = verified.get(request)
  if (!webhook) throw new Error('A webhook got past its verification.')
  return webhook
}

/**
 * Where gateways send their events: open, verified by the gateway's own means on the bytes as they came. Register it as a
 * plugin, because its routes alone leave bodies unparsed.
 */
export function webhooksRoutes({ pantry, gateways, receiveEvent, applier }: WebhookRoutesOptions) {
  return async function webhooks(app: FastifyInstance): Promise<void> {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit }, (_request, body, done) => done(null, body))

    const verify = (gateway: GatewayName) => async (request: FastifyRequest, reply: FastifyReply) => {
      const verdict = await readWebhook(gateways, gateway, request)
      if ('verified' in verdict) return void verified.set(request, verdict.verified)
      request.log.warn({ gateway, reason: verdict.rejected }, 'a webhook was rejected')
      // CardCom signs nothing and takes nothing but 200 for an answer; what it does not confirm is of no effect.
      if (gateway === 'cardcom' || verdict.rejected === 'not_confirmed')
        return reply.code(200).send({ received: false })
      return reply.problem(
        refuse('signature_invalid', 'This is not an event of the gateway.', { details: { reason: verdict.rejected } }),
      )
    }
    const afterwards = (gateway: GatewayName) => async (request: FastifyRequest, reply: FastifyReply) => {
      const webhook = verified.get(request)
      if (!webhook || reply.statusCode !== 200) return
      const { id, eventId, type, subject } = webhook.input
      if (reply.hasHeader(headers.replayed))
        return request.log.warn({ gateway, eventId, type }, 'a webhook was delivered again')
      // Another payload under a known event id is acknowledged without an operation.
      if (reply.hasHeader(headers.operationKey) && subject !== null) applier.soon(id)
    }
    const hooks = (gateway: GatewayName) => ({
      preHandler: verify(gateway),
      onSend: acknowledgeKnown,
      onResponse: afterwards(gateway),
      bodyLimit,
      // A gateway's many events come from few addresses; but where it has to be asked about each, that is what costs.
      config: { limit: gateway === 'cardcom' ? ('write' as const) : ('read' as const) },
    })

    for (const gateway of ['stripe', 'razorpay', 'cardcom'] as const) {
      app.operation({
        method: 'POST',
        url: `/api/payments/${gateway}-webhook`,
        operation: receiveEvent,
        key: (request) => webhookOf(request).key,
        scope: () => ({ scope: gatewayScope(gateway), actor: gateway }),
        input: (request) => webhookOf(request).input,
        fingerprintOf: (request) => webhookOf(request).print,
        ...hooks(gateway),
        schema: {
          summary: `An event of ${gateway}`,
          description: descriptions[gateway],
          tags: ['webhooks'],
          security: [],
          body: { description: 'As the gateway sends it, of any content type.' },
          response: received,
        },
      })
    }

    // CardCom's older API calls by GET, possibly several times.
    app.get(
      '/api/payments/cardcom-webhook',
      {
        ...documentedRead({
          summary: 'An event of cardcom, as its older API tells it',
          tags: ['webhooks'],
          response: received,
          open: true,
        }),
        ...hooks('cardcom'),
        exposeHeadRoute: false,
      },
      async (request, reply) => {
        const { key, input, print } = webhookOf(request)
        try {
          const options = { scope: gatewayScope('cardcom'), actor: 'cardcom', key, fingerprintOf: print }
          const answer = await pantry.safepoint.run(receiveEvent, input, options)
          reply.header(headers.operationKey, answer.key)
          if (answer.replayed) reply.header(headers.replayed, 'true')
        } catch (error) {
          if (!isSafepointError(error) || !known.has(error.code)) throw error
        }
        return reply.send({ received: true })
      },
    )
  }
}

/** Another payload under the id of an event; and an event that was received so long ago that its answer is no longer kept. */
const known: ReadonlySet<string> = new Set(['key_reused', 'key_expired'])

/**
 * The engine knows the id of an event for ever, and keeps its answer for a month. An event that comes again after that was
 * received all the same: a gateway that is told anything else sends it again, and gives the whole webhook up in the end.
 */
async function acknowledgeKnown(request: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<unknown> {
  if (reply.statusCode !== 409 || !Buffer.isBuffer(payload)) return payload
  const { code } = JSON.parse(payload.toString('utf8')) as { readonly code?: unknown }
  if (code !== 'key_expired' || !verified.has(request)) return payload
  reply.code(200).type('application/json; charset=utf-8').header(headers.replayed, 'true')
  reply.removeHeader('content-language')
  return JSON.stringify({ received: true })
}

const signed =
  'Open. The signature is verified on the bytes as they came, before anything is looked up; `signature_invalid` leaves no row. ' +
  'An event id that was received before is answered and does nothing; with another payload it is recorded as a conflict, acknowledged, and does nothing.'

const descriptions: Readonly<Record<GatewayName, string>> = {
  stripe: signed,
  razorpay: signed,
  cardcom:
    'Open. CardCom signs nothing, so that CardCom is asked whether it is true; what it does not confirm is answered 200 `{received: false}`, because CardCom takes no other answer, and leaves no row.',
}
