import pg from 'pg'
import { uuidv7 } from 'safepoint'
import type { OperationView } from 'safepoint/protocol'
import { until } from '../../../safepoint/test/support/until.ts'
import { findUntrue, type Told } from './check-answers.ts'
import { startServer, type Running } from './processes.ts'
import { findUnbalanced, readFacts } from './read-facts.ts'
import { newShopper, now, send, stockGoods, type Goods, type Shopper } from './shopper.ts'
import { startStatementProxy, type StatementPoint } from './statement-proxy.ts'
import { stripeControl, type Point, type StripeControl } from './stripe-control.ts'

/** What is under way when the process is killed: a checkout, or a checkout that is being taken back after a cancel. */
export type Way = 'forward' | 'back'

/** Where a process is killed: between two statements, or while the gateway has the charge. */
export type CrashPoint =
  | (StatementPoint & { readonly way: Way })
  | { readonly way: 'forward'; readonly charge: Point; readonly when: 'during' }

export interface Crash {
  readonly point: CrashPoint
  readonly endedAs: string
  /** From the SIGKILL until a restarted process told how it ended. */
  readonly seconds: number
  readonly charges: number
  /** What is wrong, in words. */
  readonly wrong: readonly string[]
  readonly told: readonly Told[]
}

export const nameOf = (point: CrashPoint): string =>
  'charge' in point ? `the charge, ${point.charge}` : `${point.statement} (${point.nth})`

/** Milliseconds: how long a dead process holds an operation, and what may pass beyond that. */
const lease = 2000
const patience = 5000

/** Statements of the engine's poll and bus, which come whenever they come. */
const background = new Set([
  'sp_find_states',
  'sp_renew_leases',
  'sp_claim_expired',
  'sp_enforce_deadlines',
  'sp_strip_operations',
  'sp_notify',
  'orders_expired',
])

const card = { gateway: 'stripe', paymentMethod: 'pm_card_visa' }

/** A server process of one's own on a database of one's own, killed and started again as often as there are points. */
export async function openCrashSite(options: { readonly databaseUrl: string; readonly stripeUrl: string }) {
  const { databaseUrl, stripeUrl } = options
  const proxy = await startStatementProxy(databaseUrl, ['safepoint', 'safepoint-cancel'])
  const sql = new pg.Pool({ connectionString: databaseUrl, max: 2 })
  const stripe = stripeControl(stripeUrl)
  const start = () => startServer({ databaseUrl: proxy.url, stripeUrl, lease })
  let server = await start()
  const shopper = await newShopper(server.url)
  const goods = await stockGoods(sql, 10_000)
  await warmUp(server, shopper, goods)

  return {
    /** Every statement of a checkout, or of taking one back, in order. */
    async listPoints(way: Way): Promise<CrashPoint[]> {
      const checkout = await prepare(way, server, shopper, goods, stripe)
      const recorded = proxy.record()
      const from = await checkout.act(() => recorded.length)
      const seen = recorded.slice(from).filter(({ statement }) => !background.has(statement))
      return seen.flatMap(({ statement, nth }) =>
        (['before', 'after'] as const).map((when) => ({ way, statement, nth, when })),
      )
    },

    async crash(point: CrashPoint): Promise<Crash> {
      const checkout = await prepare(point.way, server, shopper, goods, stripe)
      const { orderId, key, told, ask } = checkout
      const barrier = 'charge' in point ? await stripe.holdCharge(orderId, point.charge) : undefined
      const reached = 'charge' in point ? barrier!.arrived() : proxy.arm(point)
      const acting = checkout.act(() => 0).catch(() => undefined)
      const missed = acting.then(() => 'missed' as const)
      if ((await Promise.race([reached, missed])) === 'missed') {
        proxy.restore()
        return { point, endedAs: 'not reached', seconds: 0, charges: 0, wrong: ['the point was not reached'], told }
      }
      const killedAt = now()
      await server.end('SIGKILL')
      proxy.restore()
      await barrier?.release()
      await acting
      server = await start()
      checkout.moveTo(server)

      // What has left no trace has done nothing, and can be sent again; anything else ends by itself.
      const ended = await until(
        async () => {
          const { body } = await ask('find', 'onlooker')
          const { state } = body as OperationView
          return state === 'running' || state === 'undoing' ? undefined : state
        },
        {
          timeoutMs: 30_000,
          intervalMs: 20,
          message: () => `an end of ${key}, killed ${point.when} ${nameOf(point)}: ${told.at(-1)?.text}`,
        },
      )
      const seconds = (now() - killedAt) / 1000
      await ask('confirm', 'retrying client')
      await ask('find', 'late onlooker')
      await ask('order', 'shopper')
      const facts = (await readFacts(sql, stripe, [{ scope: shopper.scope, key, orderId }])).get(orderId)!
      const wrong = [...findUntrue(told, facts), ...(await findUnbalanced(sql))]
      if (seconds > (lease + patience) / 1000) wrong.push(`it took ${seconds.toFixed(1)} s`)
      const endedAs = ended === 'none' ? `none; sent again, ${facts.row?.state ?? 'none'}` : ended
      await warmUp(server, shopper, goods)
      return { point, endedAs, seconds, charges: facts.net?.charges ?? 0, wrong, told }
    },

    async close() {
      await server.end('SIGTERM')
      await Promise.all([proxy.close(), sql.end()])
    },
  }
}

export type CrashSite = Awaited<ReturnType<typeof openCrashSite>>

/** An order that is placed, and what is then done with it. */
async function prepare(way: Way, server: Running, shopper: Shopper, goods: Goods, stripe: StripeControl) {
  const { token } = shopper
  const orderId = await shopper.placeOrder(server.url, goods)
  const held = way === 'back' ? await stripe.holdCharge(orderId, 'executed') : undefined
  const key = uuidv7()
  const told: Told[] = []
  let { url } = server
  const ask = async (call: Told['call'], who: string): Promise<Told> => {
    const path = {
      confirm: `/api/orders/${orderId}/confirm`,
      cancel: `/api/operations/${key}/cancel`,
      find: `/api/operations/${key}`,
      order: `/api/orders/${orderId}`,
    }[call]
    const sentAt = now()
    const body = call === 'confirm' ? card : undefined
    const headers: Record<string, string> = call === 'confirm' ? { 'idempotency-key': key } : {}
    const method = call === 'confirm' || call === 'cancel' ? 'POST' : 'GET'
    try {
      const { status, body: said, text } = await send(url, token, method, path, body, headers)
      const one: Told = { call, who, server: 0, sentAt, toldAt: now(), status, body: said, text }
      told.push(one)
      return one
    } catch (error) {
      told.push({ call, who, server: 0, sentAt, toldAt: now(), status: 0, body: undefined, text: String(error) })
      throw error
    }
  }
  return {
    orderId,
    key,
    told,
    ask,
    moveTo: (other: Running) => void (url = other.url),
    /** Confirms; on the way back it is cancelled while the gateway has the charge. Answers what `mark` said as the way back began. */
    async act(mark: () => number): Promise<number> {
      const confirming = ask('confirm', 'client')
      if (!held) {
        await confirming
        return 0
      }
      // A client whose connection breaks learns nothing, which is no answer.
      confirming.catch(() => {})
      await held.arrived()
      const from = mark()
      await ask('cancel', 'canceller').catch(() => {})
      await held.release()
      await Promise.allSettled([confirming])
      return from
    },
  }
}

/** The connections of a process that has worked for a while: its statements are prepared and share their packets. */
async function warmUp(server: Running, { token, placeOrder }: Shopper, goods: Goods): Promise<void> {
  for (let n = 0; n < 2; n++) {
    const orderId = await placeOrder(server.url, goods)
    const headers = { 'idempotency-key': uuidv7() }
    const { status, text } = await send(server.url, token, 'POST', `/api/orders/${orderId}/confirm`, card, headers)
    if (status !== 200) throw new Error(`An undisturbed checkout was answered ${status}: ${text}`)
  }
}

export const chargePoints: readonly CrashPoint[] = (['arrived', 'begun', 'executed'] as const).map((charge) => ({
  way: 'forward',
  charge,
  when: 'during',
}))

/** Several sites work through the points, each on its own. `tell` hears of each as it is done. */
export async function crashAt(
  sites: readonly CrashSite[],
  points: readonly CrashPoint[],
  tell: (crash: Crash) => void = () => {},
): Promise<Crash[]> {
  const crashes: Crash[] = []
  let next = 0
  await Promise.all(
    sites.map(async (site) => {
      for (let point = points[next++]; point; point = points[next++]) {
        const crash = await site.crash(point)
        crashes.push(crash)
        tell(crash)
      }
    }),
  )
  return crashes
}
