import type { FastifyInstance, FastifyRequest } from 'fastify'
import { documented } from 'safepoint/fastify'
import { z } from 'zod'
import { isId, jsonSchema } from '../http.ts'
import type { Pantry } from '../pantry.ts'
import { findPayment } from './find-payment.ts'
import type { OfferedGateways } from './offered-gateways.ts'
import { isLive } from './payments.ts'
import { rejectsReturn } from './read-return.ts'

export interface ReturnRouteOptions {
  readonly pantry: Pantry
  readonly gateways: OfferedGateways
  /** Brings a payment to where its gateway says that it stands. */
  readonly settle: (paymentId: string, wait: number) => Promise<unknown>
}

/** How long a browser waits for the gateway's word before it is sent on, in milliseconds. */
const patience = 3000

/**
 * Where a gateway's page sends the customer's browser, with a query or a form, whatever has happened there. Open, because the
 * browser comes from elsewhere and brings no token. Nothing that it brings is believed: the gateway is asked, and the answer
 * is the same in each case, so that nobody learns of a payment by its id.
 */
export function returnRoutes({ pantry, gateways, settle }: ReturnRouteOptions) {
  return async (app: FastifyInstance): Promise<void> => {
    app.addContentTypeParser(
      'application/x-www-form-urlencoded',
      { parseAs: 'string', bodyLimit: 16 * 1024 },
      (_request, body, done) => done(null, Object.fromEntries(new URLSearchParams(body as string))),
    )
    const route = (summary: string) => ({
      ...documented({
        summary,
        tags: ['shop'],
        security: [],
        params: jsonSchema(z.strictObject({ id: z.string() }), 'input'),
        response: { 303: { description: 'To the order’s page.', type: 'null' } },
      }),
      // It writes, and asks the gateway, also where it is a GET.
      config: { limit: 'write' as const },
      exposeHeadRoute: false,
    })
    const handler = async (request: FastifyRequest<{ Params: { id: string } }>) => {
      const { id } = request.params
      const payment = isId(id) ? await findPayment(pantry.database, id) : undefined
      const brought = stringsOf({ ...(request.query as object), ...(request.body as object | undefined) })
      // This route is open, and the gateway's time is not free: what has ended is not asked after, nor what is signed wrongly.
      const ended = payment && (isLive(payment) ? payment.status === 'captured' : payment.status !== 'failed')
      if (payment && !ended && !rejectsReturn(gateways, payment, brought))
        await settle(id, patience).catch((error: unknown) =>
          request.log.info({ err: error, payment: id }, 'a returning browser is told nothing yet'),
        )
      return payment ? `/?order=${payment.orderId}` : '/'
    }
    app.get<{ Params: { id: string } }>(
      '/api/payments/:id/return',
      route('Where the gateway sends the browser'),
      async (request, reply) => reply.redirect(await handler(request), 303),
    )
    app.post<{ Params: { id: string } }>(
      '/api/payments/:id/return',
      route('Where the gateway sends the browser, with a form'),
      async (request, reply) => reply.redirect(await handler(request), 303),
    )
  }
}

const stringsOf = (given: object): Record<string, string> =>
  Object.fromEntries(Object.entries(given).filter((entry): entry is [string, string] => typeof entry[1] === 'string'))
