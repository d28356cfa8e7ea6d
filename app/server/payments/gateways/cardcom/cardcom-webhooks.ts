import { GatewayError } from '../gateway-error.ts'
import type { GatewayCall, WebhookReading, WebhookRequest } from '../gateway.ts'
import type { CardcomClient } from './cardcom-client.ts'
import type { PageResult } from './cardcom-objects.ts'
import { getPageResult, pageIdSchema } from './cardcom-pages.ts'

/** The page's id in API v11, and in the API before it. */
const names = ['lowprofileid', 'lowprofilecode']

/**
 * CardCom signs nothing, and anybody can post a success. Of a request only the page's id is read; what happened there is
 * asked of CardCom, and the event says that and nothing else. So five requests about one page are one event, whatever they
 * say. Throws where CardCom does not answer: then it has to send again.
 *
 * https://cardcomapi.zendesk.com/hc/he/articles/28448202810514 tells to ask, too.
 */
export async function readCardcomWebhook(
  client: CardcomClient,
  request: WebhookRequest,
  now: number,
  call: GatewayCall,
): Promise<WebhookReading> {
  const pageId = pageIdOf(request.rawBody)
  if (pageId === undefined) return { status: 'rejected', reason: 'malformed' }
  let result: PageResult
  try {
    result = await getPageResult(client, pageId, call)
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'not_ours') return notConfirmed
    throw error
  }
  const { checkout, decided } = result
  if (decided === null) return notConfirmed
  const type = checkout.status === 'paid' ? 'paid' : checkout.declined ? 'declined' : 'validated'
  return {
    status: 'verified',
    event: {
      id: `${pageId}:${decided.transactionId}:${decided.code}`,
      type: `lowprofile.${type}`,
      // CardCom's times name no zone; of the event there is nothing to know but that it is true now.
      createdAt: new Date(now).toISOString(),
      subject: { kind: 'checkout', checkout },
    },
  }
}

const notConfirmed: WebhookReading = { status: 'rejected', reason: 'not_confirmed' }

/** JSON, or a form, which is also what the query of a GET is. */
function pageIdOf(rawBody: Uint8Array): string | undefined {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(rawBody).trim()
  } catch {
    return undefined
  }
  const entries = text.startsWith('{') ? jsonEntries(text) : [...new URLSearchParams(text)]
  const found = entries.find(([name]) => names.includes(name.toLowerCase()))
  const id = pageIdSchema.safeParse(found?.[1])
  return id.success ? id.data.toLowerCase() : undefined
}

function jsonEntries(text: string): [string, unknown][] {
  try {
    return Object.entries(JSON.parse(text) as object)
  } catch {
    return []
  }
}
