import { z } from 'zod'
import type { CallLog } from './call-log.ts'
import { barrierRule, faultRule, type FaultQueue } from './faults.ts'
import type { WebhookSender } from './webhook-sender.ts'

/** A vendor's own control routes: answers undefined where the path is none of them. */
export type ExtraControl = (
  method: string,
  path: string,
  body: unknown,
) => Promise<ControlAnswer | undefined> | ControlAnswer | undefined

export interface ControlAnswer {
  readonly status: number
  readonly body: unknown
}

export interface Controlled {
  readonly calls: CallLog
  readonly faults: FaultQueue
  readonly webhooks: WebhookSender
  /** Everything the vendor's book says, as JSON. */
  readonly book: () => unknown
  /** Empties the vendor's book. */
  readonly reset: () => void
  readonly extra?: ExtraControl
}

const webhookEndpoint = z.strictObject({ url: z.url({ protocol: /^https?$/ }), secret: z.string().min(1).optional() })

/**
 * The routes outside the vendor's API by which a test steers a simulator, the same for every vendor:
 *
 * | route | |
 * |---|---|
 * | `POST /_control/faults {match?, times?, faults}` | queues faults for the next matching calls; 201 `{id}` |
 * | `GET /_control/faults`, `DELETE /_control/faults` | what is queued; removes all of it and lets held calls go on |
 * | `POST /_control/barriers {match?, at?, times?}` | holds matching calls at a point; 201 `{id}` |
 * | `GET /_control/barriers/:id?waitMs=` | `{id, held}`; with `waitMs` answers as soon as a call is held, 408 when none came |
 * | `POST /_control/barriers/:id/release` | also releases a `hang` fault, by the id of its rule |
 * | `GET /_control/calls?after=` | the call log, optionally after a sequence number |
 * | `GET /_control/book`, `GET /_control/webhooks` | the vendor's book; every delivery attempt |
 * | `PUT /_control/webhook {url, secret?}` | where events go from now on |
 * | `POST /_control/reset` | book, keys, faults, log and deliveries emptied |
 */
export async function control(it: Controlled, method: string, url: URL, text: string): Promise<ControlAnswer> {
  const path = url.pathname.slice('/_control'.length)
  const route = `${method} ${path}`
  let body: unknown
  try {
    body = text === '' ? {} : JSON.parse(text)
  } catch (cause) {
    return { status: 400, body: { error: `the body is not JSON: ${(cause as Error).message}` } }
  }

  const barrier = /^\/barriers\/([^/]+)(\/release)?$/.exec(path)
  if (barrier)
    return steerBarrier(
      it,
      method,
      barrier[1] ?? '',
      barrier[2] !== undefined,
      Number(url.searchParams.get('waitMs') ?? 0),
    )

  switch (route) {
    case 'POST /faults':
      return parsed(faultRule, body, (rule) => ({ status: 201, body: { id: it.faults.add(rule).id } }))
    case 'GET /faults':
      return { status: 200, body: { rules: it.faults.list() } }
    case 'DELETE /faults':
      return { status: 200, body: { removed: it.faults.clear() } }
    case 'POST /barriers':
      return parsed(barrierRule, body, ({ match, at, times }) => ({
        status: 201,
        body: { id: it.faults.add({ match, times, faults: [{ kind: 'hang', at }] }).id },
      }))
    case 'GET /calls': {
      const after = Number(url.searchParams.get('after') ?? 0)
      return { status: 200, body: { calls: it.calls.list().filter((call) => call.sequence > after) } }
    }
    case 'GET /book':
      return { status: 200, body: it.book() }
    case 'GET /webhooks':
      return { status: 200, body: { endpoint: it.webhooks.endpoint.url, deliveries: it.webhooks.deliveries() } }
    case 'PUT /webhook':
      return parsed(webhookEndpoint, body, (endpoint) => {
        it.webhooks.endpoint = { url: endpoint.url, secret: endpoint.secret ?? it.webhooks.endpoint.secret }
        return { status: 200, body: { url: endpoint.url } }
      })
    case 'POST /reset':
      resetAll(it)
      return { status: 200, body: {} }
  }
  return (await it.extra?.(method, path, body)) ?? { status: 404, body: { error: `no control route ${route}` } }
}

function resetAll(it: Controlled): void {
  it.faults.clear()
  it.calls.clear()
  it.webhooks.clear()
  it.reset()
}

async function steerBarrier(
  it: Controlled,
  method: string,
  id: string,
  release: boolean,
  waitMs: number,
): Promise<ControlAnswer> {
  const barrier = it.faults.find(id)
  if (!barrier) return { status: 404, body: { error: `no barrier ${id}; a released one is gone` } }
  if (release && method === 'POST') {
    barrier.release()
    return { status: 200, body: { id } }
  }
  if (release || method !== 'GET') return { status: 404, body: { error: 'GET a barrier, or POST to its release' } }
  const held = () => it.faults.list().find((rule) => rule.id === id)?.held ?? 0
  if (held() === 0 && waitMs > 0) {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, waitMs)
    })
    await Promise.race([barrier.held(), late])
    clearTimeout(timer)
    if (held() === 0) return { status: 408, body: { id, held: 0, error: `no call was held within ${waitMs} ms` } }
  }
  return { status: 200, body: { id, held: held() } }
}

function parsed<T>(schema: z.ZodType<T>, body: unknown, use: (value: T) => ControlAnswer): ControlAnswer {
  const result = schema.safeParse(body)
  return result.success ? use(result.data) : { status: 400, body: { error: z.prettifyError(result.error) } }
}
