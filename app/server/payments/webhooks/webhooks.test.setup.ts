import { randomUUID } from 'node:crypto'
import { until } from '../../../../safepoint/test/support/until.ts'
import type { StripeEvent } from '../../../simulators/stripe/objects.ts'
import { signStripe } from '../../../simulators/stripe/webhook-signature.ts'
import type { Tamper } from '../../../simulators/webhook-sender.ts'
import { pino } from 'pino'
import { afterAll } from 'vitest'
import { buildApp } from '../../app.ts'
import { orderWorld, placeOne, type OrderWorld } from '../../test/order-world.ts'

export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly body: any
}

/** The shop over HTTP, its queue at work, and Stripe's simulator, whose events go nowhere until a test delivers them. */
export async function inboxWorld({ tries }: { readonly tries?: number } = {}) {
  const world = await orderWorld()
  const lines: Array<{ readonly level: number; readonly msg: string; readonly [field: string]: unknown }> = []
  const log = pino({ level: 'info' }, { write: (line) => void lines.push(JSON.parse(line)) })
  const composed = await world.another({ log, ...(tries !== undefined && { webhookTries: tries }) })
  const app = await buildApp({ composed, log })
  const origin = await app.listen({ host: '127.0.0.1', port: 0 })
  afterAll(() => app.close())
  await world.jobs.work([composed.webhooks.job])

  async function post(path: string, body: string, headers: Record<string, string> = {}, to = origin): Promise<Reply> {
    return replyOf(await fetch(`${to}${path}`, { method: 'POST', headers, body }))
  }

  return {
    ...world,
    composed,
    origin,
    /** What was logged, `info` and above. */
    lines,
    log,
    post,
    /** Signed by the simulator's own signer, and sent as it is. */
    async deliver(
      event: object,
      { tamper, body = JSON.stringify(event), to }: { tamper?: Tamper; body?: string; to?: string } = {},
    ) {
      const signature = signStripe(JSON.stringify(event), world.stripe.webhooks.endpoint.secret, tamper)
      const headers = { 'content-type': 'application/json; charset=utf-8', ...signature }
      return post('/api/payments/stripe-webhook', body, headers, to)
    },
    /** What the simulator has recorded of an order's payment, oldest first. */
    eventsOf: (orderId: string): StripeEvent[] =>
      [...world.stripe.book.events.values()].filter(({ data: { object } }) => {
        const { metadata, client_reference_id } = object as {
          metadata?: { order?: string }
          client_reference_id?: string
        }
        return metadata?.order === orderId || client_reference_id === orderId
      }),
    async stateOf(eventId: string) {
      const rows = await world.sql('select * from pantry.webhook_event where event_id = $1', [eventId])
      return rows[0]
    },
    untilState(eventId: string, state: string) {
      return until(
        async () => {
          const [row] = await world.sql('select * from pantry.webhook_event where event_id = $1', [eventId])
          return row?.['state'] === state && row
        },
        { message: `${eventId} is ${state}`, timeoutMs: 10_000, intervalMs: 10 },
      )
    },
  }
}

export type InboxWorld = Awaited<ReturnType<typeof inboxWorld>>

export async function replyOf(answer: Response): Promise<Reply> {
  const text = await answer.text()
  const json = /json/.test(answer.headers.get('content-type') ?? '')
  return { status: answer.status, headers: answer.headers, body: json ? JSON.parse(text) : text }
}

/** An order whose customer has been sent to Stripe's page. */
export async function placeOnPage(world: OrderWorld, options?: Parameters<typeof placeOne>[1]) {
  const placed = await placeOne(world, options)
  const answer = await world.safepoint.run(
    world.operations.confirmOrder,
    { id: placed.order.id, gateway: 'stripe' },
    { scope: placed.customer.scope, key: randomUUID() },
  )
  if (answer.outcome !== 'succeeded') throw new Error(`no page was opened: ${JSON.stringify(answer)}`)
  const { checkout, id: paymentId } = answer.result.payment
  if (!checkout?.url) throw new Error('no page was opened')
  return { ...placed, orderId: placed.order.id, paymentId, page: checkout.url }
}

/** What a customer does on the simulator's page; a bank that asks is told yes. */
export async function payOnPage(page: string, card = 'pm_card_visa'): Promise<void> {
  const form = (fields: Record<string, string>) => ({
    method: 'POST',
    body: new URLSearchParams(fields),
    redirect: 'manual' as const,
  })
  const answer = await fetch(page, form({ action: 'pay', payment_method: card }))
  const to = answer.headers.get('location') ?? ''
  await answer.arrayBuffer()
  if (!to.includes('/pay/authenticate/')) return
  await (await fetch(to, form({ decision: 'approve' }))).arrayBuffer()
}
