import { z } from 'zod'
import { GatewayError } from '../gateway-error.ts'
import type { GatewayCall } from '../gateway.ts'
import { gatewayRoot, retryAfterOf, sendToGateway, type GatewayReply } from '../gateway-request.ts'
import type { CardcomConfig } from './cardcom-config.ts'
import { done, type Operation } from './cardcom-wire.ts'
import { parseExact } from './exact-json.ts'

/**
 * CardCom over `fetch`: five POSTs of JSON. Most answers are HTTP 200, and `ResponseCode` says what they are: whoever
 * calls decides which of them it has a use for, and throws the rest as a `refusal`.
 */
export interface CardcomClient {
  readonly terminalNumber: number
  /** A question: it has no effect that could be unknown. */
  ask(operation: Operation, body: object, call: GatewayCall): Promise<CardcomReply>
  /**
   * Something that takes effect. `repeatable`: whether it may be sent again after its answer was lost. Nothing of
   * CardCom's tells a repeat from the first while the first is being executed.
   */
  act(operation: Operation, body: object, call: GatewayCall, repeatable: boolean): Promise<CardcomReply>
}

export interface CardcomReply {
  readonly code: number
  readonly description: string
  /** Parsed; its numbers are text (see `parseExact`). */
  readonly body: unknown
  /** Of the call that it answers. */
  readonly lost: 'unknown' | 'unavailable'
}

const codeText = z.string().regex(/^-?\d{1,9}$/)
const envelope = z.object({ ResponseCode: codeText, Description: z.string().nullish() })

/** Statuses of a request that was read and turned down; 408, 409, 429 and 5xx say less. */
const refusals = new Set([400, 401, 403, 404, 405, 413, 415, 422])

export function createCardcomClient(config: CardcomConfig): CardcomClient {
  // Taken with the vendor's path or without it.
  const root = `${gatewayRoot(config.baseUrl, 'CARDCOM_BASE_URL').replace(/\/api\/v11$/i, '')}/api/v11/`
  const { terminalNumber: TerminalNumber, apiName: ApiName, apiPassword: ApiPassword } = config
  const credentials = {
    terminal: { TerminalNumber, ApiName },
    company: { ApiName, ApiPassword },
    user: { TerminalNumber, UserName: ApiName, UserPassword: ApiPassword },
  }
  const send = async (operation: Operation, body: object, call: GatewayCall, lost: 'unknown' | 'unavailable') => {
    const reply = await sendToGateway(
      'cardcom',
      {
        method: 'POST',
        url: root + operation.path,
        headers: { 'content-type': 'application/json', accept: 'application/json' },
        body: JSON.stringify({ ...credentials[operation.credentials], ...body }),
        lost,
      },
      call,
    )
    return read(reply, lost)
  }
  return {
    terminalNumber: TerminalNumber,
    ask: (operation, body, call) => send(operation, body, call, 'unavailable'),
    async act(operation, body, call, repeatable) {
      try {
        return await send(operation, body, call, 'unknown')
      } catch (error) {
        if (repeatable || !(error instanceof GatewayError) || error.kind !== 'unknown') throw error
        const { code, status, message, cause } = error
        throw new GatewayError('cardcom', 'unknown', code, message.replace(/^cardcom: /, ''), {
          retryable: false,
          cause,
          ...(status === undefined ? {} : { status }),
        })
      }
    },
  }
}

function read(reply: GatewayReply, lost: 'unknown' | 'unavailable'): CardcomReply {
  const { status } = reply
  let body: unknown
  try {
    body = parseExact(reply.text)
  } catch (cause) {
    // Of a success: it was done, and what was done is not known.
    if (reply.ok) throw new GatewayError('cardcom', lost, 'bad_response', 'the answer is not JSON', { status, cause })
  }
  const said = envelope.safeParse(body)
  const description = (said.success && said.data.Description) || `status ${status}`
  if (reply.ok) {
    // A list has no envelope.
    if (Array.isArray(body)) return { code: done, description: '', body, lost }
    if (said.success) return { code: Number(said.data.ResponseCode), description, body, lost }
    throw new GatewayError('cardcom', lost, 'bad_response', 'the answer has no ResponseCode', { status })
  }
  const code = said.success ? said.data.ResponseCode : `http_${status}`
  if (refusals.has(status)) throw new GatewayError('cardcom', 'refused', code, description, { status })
  const kind = status === 429 ? 'unavailable' : lost
  throw new GatewayError('cardcom', kind, code, description, {
    status,
    ...retryAfterOf(reply.headers),
  })
}

/** What a no that nobody has a better use for is thrown as. */
export function refusal({ code, description }: Pick<CardcomReply, 'code' | 'description'>): GatewayError {
  return new GatewayError('cardcom', 'refused', String(code), description)
}

/** Reads an answer; one of another shape means that something was done which we cannot tell. */
export function readAs<T>(schema: z.ZodType<T>, { body, lost }: Pick<CardcomReply, 'body' | 'lost'>): T {
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data
  throw new GatewayError('cardcom', lost, 'bad_response', 'the answer has an unexpected shape', {
    retryable: lost === 'unavailable',
    cause: parsed.error,
  })
}
