import type { FastifyRequest } from 'fastify'
import { refuse, uuidv7, type InputOf } from 'safepoint'
import { GatewayError } from '../gateways/gateway-error.ts'
import type { GatewayName, WebhookReading } from '../gateways/gateway.ts'
import type { OfferedGateways } from '../offered-gateways.ts'
import type { ReceiveEvent } from './receive-event.ts'
import { payloadPrint, subjectOf } from './webhook-events.ts'

/** Of a gateway that signs nothing and has to be asked, in milliseconds: with the rest well within the five seconds that gateways wait. */
const askTimeout = 3000

/** A webhook whose sender is known to be the gateway. */
export interface VerifiedWebhook {
  readonly key: string
  readonly input: InputOf<ReceiveEvent>
  /** What tells another payload under the same event id. */
  readonly print: unknown
}

export type WebhookVerdict =
  | { readonly verified: VerifiedWebhook }
  | { readonly rejected: Extract<WebhookReading, { status: 'rejected' }>['reason'] }

/**
 * Verifies a request as it came in, before anything is looked up. Throws `not_configured` for a gateway that is not
 * offered, `gateway_unavailable` where one had to be asked and did not answer.
 */
export async function readWebhook(
  gateways: OfferedGateways,
  name: GatewayName,
  request: FastifyRequest,
): Promise<WebhookVerdict> {
  const gateway = gateways.get(name)
  const { rawBody, headers } = receivedBytes(request)
  const call = { key: `webhook-${request.id}`, signal: AbortSignal.timeout(askTimeout), timeoutMs: askTimeout }
  const reading = await gateway.readWebhook({ rawBody, headers }, Date.now(), call).catch((error: unknown) => {
    if (!(error instanceof GatewayError)) throw error
    throw refuse('gateway_unavailable', 'The gateway could not be asked about this event.', {
      cause: error,
      retryable: true,
      ...(error.retryAfterMs !== undefined && { retryAfterMs: error.retryAfterMs }),
    })
  })
  if (reading.status === 'rejected') return { rejected: reading.reason }
  const { event } = reading
  return {
    verified: {
      key: event.id,
      input: {
        id: uuidv7(),
        gateway: name,
        eventId: event.id,
        type: event.type,
        occurredAt: event.createdAt,
        subject: subjectOf(event),
        payload: Buffer.from(rawBody).toString('base64'),
      },
      print: payloadPrint(name, event, rawBody),
    },
  }
}

/** A GET says in its query what a POST says in a form. */
function receivedBytes({ method, url, body, headers }: FastifyRequest) {
  if (method !== 'GET') return { rawBody: Buffer.isBuffer(body) ? body : Buffer.alloc(0), headers }
  const at = url.indexOf('?')
  const query = at < 0 ? '' : url.slice(at + 1)
  return { rawBody: Buffer.from(query), headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded' } }
}
