import type { FastifyInstance, FastifyRequest, RouteShorthandOptions } from 'fastify'
import { engineError } from '../errors.ts'
import { headers, type CancelAnswer, type OperationView, type UndoOffer } from '../protocol.ts'
import type { CancelOptions } from '../options.ts'
import { isTerminal } from '../states.ts'
import { disconnectOf } from './disconnect.ts'
import { eventStream, type StreamEvent } from './event-stream.ts'
import { operationHref, readIdempotencyKey, readPathKey, writeKey } from './idempotency-key.ts'
import type { OperationRouteContext, RouteExtras } from './operation-route.ts'
import { cancelAnswerSchema, jsonResponse, pendingSchema, viewSchema } from './answer-schemas.ts'
import { eventStreamResponse, ownSchema, type JsonSchema } from './route-schema.ts'
import { sendAnswer, sendRunError } from './send-answer.ts'

type Keyed = { Params: { key: string } }

const maxReasonLength = 500

/**
 * The routes about operations themselves, each for the caller's own scope only; another's key looks like one that was never
 * used. See http-api.md: `GET <path>/:key`, `POST <path>/:key/cancel`, `POST <path>/:key/undo`, `GET <path>/:key/events`.
 */
export function operationsRoutes(
  app: FastifyInstance,
  path: string,
  context: OperationRouteContext,
  extras: RouteExtras,
): void {
  const { safepoint, caller, operationsPath } = context
  const schema = (
    summary: string,
    more: { headers?: JsonSchema; body?: JsonSchema; response: Record<number, JsonSchema> },
  ): RouteShorthandOptions => ({
    ...extras,
    ...ownSchema({ summary, tags: ['operations'], params: { key: 'The Idempotency-Key, percent-encoded.' }, ...more }),
  })
  const withHref = <T extends { readonly undo?: UndoOffer }>(answer: T, key: string): T =>
    answer.undo?.available
      ? { ...answer, undo: { ...answer.undo, href: `${operationHref(operationsPath, key)}/undo` } }
      : answer

  const viewOptions = schema('State and result of an operation', {
    response: { 200: jsonResponse('How it stands; `none` where there is no trace of it.', viewSchema) },
  })
  app.get<Keyed>(`${path}/:key`, viewOptions, async (request, reply) => {
    const { scope } = await caller(request)
    const key = readPathKey(request.params.key)
    const view = await safepoint.find(scope, key)
    return reply
      .header('cache-control', 'no-store')
      .type('application/json; charset=utf-8')
      .send(JSON.stringify(shown(view)))
    function shown(found: OperationView): OperationView {
      return found.state === 'none' ? found : withHref(found, key)
    }
  })

  const cancelSchema = schema('Cancel an operation, and learn the truth', {
    headers: {
      type: 'object',
      properties: { [headers.idempotencyKey]: { type: 'string', description: "The cancel's own key." } },
    },
    body: {
      type: 'object',
      properties: { reason: { type: 'string', maxLength: maxReasonLength } },
      additionalProperties: false,
    },
    response: {
      200: jsonResponse(
        'The truth: `cancelled`, `too_late` (with the result and how to undo it) or `needs_attention`.',
        cancelAnswerSchema,
      ),
      202: jsonResponse('`undoing`: the cancel has won, and what was done so far is being undone.', cancelAnswerSchema),
    },
  })
  app.post<Keyed>(`${path}/:key/cancel`, cancelSchema, async (request, reply) => {
    const { scope, actor } = await caller(request)
    const key = readPathKey(request.params.key)
    const reason = reasonOf(request.body)
    const requestKey = readIdempotencyKey(request.raw)
    const options: CancelOptions = {
      ...(actor !== undefined && { actor }),
      ...(reason !== undefined && { reason }),
      ...(requestKey !== undefined && { requestKey }),
      ...(request.body !== undefined && request.body !== null && { payload: request.body }),
    }
    let answer: CancelAnswer
    try {
      answer = await safepoint.cancel(scope, key, options)
    } catch (error) {
      return sendRunError(reply, error, key, operationsPath)
    }
    reply.code(answer.outcome === 'undoing' ? 202 : 200).header(headers.operationKey, writeKey(key))
    if (answer.outcome === 'undoing') reply.header('location', operationHref(operationsPath, key))
    return reply
      .type('application/json; charset=utf-8')
      .send(JSON.stringify('undo' in answer ? withHref(answer, key) : answer))
  })

  app.post<Keyed>(
    `${path}/:key/undo`,
    schema('Undo a succeeded operation; two undos are one', {
      response: {
        200: jsonResponse('What its undo answers.', {}),
        202: jsonResponse('Under way: watch it at `operation.href`.', pendingSchema),
      },
    }),
    async (request, reply) => {
      const disconnect = disconnectOf(reply)
      const { scope, actor } = await caller(request)
      const key = readPathKey(request.params.key)
      try {
        const answer = await safepoint.undo(scope, key, { disconnect, ...(actor !== undefined && { actor }) })
        return sendAnswer(reply, answer, operationsPath)
      } catch (error) {
        return sendRunError(reply, error, key, operationsPath)
      }
    },
  )

  app.get<Keyed>(
    `${path}/:key/events`,
    {
      ...schema('Progress and state changes as server-sent events', {
        response: { ...eventStreamResponse, 204: { description: 'The end was told already.', type: 'null' } },
      }),
      exposeHeadRoute: false,
    },
    async (request, reply) => {
      const { scope } = await caller(request)
      const key = readPathKey(request.params.key)
      const gone = new AbortController()
      const views = safepoint.watch(scope, key, { signal: gone.signal })[Symbol.asyncIterator]()
      // Before the stream begins, so that what goes wrong is still a problem with a status.
      const first = await views.next()
      if (first.done || (isEnd(first.value) && lastEventId(request) === first.value.state)) {
        // It was told already: 204 keeps an EventSource from connecting again.
        gone.abort()
        await views.return?.()
        return reply.code(204).send()
      }
      await eventStream(reply, (signal) => {
        signal.addEventListener('abort', () => gone.abort(), { once: true })
        return eventsOf(first.value, views, (view) => (view.state === 'none' ? view : withHref(view, key)))
      })
    },
  )
}

/** `state` events, each with the whole view; the id is the state, so that a client that saw the end is not told again. */
async function* eventsOf(
  first: OperationView,
  rest: AsyncIterator<OperationView>,
  shown: (view: OperationView) => OperationView,
): AsyncGenerator<StreamEvent> {
  try {
    for (let view = first; ;) {
      yield { event: 'state', id: view.state, data: shown(view) }
      if (isEnd(view)) return
      const next = await rest.next()
      if (next.done) return
      view = next.value
    }
  } finally {
    await rest.return?.()
  }
}

const isEnd = (view: OperationView) => view.state !== 'none' && isTerminal(view.state)

function lastEventId(request: FastifyRequest): string | undefined {
  const id = request.headers['last-event-id']
  return typeof id === 'string' ? id : undefined
}

function reasonOf(body: unknown): string | undefined {
  if (body === undefined || body === null) return undefined
  const refuse = (path: string, message: string) =>
    engineError('input_invalid', 'The input is not valid.', { details: { errors: [{ path, message }] } })
  if (typeof body !== 'object' || Array.isArray(body)) throw refuse('', 'The body must be a JSON object.')
  const { reason, ...unknown } = body as { reason?: unknown }
  const [extra] = Object.keys(unknown)
  if (extra !== undefined) throw refuse(extra, 'Unknown field.')
  if (reason === undefined) return undefined
  if (
    typeof reason !== 'string' ||
    reason.length > maxReasonLength ||
    reason.includes('\0') ||
    !reason.isWellFormed()
  ) {
    throw refuse('reason', `A text of at most ${maxReasonLength} characters.`)
  }
  return reason
}
