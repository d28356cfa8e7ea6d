import { setTimeout as pause } from 'node:timers/promises'
import { uuidv7 } from 'safepoint'
import type { Reply } from '../checkout/shopper.ts'
import type { PlannedOperation } from './random-plan.ts'
import { makeRequest, type RandomRequest } from './random-requests.ts'
import type { RandomWorld } from './random-world.ts'

/** What somebody was told about a key. Status 0: the connection broke. */
export interface Answer {
  readonly call: 'run' | 'cancel'
  readonly status: number
  readonly body: any
  readonly text: string
  /** Whoever asked has waited long enough. */
  readonly gaveUp?: boolean
}

export interface Performed {
  readonly kind: string
  /** What came of it, in a word. */
  readonly outcome: string
  readonly scope?: string
  readonly key?: string
  readonly request?: Pick<RandomRequest, 'method' | 'path' | 'body'>
  readonly answers: readonly Answer[]
}

/** Does what was planned, with what was to happen to it on its way. */
export async function perform(world: RandomWorld, planned: PlannedOperation): Promise<Performed> {
  const { kind } = planned
  await orderGatewayTrouble(world, planned)
  const request = await makeRequest(world, planned)
  if (request === undefined) return { kind, outcome: 'nothing to do it to', answers: [] }
  // Faults meet customers on the gateways' pages too.
  if (typeof request === 'function')
    return { kind, outcome: await request().catch((error: Error) => error.message), answers: [] }
  const key = uuidv7()
  const answers = request.keyless ? [await ask(world, request, key, planned)] : await send(world, request, key, planned)
  learn(world, request, key, answers)
  const { method, path, body } = request
  const sent = { method, path, ...(body && { body }) }
  const common = { kind, outcome: outcomeOf(answers), answers, request: sent }
  return request.keyless ? common : { ...common, scope: request.by.scope, key }
}

async function orderGatewayTrouble({ shop }: RandomWorld, { gatewayTrouble }: PlannedOperation): Promise<void> {
  if (!gatewayTrouble) return
  const { gateway, path, times, fault } = gatewayTrouble
  const match = path === undefined ? {} : { path }
  await shop.gateways[gateway]!('POST', '/faults', { match, times, faults: [fault] })
}

async function ask(
  { shop }: RandomWorld,
  { by, method, path, body, headers = {} }: RandomRequest,
  key: string,
  {
    server,
    again = false,
    signal,
  }: { readonly server: number; readonly again?: boolean; readonly signal?: AbortSignal },
): Promise<Answer> {
  const patience = AbortSignal.timeout(5000)
  try {
    const reply = await by.send(shop.urls[server]!, method, path, body, {
      key,
      headers: { ...headers, ...(again && { 'retry-attempt': '1' }) },
      signal: signal ? AbortSignal.any([signal, patience]) : patience,
    })
    return answerOf('run', reply)
  } catch (error) {
    return { call: 'run', status: 0, body: undefined, text: String(error), gaveUp: patience.aborted }
  }
}

async function send(
  world: RandomWorld,
  request: RandomRequest,
  key: string,
  { server, trouble }: PlannedOperation,
): Promise<readonly Answer[]> {
  switch (trouble.kind) {
    case 'none':
      return [await ask(world, request, key, { server })]
    case 'retry':
      return Promise.all([
        ask(world, request, key, { server }),
        pause(trouble.after).then(() => ask(world, request, key, { server: trouble.server, again: true })),
      ])
    case 'cancel': {
      const at = world.shop.urls[trouble.server]!
      return Promise.all([
        ask(world, request, key, { server }),
        pause(trouble.after).then(async () =>
          answerOf('cancel', await request.by.send(at, 'POST', `/api/operations/${key}/cancel`, {})),
        ),
      ])
    }
    case 'cut': {
      const signal = AbortSignal.timeout(Math.max(1, trouble.after))
      const first = await ask(world, request, key, { server, signal })
      if (first.status !== 0 || !trouble.again) return [first]
      return [first, await ask(world, request, key, { server: trouble.server, again: true })]
    }
  }
}

const answerOf = (call: Answer['call'], { status, body, text }: Reply): Answer => ({ call, status, body, text })

/** What the answers tell of can be used by what comes later. */
function learn(world: RandomWorld, { by, owner }: RandomRequest, key: string, answers: readonly Answer[]): void {
  const made = answers.find(({ call, status }) => call === 'run' && (status === 200 || status === 201))?.body
  if (!made) return
  world.done.push({ key, by })
  if (!owner) return
  const orderId: string = made.orderId ?? made.order?.id ?? made.id
  if (world.orders.every(({ id }) => id !== orderId)) world.orders.push({ id: orderId, owner })
  const payment = made.payment ?? made.order?.payment ?? made
  const { url, fields } = payment.checkout ?? {}
  if (typeof url !== 'string') return
  const page = { gateway: payment.gateway as string, url, ...(fields && { fields }) }
  world.pages.push({ paymentId: payment.paymentId ?? payment.id, owner, page })
}

function outcomeOf(answers: readonly Answer[]): string {
  const cancel = answers.find(({ call }) => call === 'cancel')
  const run = answers.find(({ call, status }) => call === 'run' && status !== 0)
  if (cancel) return `cancel: ${cancel.body?.outcome ?? cancel.body?.code ?? cancel.status}`
  if (!run) return answers.every(({ gaveUp }) => gaveUp) ? 'asked for five seconds, and left' : 'cut'
  if (run.status === 200 || run.status === 201) return answers.length > 1 ? 'done, asked twice' : 'done'
  return `${run.status} ${run.body?.code ?? run.body?.state ?? ''}`
}
